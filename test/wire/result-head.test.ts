import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Rejected } from '../../src/model.ts'
import { encodeEndOfInput, encodeJob, encodeResult, encodeRows } from '../../src/wire/codec.ts'
import { readResultsHead } from '../../src/wire/result-head.ts'
import { jobRecord } from '../helpers/pipeline.ts'
import { resultRecord } from '../helpers/result-record.ts'

const end = { job: 'j', epoch: 0, from: 0, attempt: 0, partition: 0, rows: 1, total: 1 }
const barrier = { job: 'j', epoch: 1, from: 4, seq: null, count: 0, line: null, lineSteps: null }

const anyRejected = fc.record({
  seq: fc.option(fc.nat(), { nil: null }),
  line: fc.option(fc.nat(), { nil: null }),
  reason: fc.string({ unit: 'grapheme' }),
  detail: fc.string({ unit: 'grapheme' }),
  values: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
})

test('the head of a result has what the result says, with the rejects and without cells', () => {
  fc.assert(
    fc.property(fc.array(anyRejected, { maxLength: 4 }), fc.nat(1000), fc.boolean(), (rejects, first, hasOutputs) => {
      const rejected: Rejected[] = rejects.map((reject, index) => ({ index, ...reject }))
      const rows = [['a', 'b']]
      const outputs = hasOutputs ? [...rejected.map(() => 0), 1] : null
      const count = rejected.length + 1
      const columns = { columns: ['x', 'y'], kinds: ['text', 'text'] }
      const place = { job: 'jöb', epoch: 2, from: 7, attempt: 3, first, count, by: 'w' }
      const bytes = encodeResult(resultRecord({ ...place, ...columns, rejected, outputs, rows }))
      const heads = rejected.map(({ values: _, ...head }) => head)
      assert.deepEqual(readResultsHead(bytes), { kind: 'result', value: { ...place, rejected: heads } })
    }),
  )
})

test('ends of input and barriers are read, and anything else is null', () => {
  assert.deepEqual(readResultsHead(encodeEndOfInput(end)), { kind: 'end', value: end })
  assert.deepEqual(readResultsHead(encodeRows({ ...barrier, rows: [] })), { kind: 'rows', value: barrier })
  assert.equal(readResultsHead(encodeJob(jobRecord())), null)
  for (const bytes of [null, Buffer.alloc(0), Buffer.from('{}')]) assert.equal(readResultsHead(bytes), null)
})

test('a result that is cut off before its cells, or rejects a row that it does not have, is null', () => {
  const reject = { index: 0, seq: 0, line: 1, reason: 'R', detail: '', values: [] }
  const bytes = encodeResult(resultRecord({ count: 1, rejected: [reject] }))
  const head = bytes.length - 1 // the empty array of rows
  assert.notEqual(readResultsHead(bytes.subarray(0, head)), null)
  for (let length = 0; length < head; length++) assert.equal(readResultsHead(bytes.subarray(0, length)), null)
  const wrong = Buffer.from(bytes)
  const at = wrong.indexOf(Buffer.from([0, 2, 0, 2, 2, 2])) // index 0, seq 0, line 1
  assert.ok(at > 0)
  wrong[at] = 2
  assert.equal(readResultsHead(wrong), null)
})
