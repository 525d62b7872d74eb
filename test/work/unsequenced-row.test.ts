import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeValues, encodeRows } from '../../src/wire/codec.ts'
import { decodeJsonRow } from '../../src/wire/json-rows.ts'
import { unsequencedRow } from '../../src/work/unsequenced-row.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const at = { topic: 'p.rows', partitions: 1, blockRows: 1, rowsFrom: [0], resultsFrom: [0] }
const JOB = jobRecord({ ...at, id: 'events', columns: ['ID', 'TEXT'], sequenced: false, bounded: false })
const HEAD = { job: 'events', epoch: 0, from: 0, seq: null, count: 1, line: null, lineSteps: null }

const json = (values: unknown) => decodeJsonRow(Buffer.from(JSON.stringify({ job: 'events', values })))

interface Case {
  readonly name: string
  readonly given: Parameters<typeof unsequencedRow>[1]
  /** The values of the row, or those that its reject shows. */
  readonly values: readonly string[]
  /** Why the row is refused. Default: it is not. */
  readonly why?: RegExp
}

const wide = Array.from({ length: 30 }, (_, i) => `v${i}`)
const CASES: readonly Case[] = [
  { name: 'values in the order of the columns', given: json(['1', 'a']), values: ['1', 'a'] },
  { name: 'values by name, in any order', given: json({ TEXT: 'a', ID: '1' }), values: ['1', 'a'] },
  { name: 'a number keeps its text', given: json([1, 'a']), values: ['1', 'a'] },
  { name: 'a rows message', given: encodeRows({ ...HEAD, rows: [['1', 'a']] }), values: ['1', 'a'] },
  { name: 'too few values', given: json(['1']), values: ['1'], why: /1 value.* 2 columns/ },
  {
    name: 'too many in a rows message',
    given: encodeRows({ ...HEAD, rows: [wide] }),
    values: wide.slice(0, 12),
    why: /30 values.* 2 columns/,
  },
  { name: 'a column is missing', given: json({ ID: '1' }), values: ['1', ''], why: /TEXT/ },
  {
    name: 'a column of another table',
    given: json({ ID: '1', TEXT: 'a', SIZE: '9' }),
    values: ['1', 'a', 'SIZE=9'],
    why: /SIZE/,
  },
  { name: 'a value that no cell can hold', given: json(['1', ['a']]), values: ['1', '["a"]'], why: /list|array/ },
  {
    name: 'a long value is cut',
    given: json(['1', 'a', 'x'.repeat(2000)]),
    values: ['1', 'a', 'x'.repeat(1000)],
    why: /3 values/,
  },
]

for (const { name, given, values, why } of CASES) {
  test(`a row without sequence: ${name}`, () => {
    const { head, bytes, refusal } = unsequencedRow(JOB, given)
    assert.deepEqual(head, HEAD)
    assert.deepEqual(decodeValues(bytes), [values])
    if (why) assert.match(`${refusal?.reason}: ${refusal?.detail}`, new RegExp(`^ROW_MALFORMED: .*(${why.source})`))
    else assert.equal(refusal, undefined)
  })
}

test('a rows message that fits its job is handed on as it came', () => {
  const given = encodeRows({ ...HEAD, rows: [['1', 'a']] })
  assert.equal(unsequencedRow(JOB, given).bytes, given)
})
