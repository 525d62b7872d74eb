import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Result } from '../../src/model.ts'
import { fewBytes, KindsMet, rowsThatShow } from '../../src/probe/kinds-met.ts'
import { jobRecord } from '../helpers/pipeline.ts'
import { resultRecord } from '../helpers/result-record.ts'

/** A batch of one column whose rows begin at `seq`. */
const batch = (kind: string, seq: number, count = 2, chars = 1) => ({
  columns: ['X'],
  kinds: [kind],
  rows: Array.from({ length: count }, (_, i) => ({ row: ['x'.repeat(chars)], seq: seq + i, line: null })),
})

for (const [a, b, asks] of [
  ['integer', 'text', true],
  ['integer', 'empty', true],
  ['integer', 'unsigned', true],
  ['boolean', 'integer', true],
  ['boolean', 'empty', true],
  ['text', 'empty', true],
  ['float', 'empty', true],
  ['datetime64[us] day', 'empty', true],
  ['Int64 long', 'Int64 missing', true],
  ['Int64', 'Int64 missing', false],
  ['Int64', 'Int64 long', false],
  ['integer', 'integer', false],
  ['integer', 'negative', false],
  ['float', 'whole', false],
  ['datetime64[us] day', 'datetime64[us] second', false],
  ['whole', 'text', false],
  ['integer', 'missing', false],
  ['unsigned', 'negative', false],
] as const) {
  test(`${a} beside ${b}: the classifier is ${asks ? '' : 'not '}asked`, () => {
    const [one, other] = [new KindsMet(jobRecord()), new KindsMet(jobRecord())]
    assert.deepEqual([one.add(batch(a, 0)), one.add(batch(b, 10))], [false, asks])
    assert.deepEqual([other.add(batch(b, 0)), other.add(batch(a, 10))], [false, asks])
  })
}

test('the classifier is asked once about two kinds of a column, and never about a column with a cast', () => {
  const met = new KindsMet(jobRecord())
  const asked = ['integer', 'text', 'text', 'integer', 'boolean'].map((kind, i) => met.add(batch(kind, i * 10)))
  assert.deepEqual(asked, [false, true, false, false, true])
  const cast = new KindsMet(jobRecord({ options: [{ name: 'cast', value: '[["X","float64"]]' }] }))
  assert.deepEqual([cast.add(batch('integer', 0)), cast.add(batch('text', 10))], [false, false])
})

test('a question has the rows in the order of the job, and the batches that brought kinds', () => {
  const met = new KindsMet(jobRecord())
  for (const [kind, seq] of [
    ['integer', 30],
    ['text', 10],
    ['integer', 20],
  ] as const)
    met.add(batch(kind, seq))
  const { sample, batches } = met.question
  assert.deepEqual(sample.seqs, [10, 11, 30, 31])
  assert.deepEqual(batches, [
    [2, 3],
    [0, 1],
  ])
})

test('rows that take too many bytes are not kept, and nobody asks about them', () => {
  const met = new KindsMet(jobRecord())
  assert.equal(met.add(batch('integer', 0, 2, 1_200_000)), false)
  assert.equal(met.add(batch('text', 10, 2, 1_200_000)), false)
  assert.deepEqual(met.question.sample.seqs, [0, 1])
})

test('a row that comes again in another batch is tried once', () => {
  const met = new KindsMet(jobRecord())
  for (const [kind, seq] of [
    ['integer', 10],
    ['text', 11],
  ] as const)
    met.add(batch(kind, seq))
  assert.deepEqual(
    [met.question.sample.seqs, met.question.batches],
    [
      [10, 11, 12],
      [[0, 1], [2]],
    ],
  )
})

test('of long rows, two are chosen', () => {
  const { rows } = batch('text', 0, 5, 200_000)
  assert.deepEqual([fewBytes(rows).length, fewBytes(batch('text', 0, 5).rows).length], [2, 5])
})

const result = (cells: readonly string[], more: Partial<Result> = {}): Result =>
  resultRecord({ count: cells.length, columns: ['X'], kinds: ['mixed'], rows: cells.map(cell => [cell]), ...more })

test('rows with each look of a cell are chosen, and the longest cell', () => {
  const cells = ['1', '2', '', '30', '', '-4', 'text', '5.5', '6.0', 'other', '9223372036854775808', '7']
  assert.deepEqual(
    rowsThatShow(result(cells), [0]).toSorted((a, b) => a - b),
    [0, 2, 5, 6, 7, 8, 10],
  )
})

test('a dropped row is chosen, and a rejected one never', () => {
  const rejected = [{ index: 0, seq: 0, line: null, reason: 'CLASSIFIER_FAILED', detail: '', values: [] }]
  const more = { count: 4, outputs: [0, 1, 0, 2], rejected, rows: [['1'], ['2'], ['a']] }
  assert.deepEqual(
    rowsThatShow(result([], more), [0]).toSorted((a, b) => a - b),
    [1, 2, 3],
  )
})

test('of rows that all look different, 50 are chosen', () => {
  const columns = Array.from({ length: 60 }, (_, at) => at)
  const rows = columns.map(at => columns.map(column => (column === at ? 'x' : '1')))
  const wide = result([], { count: 60, columns: columns.map(String), kinds: columns.map(() => 'mixed'), rows })
  assert.equal(rowsThatShow(wide, columns).length, 50)
})
