import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callAndRow, estimate, type Measured, measureBusy } from '../../src/probe/estimate.ts'

const SLOW: Measured = {
  ...{ rows: 10_000, batchRows: 100, cores: 4, most: 300, startSeconds: 1, openSeconds: 0.1, busy: 1 },
  ...{ callSeconds: 0.002, rowSeconds: 0.003 },
}
const rounded = (seconds: readonly number[]) => seconds.map(each => Math.round(each))

test('a slow function takes its share of time with each worker, up to the number of cores', () => {
  const { oneProcessSeconds, seconds } = estimate(SLOW, 6)
  assert.equal(Math.round(oneProcessSeconds), 31)
  assert.deepEqual(rounded(seconds), [33, 18, 13, 10, 10, 10])
})

test('a fast function does not pay, and one batch has one worker', () => {
  const fast = estimate({ ...SLOW, rowSeconds: 1e-6 }, 4)
  assert.ok(Math.min(...fast.seconds) > fast.oneProcessSeconds)
  const few = estimate({ ...SLOW, rows: 50 }, 2)
  assert.equal(few.seconds[0], few.seconds[1])
})

test('OUT waits for the probe, which starts the classifier too, unless the file is one batch', () => {
  const few = { ...SLOW, rows: 200, startSeconds: 4, callSeconds: 0, rowSeconds: 0.01 }
  assert.deepEqual(rounded(estimate({ ...few, most: 0 }, 2).seconds), [7, 6])
  assert.deepEqual(rounded(estimate(few, 2).seconds), [10, 10]) // a start, and 140 rows, take 5.4 s
  assert.deepEqual(rounded(estimate({ ...few, batchRows: 200 }, 2).seconds), [7, 7])
})

test('a busy machine takes longer for what was not measured, and a file that pandas reads first is waited for', () => {
  const small = { ...SLOW, rows: 100 }
  assert.deepEqual(rounded(estimate(small, 1).seconds), [3])
  assert.deepEqual(rounded(estimate({ ...small, busy: 4 }, 1).seconds), [10])
  assert.deepEqual(rounded(estimate({ ...small, openSeconds: 20 }, 1).seconds), [21])
  assert.ok(measureBusy(20) >= 1)
})

test('the time of a call and that of a row come from one call with one row and one with many', () => {
  const { callSeconds, rowSeconds } = callAndRow(0.005, { rows: 101, seconds: 0.305 })
  assert.deepEqual([callSeconds.toFixed(4), rowSeconds.toFixed(4)], ['0.0020', '0.0030'])
  assert.deepEqual(callAndRow(0.2, { rows: 100, seconds: 0.1 }), { callSeconds: 0.1, rowSeconds: 0 })
  assert.deepEqual(callAndRow(0.2, { rows: 1, seconds: 0.2 }), { callSeconds: 0, rowSeconds: 0.2 })
})
