import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OutputFormat } from '../../connectors/csv/output-format.ts'
import type { Values } from '../../src/index.ts'
import { packed } from '../../src/testing/sink-rows.ts'
import { anyCharacter } from '../helpers/any-character.ts'

const character = fc.constantFrom(',', ';', '\t', '"', "'", '|', 'é', '😀', '\\', 'a', '0', '\n')
const toCsv = fc
  .record(
    {
      sep: character,
      quotechar: character,
      escapechar: fc.option(character),
      doublequote: fc.boolean(),
      quoting: fc.constantFrom(0, 1, 2, 3),
      lineterminator: fc.constantFrom('\n', '\r\n', '\r', ';', 'end é\n', 'a'),
      header: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .map(options => JSON.stringify(options))

const unit = fc.oneof(fc.constantFrom(',', '"', "'", '\n', '\r', '\\', ';', 'a', 'é', '😀', '\0', ' '), anyCharacter)
const cell = fc.oneof(
  fc.constant(''),
  fc.string({ unit, maxLength: 8 }),
  fc.integer({ min: 60, max: 70 }).map(length => 'é'.repeat(length)),
  fc.constant(`${'long '.repeat(2000)}"`),
)

function outcome(act: () => Uint8Array | string): string {
  try {
    return Buffer.from(act() as string).toString('utf8')
  } catch (error) {
    return `thrown: ${(error as Error).message}`
  }
}

test('lines made of bytes are those made of text, for any cells and arguments of to_csv', () => {
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain(width => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 6 }))
  fc.assert(
    fc.property(toCsv, fc.boolean(), fc.array(table, { minLength: 1, maxLength: 3 }), (toCsv, quotes, tables) => {
      const options = [
        { name: 'toCsv', value: toCsv },
        { name: 'quotesCarriageReturn', value: String(quotes) },
      ]
      const format = new OutputFormat({ columns: [], options })
      // One after the other, so that what a table left would be seen in the next.
      for (const rows of tables as Values[][])
        assert.equal(
          outcome(() => format.packedLines(packed(rows))),
          outcome(() => format.lines(rows)),
        )
    }),
    { numRuns: 1500 },
  )
})

test('cells that grow when they are quoted have room, and so do lines with long ends', () => {
  const options = [
    {
      name: 'toCsv',
      value: JSON.stringify({ sep: '😀', lineterminator: 'end of the line\r\n', escapechar: 'é', doublequote: false }),
    },
  ]
  const format = new OutputFormat({ columns: [], options })
  const rows = Array.from({ length: 300 }, () => ['"'.repeat(5000), '', '😀', ''])
  const empty = Array.from({ length: 100_000 }, () => ['', ''])
  for (const each of [rows, empty, rows])
    assert.ok(Buffer.from(format.lines(each)).equals(format.packedLines(packed(each))))
})
