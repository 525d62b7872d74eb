import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { collectGarbage } from '../../src/support/collect-garbage.ts'

test('an unreferenced buffer is freed at once', async () => {
  const dropped = new WeakRef(Buffer.alloc(16 * 1024 * 1024))
  const held = Buffer.alloc(16 * 1024 * 1024)
  await nextTurn() // until then V8 keeps the target of a WeakRef
  collectGarbage()
  assert.equal(dropped.deref(), undefined)
  assert.equal(held[0], 0)
})
