import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { RecordDecoder } from '../../connectors/csv/decoder.ts'
import { CELL_LIMIT } from '../../connectors/csv/record-reader.ts'
import { RowmillError } from '../../src/errors.ts'
import type { CsvDialect } from '../../src/pandas/read-csv.ts'
import { PandasOracle } from './pandas-oracle.ts'

let oracle: PandasOracle
before(() => {
  oracle = new PandasOracle()
})
after(() => oracle.close())

const PLAIN_DIALECT: CsvDialect = {
  separator: ',',
  quote: '"',
  doubleQuote: true,
  escapeChar: null,
  skipInitialSpace: false,
}

const NASTY = ['a', 'b', '"', '"', ',', ',', '\n', '\r', '\r\n', ' ', 'é', '😀', '\ufeff', '\0', '\x1c', '\u2028', '\\']
const nastyText = fc.array(fc.constantFrom(...NASTY), { maxLength: 40 }).map(parts => parts.join(''))

interface Found {
  readonly rows: string[][]
  readonly lines: number[]
  readonly bytes: number[]
}

function decode(data: Uint8Array, cuts: readonly number[] = [], dialect: CsvDialect = PLAIN_DIALECT): Found {
  const decoder = new RecordDecoder(dialect, 'f.csv', { byte: 0, line: 1 })
  const found: Found = { rows: [], lines: [], bytes: [] }
  const ends = [...new Set(cuts.map(cut => cut % (data.length + 1)))].sort((a, b) => a - b)
  let from = 0
  for (const end of [...ends, data.length]) {
    const run = decoder.push(data.subarray(from, end), end === data.length)
    from = end
    found.rows.push(...run.rows)
    found.lines.push(...run.lines)
    found.bytes.push(...run.bytes)
    if (end === data.length) break
  }
  return found
}

function outcome(action: () => Found): Found | string {
  try {
    return action()
  } catch (error) {
    assert.ok(error instanceof RowmillError, String(error))
    return `${error.code} ${error.facts.line}`
  }
}

async function agree(text: string, dialect: CsvDialect): Promise<void> {
  const data = Buffer.from(text)
  const asked = await oracle.ask<string[][]>('records', {
    data: data.toString('base64'),
    dialect: {
      delimiter: dialect.separator,
      quotechar: dialect.quote ?? '"',
      quoting: dialect.quote === null ? 3 : 0,
      doublequote: dialect.doubleQuote,
      escapechar: dialect.escapeChar,
      skipinitialspace: dialect.skipInitialSpace,
    },
  })
  const found = outcome(() => decode(data, [], dialect))
  if (asked.error !== undefined) assert.equal(typeof found, 'string', `Python refuses: ${asked.error}`)
  else assert.deepEqual(typeof found === 'string' ? found : found.rows, asked.answer)
}

test('records equal those of the csv module, or both refuse', async () => {
  await fc.assert(
    fc.asyncProperty(nastyText, text => agree(text, PLAIN_DIALECT)),
    { numRuns: 3000 },
  )
})

