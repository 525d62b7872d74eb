import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freeBytes } from '../../src/support/free-bytes.ts'

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
