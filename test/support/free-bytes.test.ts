import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freeBytes, freePart, shareBytes } from '../../src/support/free-bytes.ts'

const BYTES = 64 * 1024 * 1024

test('the memory of bytes is free at once, and they are empty', () => {
  const bytes = Buffer.allocUnsafeSlow(BYTES)
  const part = bytes.subarray(10, 20)
  const before = process.memoryUsage().arrayBuffers
  freeBytes(bytes)
  assert.ok(process.memoryUsage().arrayBuffers <= before - BYTES)
  assert.deepEqual([bytes.length, part.length], [0, 0])
})

test('a part of a larger buffer stays: others use the rest', () => {
  const whole = Buffer.alloc(20, 'x')
  const pooled = Buffer.from('pooled')
  freeBytes(whole.subarray(1))
  freeBytes(pooled)
  assert.deepEqual([`${whole}`, `${pooled}`], ['x'.repeat(20), 'pooled'])
})

test('shared memory is free when its last part is, and at once if it has no part', () => {
  const [shared, unused, own] = [Buffer.allocUnsafeSlow(10), Buffer.allocUnsafeSlow(10), Buffer.allocUnsafeSlow(10)]
  shareBytes(shared, 2)
  shareBytes(unused, 0)
  freePart(own) // nobody shared it
  freePart(shared.subarray(0, 5))
  assert.deepEqual([shared.length, unused.length, own.length], [10, 0, 10])
  freePart(shared.subarray(5))
  assert.equal(shared.length, 0)
})

test('a part of a larger buffer is not shared', () => {
  const whole = Buffer.allocUnsafeSlow(10)
  for (const count of [0, 1]) shareBytes(whole.subarray(2), count)
  freePart(whole.subarray(2))
  assert.equal(whole.length, 10)
})
