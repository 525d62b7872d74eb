import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RejectLines } from '../../src/work/reject-lines.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const failed = (seq: number) => ({ seq, line: seq + 2, reason: 'CLASSIFIER_FAILED', detail: 'ValueError: no\n  at x' })

test('the first row of each reason in a job has a line, and then one every 10 s has the number of the others', async () => {
  const time = new ManualTime()
  const lines: string[] = []
  const rejects = new RejectLines(text => lines.push(text), { topic: 'p.rejects', time })
  const newLines = () => lines.splice(0)
  for (let seq = 7; seq < 1007; seq++) rejects.note('orders', failed(seq))
  rejects.note('orders', { ...failed(3), reason: 'CLASSIFIER_TIMEOUT' })
  rejects.note('other', failed(0))
  assert.deepEqual(newLines(), [
    'job orders: row 7 (line 9) was rejected: CLASSIFIER_FAILED ValueError: no; a copy is in p.rejects',
    'job orders: row 3 (line 5) was rejected: CLASSIFIER_TIMEOUT ValueError: no; a copy is in p.rejects',
    'job other: row 0 (line 2) was rejected: CLASSIFIER_FAILED ValueError: no; a copy is in p.rejects',
  ])
  await time.pass(9999)
  assert.deepEqual(newLines(), [])
  await time.pass(1)
  assert.deepEqual(newLines(), ['job orders: 999 more rows were rejected: CLASSIFIER_FAILED; copies are in p.rejects'])
  await time.pass(10_000)
  assert.deepEqual(newLines(), [])
  rejects.note('orders', failed(8))
  rejects.close()
  assert.deepEqual(newLines(), ['job orders: 1 more row was rejected: CLASSIFIER_FAILED; copies are in p.rejects'])
})
