import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeRows } from '../../src/collect/write-rows.ts'
import type { Sink } from '../../src/connector.ts'
import { CellRules, ChangedCells, WholeColumns } from '../../src/core/whole-columns.ts'
import type { Result } from '../../src/model.ts'
import { encodeResult } from '../../src/wire/codec.ts'
import { decodePacked } from '../../src/wire/packed-result.ts'

const ROWS = [
  ['1', '2024-01-01'],
  ['2', '2024-01-02'],
]
const rules = new CellRules({ options: [] })

function sliceOf(kinds: readonly string[]) {
  const result: Result = {
    ...{ job: 'j', epoch: 0, from: 0, attempt: 0, first: 0, count: 2, offset: 0, by: 'w', rejected: [], outputs: null },
    ...{ classifier: new Uint8Array(8), columns: ['n', 'day'], kinds, rows: ROWS },
  }
  const read = decodePacked(encodeResult(result)).value as Result
  return { result: read, partition: 0, offset: 0, index: 0, count: 2, seq: 0 }
}

/** A sink that notes how rows came. */
function sinkOf(calls: string[], isPacked = true): Sink {
  const sink = { write: async () => void calls.push('rows'), writePacked: async () => void calls.push('bytes') }
  return { ...sink, ...(!isPacked && { writePacked: undefined }) } as unknown as Sink
}

async function written(kinds: readonly string[], more: { changed?: ChangedCells; isPacked?: boolean } = {}) {
  const calls: string[] = []
  const whole = more.changed ? null : new WholeColumns(rules)
  await writeRows(sliceOf(kinds), { sink: sinkOf(calls, more.isPacked), whole, changed: more.changed ?? null })
  return { calls, seen: whole?.seen.rows }
}

test('rows stay bytes on their way to a sink that takes bytes', async () => {
  assert.deepEqual(await written(['integer', 'text']), { calls: ['bytes'], seen: 2 })
})

test('a sink that takes rows gets rows', async () => {
  assert.deepEqual(await written(['integer', 'text'], { isPacked: false }), { calls: ['rows'], seen: 2 })
})

test('rows are text where somebody looks at their dates, or changes their cells', async () => {
  assert.deepEqual(await written(['integer', 'datetime64[ns] day']), { calls: ['rows'], seen: 2 })
  const changed = new ChangedCells(rules, { floats: [0], dates: [] })
  assert.deepEqual(await written(['integer', 'text'], { changed }), { calls: ['rows'], seen: undefined })
})
