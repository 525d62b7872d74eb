import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callAndRow, estimate } from '../../src/probe/estimate.ts'

const SLOW = { rows: 10_000, batchRows: 100, cores: 4, startSeconds: 1, callSeconds: 0.002, rowSeconds: 0.003 }

test('a slow function takes its share of time with each worker, up to the number of cores', () => {
  const { oneProcessSeconds, seconds } = estimate(SLOW, 6)
  assert.equal(Math.round(oneProcessSeconds), 31)
  assert.deepEqual(
    seconds.map(each => Math.round(each)),
    [32, 17, 12, 10, 10, 10],
  )
})

test('a fast function does not pay, and one batch has one worker', () => {
  const fast = estimate({ ...SLOW, rowSeconds: 1e-6 }, 4)
  assert.ok(Math.min(...fast.seconds) > fast.oneProcessSeconds)
  const few = estimate({ ...SLOW, rows: 50 }, 2)
  assert.equal(few.seconds[0], few.seconds[1])
})

test('the time of a call and that of a row come from one call with one row and one with many', () => {
  const { callSeconds, rowSeconds } = callAndRow(0.005, { rows: 101, seconds: 0.305 })
  assert.deepEqual([callSeconds.toFixed(4), rowSeconds.toFixed(4)], ['0.0020', '0.0030'])
  assert.deepEqual(callAndRow(0.2, { rows: 100, seconds: 0.1 }), { callSeconds: 0.1, rowSeconds: 0 })
  assert.deepEqual(callAndRow(0.2, { rows: 1, seconds: 0.2 }), { callSeconds: 0, rowSeconds: 0.2 })
})