test('records of any dialect equal those of the csv module, or both refuse', async () => {
  const dialects = fc.record({
    separator: fc.constantFrom(',', 'a', ' ', 'é', '\t', '\ufeff'),
    quote: fc.constantFrom('"', 'b', null),
    doubleQuote: fc.boolean(),
    escapeChar: fc.constantFrom(null, '\\'),
    skipInitialSpace: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(nastyText, dialects, async (text, dialect) => {
      fc.pre(!(dialect.skipInitialSpace && dialect.separator === ' '))
      await agree(text, dialect)
    }),
    { numRuns: 6000 },
  )
})

test('however the bytes are split, records, lines, bytes and errors are the same', () => {
  fc.assert(
    fc.property(nastyText, fc.array(fc.nat(100), { maxLength: 8 }), fc.boolean(), (text, cuts, escaped) => {
      const data = Buffer.from(text)
      const dialect = { ...PLAIN_DIALECT, escapeChar: escaped ? '\\' : null }
      assert.deepEqual(
        outcome(() => decode(data, cuts, dialect)),
        outcome(() => decode(data, [], dialect)),
      )
    }),
    { numRuns: 5000 },
  )
})

test('each byte and line is where its record begins', () => {
  fc.assert(
    fc.property(nastyText, text => {
      const data = Buffer.from(text)
      const all = outcome(() => decode(data))
      if (typeof all === 'string') return
      all.bytes.forEach((byte, index) => {
        assert.equal(
          all.lines[index],
          1 +
            (data
              .subarray(0, byte)
              .toString()
              .match(/\r\n|\r|\n/g)?.length ?? 0),
        )
        assert.deepEqual(decode(data.subarray(byte)).rows, all.rows.slice(index))
      })
    }),
    { numRuns: 3000 },
  )
})

const ERRORS: readonly (readonly [string, string | Uint8Array, string, Record<string, number>])[] = [
  ['a quote that is never closed', 'a,b\n1,2\n3,"4\n5,6\n', 'INPUT_QUOTE', { line: 3 }],
  ['a quote that opens after inner line ends', '"a\r\nb\rc\nd","e\n\n\n', 'INPUT_QUOTE', { line: 4 }],
  ['text after a closing quote', 'a,b\r\n"x\r\ny"z,1\r\n', 'INPUT_QUOTE', { line: 3 }],
  ['a cell above the limit', `a,b\n1,2\n"x\ny",${'z'.repeat(CELL_LIMIT + 1)}\n`, 'INPUT_CELL_TOO_LARGE', { line: 4 }],
  [
    'a cell above the limit, and text after it',
    `a\n"${'z'.repeat(CELL_LIMIT + 1)}"x`,
    'INPUT_CELL_TOO_LARGE',
    { line: 2 },
  ],
  ['an open cell above the limit', `a,b\n1,"${'z'.repeat(CELL_LIMIT + 1)}`, 'INPUT_CELL_TOO_LARGE', { line: 2 }],
  ['a record above the limit', `a\n${`${'y'.repeat(100_000)},`.repeat(160)}\n`, 'INPUT_ROW_TOO_LARGE', { line: 2 }],
  ['a byte that begins no character', Buffer.from('a\r\nb\n\xe9c\n', 'latin1'), 'INPUT_ENCODING', { line: 3, byte: 5 }],
  ['a character cut at the end', Buffer.from('é\né').subarray(0, 4), 'INPUT_ENCODING', { line: 2, byte: 3 }],
  ['a surrogate', Buffer.from([0x61, 0x0a, 0xed, 0xa0, 0x80]), 'INPUT_ENCODING', { line: 2, byte: 2 }],
  ['an overlong slash', Buffer.from([0xc0, 0xaf]), 'INPUT_ENCODING', { line: 1, byte: 0 }],
]

for (const [what, content, code, facts] of ERRORS) {
  test(`${what} is refused with its place, however the bytes are split`, () => {
    const data = Buffer.from(content as string)
    for (const cuts of [[], [1], [5, 6], [131_000, 262_144, 400_000]]) {
      assert.throws(
        () => decode(data, cuts),
        (error: RowmillError) => {
          assert.equal(error.code, code)
          for (const [name, value] of Object.entries(facts)) assert.equal(error.facts[name], value, name)
          return true
        },
      )
    }
  })
}

test('a cell of exactly the limit is read, counted in code points', async () => {
  await agree(`a,b\n1,${'😀'.repeat(CELL_LIMIT)}\n`, PLAIN_DIALECT)
  await agree(`a,b\n1,${'😀'.repeat(CELL_LIMIT)}x\n`, PLAIN_DIALECT)
  assert.equal(decode(Buffer.from(`1,${'😀'.repeat(CELL_LIMIT)}\n`)).rows.length, 1)
})

test('a long record in small pieces is joined', () => {
  const cell = 'é"",\r\n'.repeat(10_000)
  const data = Buffer.from(`"${cell}",x\n1,2\n`)
  const cuts = Array.from({ length: 200 }, (_, index) => index * 397)
  assert.deepEqual(decode(data, cuts).rows, [
    [cell.replaceAll('""', '"'), 'x'],
    ['1', '2'],
  ])
})
