import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Batcher } from '../../src/core/batcher.ts'
import { describeBatch, lineOf } from '../../src/core/describe-batch.ts'

interface Message {
  readonly seq: number | null
  readonly count: number
  readonly line: number | null
  readonly lineSteps?: readonly number[]
}

/** Messages at offsets 7, 8, ..., and the batch of all their rows. */
function batchOf(...messages: Message[]) {
  const batcher = new Batcher(7)
  messages.forEach(({ lineSteps = null, ...message }, i) => {
    const head = { job: 'j', epoch: 0, from: 0, lineSteps, ...message }
    batcher.addRows(7 + i, { head, bytes: new Uint8Array() }, message.seq ?? 7 + i)
  })
  return batcher.cutBatch(100)!
}

test('a batch is described by its rows and lines, or by its offsets', () => {
  const cases: readonly (readonly [string, ...Message[]])[] = [
    ['row 3 (from line 5)', { seq: 3, count: 1, line: 5 }],
    ['rows 3 to 5 (from line 5 to 7)', { seq: 3, count: 2, line: 5 }, { seq: 5, count: 1, line: 7 }],
    ['rows 3 to 5 (from line 5 to 9)', { seq: 3, count: 3, line: 5, lineSteps: [1, 3, 1] }],
    ['rows 3 to 4', { seq: 3, count: 2, line: null }],
    ['the row at offset 7', { seq: null, count: 1, line: null }],
    ['the rows at offsets 7 to 8', { seq: null, count: 1, line: null }, { seq: null, count: 1, line: null }],
  ]
  for (const [expected, ...messages] of cases) assert.equal(describeBatch(batchOf(...messages)), expected)
})

test('the line of a row counts the lines of the rows before it', () => {
  const [part] = batchOf({ seq: 0, count: 3, line: 2, lineSteps: [4, 1, 1] }).parts
  assert.deepEqual(
    [0, 1, 2].map(index => lineOf(part!, index)),
    [2, 6, 7],
  )
})
