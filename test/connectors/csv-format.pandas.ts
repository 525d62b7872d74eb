import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { OutputFormat } from '../../connectors/csv/output-format.ts'
import { lineFormat } from '../../connectors/csv/writer.ts'
import type { SinkDialect } from '../../src/pandas/to-csv.ts'
import { python } from '../helpers/python.ts'

const BASE: SinkDialect = {
  sep: ',',
  quotechar: '"',
  quoting: 0,
  lineterminator: '\n',
  doublequote: true,
  escapechar: null,
  header: false,
  index_label: true,
}

const FORMATS: Partial<SinkDialect>[] = [
  {},
  { quoting: 1 },
  { sep: ';', quotechar: "'" },
  { lineterminator: '\r\n' },
  { doublequote: false, escapechar: '\\' },
  { escapechar: '\\' },
  { quoting: 3, escapechar: '\\' },
  { quoting: 3 },
]

/** The lines of Python for the rows, or null if its csv module refuses one; and whether it quotes a lone CR. */
const SCRIPT = `
import csv, io, json, sys
def quotechar(f):  # as pandas' CSVFormatter hands it on
    return None if f['quoting'] == csv.QUOTE_NONE and f['escapechar'] is None else f['quotechar']
def line(f, row):
    out = io.StringIO(newline='')
    try:
        csv.writer(out, delimiter=f['sep'], quotechar=quotechar(f), quoting=f['quoting'],
                   lineterminator=f['lineterminator'], doublequote=f['doublequote'], escapechar=f['escapechar']).writerow(row)
    except csv.Error:
        return None
    return out.getvalue()
cr = io.StringIO(newline=''); csv.writer(cr, lineterminator='\\n').writerow(['a\\rb'])
formats, rows = json.load(sys.stdin)
json.dump([cr.getvalue().startswith('"'), [[line(f, row) for row in rows] for f in formats]], sys.stdout)
`

test('lines equal those of Python csv.writer, for every format and difficult cells', () => {
  const cell = fc.string({
    unit: fc.constantFrom('a', '"', "'", ',', ';', '\n', '\r', '\\', ' ', 'é', '😀'),
    maxLength: 5,
  })
  const rows = [[''], ['', ''], ...fc.sample(fc.array(cell, { minLength: 1, maxLength: 4 }), { numRuns: 600, seed: 7 })]
  const formats = FORMATS.map(format => ({ ...BASE, ...format }))
  const input = JSON.stringify([formats, rows])
  const [quotesCarriageReturn, expected] = JSON.parse(execFileSync(python, ['-c', SCRIPT], { input, encoding: 'utf8' }))
  formats.forEach((format, f) => {
    const { line } = lineFormat(format, quotesCarriageReturn)
    rows.forEach((row, r) => {
      const wanted = expected[f][r]
      if (wanted === null) assert.throws(() => line(row), { code: 'OUTPUT_FAILED' }, JSON.stringify([format, row]))
      else assert.equal(line(row), wanted, JSON.stringify([format, row]))
    })
  })
})

test('a csv module that quotes a carriage return makes the sink quote it', () => {
  const { line } = lineFormat(BASE, true)
  assert.equal(line(['a\rb', 'c']), '"a\rb",c\n')
})

test('job options that no sink can obey are refused by name, in JSON or not', () => {
  for (const [value, message] of [
    ['{', /option toCsv of the job is not JSON/],
    ['{"mode": "r"}', /--to-csv mode/],
  ] as const) {
    const options = [{ name: 'toCsv', value }]
    assert.throws(() => new OutputFormat({ columns: [], options }), { code: 'USAGE', message })
  }
})
