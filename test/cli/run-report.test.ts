import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inOrder } from '../../src/cli/json-output.ts'
import { RUN_REPORT, reportLine, summaryOf } from '../../src/cli/run-report.ts'
import type { RunReport } from '../../src/run.ts'

const REPORT: RunReport = {
  startSeconds: 6,
  seconds: 7,
  job: 'j',
  pipeline: 'p',
  rows: 2,
  rejects: 1,
  rowsIn: 3,
  rowsOut: 2,
  duplicates: 0,
  rejected: [{ index: 4, seq: 0, line: 2, reason: 'CLASSIFIER_FAILED', detail: 'no', values: ['1', 'x'] }],
  partitions: 8,
  blockRows: 100,
  batchRows: 100,
  rowsByWorker: { w: 1 },
  classifierVersions: { node: '24' },
  probe: null,
}

test('the report of a run has the documented fields in their order, and names rejected rows as the user does', () => {
  const line = reportLine(REPORT)
  assert.deepEqual(Object.keys(line), Object.keys(RUN_REPORT.fields))
  assert.deepEqual(Object.keys((line['rejected'] as object[])[0]!), ['seq', 'line', 'reason', 'detail', 'values'])
  assert.equal(line['rowsPerSecond'], 0.3)
})

test('the summary of a run counts one row in the singular, and shows a slow speed', () => {
  assert.equal(summaryOf(REPORT), '2 rows in 7.0 s (6.0 s to start), 0.3 rows/s')
  assert.equal(summaryOf({ ...REPORT, rows: 1, rowsOut: 1, seconds: 1 }), '1 row in 1.0 s (6.0 s to start), 1 row/s')
})

test('the summary of a run whose rows have any number of output rows says rows in and rows out', () => {
  const line = summaryOf({ ...REPORT, rowsOut: 7 })
  assert.equal(line, '3 rows in and 7 out, in 7.0 s (6.0 s to start), 0.3 rows/s')
})

test('an object printed as JSON has its fields in the documented order', () => {
  const shape = { line: 'x', fields: { b: '', a: '' } }
  assert.equal(JSON.stringify(inOrder(shape, { a: 1, b: null })), '{"b":null,"a":1}')
})
