import assert from 'node:assert/strict'
import { test } from 'node:test'
import { longestGap, percentile, spreadOf } from '../../bench/latency/percentiles.ts'

test('a percentile is the smallest of the numbers that at least so many of them do not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
  assert.equal(percentile(hundred, 50), 50)
  assert.equal(percentile(hundred, 99), 99)
  assert.equal(percentile(hundred, 100), 100)
  assert.equal(percentile([1, 2, 3], 50), 2)
  assert.equal(percentile([1, 2, 3, 4], 50), 2)
  assert.equal(percentile([1, 2, 3, 4], 99), 4, 'the highest of few numbers, never one between two')
  assert.equal(percentile([7], 50), 7)
  assert.throws(() => percentile([], 50), RangeError)
})

test('the spread takes the times in any order, sorts them as numbers, and leaves them unchanged', () => {
  const times = [10, 9, 100, 8]
  assert.deepEqual(spreadOf(times), { p50: 9, p99: 100, max: 100 })
  assert.deepEqual(times, [10, 9, 100, 8])
})

test('the longest gap is between two consecutive moments', () => {
  assert.equal(longestGap([1, 2, 7, 8]), 5)
  assert.equal(longestGap([3]), 0)
  assert.equal(longestGap([]), 0)
})
