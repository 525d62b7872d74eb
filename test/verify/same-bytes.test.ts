import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { OutputFormat } from '../../connectors/csv/output-format.ts'
import type { Values } from '../../src/model.ts'
import { ComparedFile } from '../../src/verify/compared-file.ts'
import { SameBytes } from '../../src/verify/same-bytes.ts'
import { testFolder } from '../helpers/cli.ts'

const COLUMNS = ['ID', 'TEXT']
const format = new OutputFormat({ columns: COLUMNS, options: [{ name: 'toCsv', value: '{"header": true}' }] })
const textOf = (rows: readonly Values[]) => format.headerLine + format.lines(rows)

interface Given {
  readonly out: string | Buffer
  readonly against?: string | Buffer
  readonly whole?: boolean
  /** How many rows come at once. Default: 3. */
  readonly runRows?: number
}

/** What the comparison of these files with these rows finds. */
async function compare(folder: string, rows: readonly Values[], { out, against, whole = true, runRows = 3 }: Given) {
  const open = async (name: string, bytes: string | Buffer) => {
    const path = join(folder, name)
    rmSync(path, { force: true }) // several times as fast as a file that is cut to nothing and written again
    writeFileSync(path, bytes)
    return await ComparedFile.open(path, '')
  }
  const file = await open('out', out)
  const other = against === undefined ? null : await open('against', against)
  try {
    const bytes = new SameBytes(file, other)
    bytes.begin(format)
    for (let seq = 0; seq < rows.length; seq += runRows) {
      await bytes.add({ seq, columns: COLUMNS, rows: rows.slice(seq, seq + runRows).map(row => [row]) })
    }
    return await bytes.finish(whole)
  } finally {
    await Promise.all([file.close(), other?.close()])
  }
}

const rowsTo = (count: number): Values[] => Array.from({ length: count }, (_, seq) => [String(seq), `row ${seq}`])

/** The message of the only difference, without the folder, and its facts. */
async function difference(t: TestContext, rows: readonly Values[], given: Given) {
  const folder = testFolder(t)
  const { differences } = await compare(folder, rows, given)
  assert.equal(differences.length, 1, differences.join('\n'))
  const [{ code, message, facts }] = differences as [(typeof differences)[0]]
  assert.equal(code, 'FILES_DIFFER')
  return { message: message.replaceAll(`${folder}/`, ''), facts }
}

test('the same bytes are the same, and both digests too', async t => {
  const rows = rowsTo(50)
  const { differences, digests } = await compare(testFolder(t), rows, { out: textOf(rows), against: textOf(rows) })
  assert.deepEqual(differences, [])
  assert.equal(digests.expected, digests.out)
  assert.equal(digests.against, digests.out)
})

test('a byte changed, removed or added anywhere is named by row, line and offset', async t => {
  const folder = testFolder(t)
  const cell = fc.constantFrom('', 'a', 'two\nlines', '\n\n', 'say "no"', ',', 'naïve', '€\r\n', 'x'.repeat(200))
  const cases = fc
    .array(fc.tuple(cell, cell), { minLength: 1, maxLength: 12 })
    .chain(rows => fc.tuple(fc.constant(rows), fc.nat(Buffer.byteLength(textOf(rows)) - 1), fc.boolean(), fc.boolean()))
  await fc.assert(
    fc.asyncProperty(cases, async ([rows, offset, cut, asSecond]) => {
      const right = Buffer.from(textOf(rows))
      const wrong = Buffer.from(right)
      wrong[offset]! ^= 1
      const bytes = cut ? right.subarray(0, offset) : wrong
      const given = asSecond ? { out: right, against: bytes } : { out: bytes }
      const { differences } = await compare(folder, rows, given)
      assert.equal(differences.length, 1)
      const before = right.toString('latin1', 0, offset)
      const ends = [format.headerLine, ...rows.map(row => format.lines([row]))]
        .map(line => Buffer.byteLength(line))
        .map((_, i, all) => all.slice(0, i + 1).reduce((sum, length) => sum + length))
      const row = ends.findIndex(end => offset < end) - 1
      const { facts, message } = differences[0]!
      assert.deepEqual([facts['offset'], facts['line']], [offset, before.split('\n').length])
      assert.equal(facts['row'], row < 0 ? null : row)
      assert.match(message, row < 0 ? /in the header \(/ : new RegExp(`in row ${row} \\(`))
    }),
    { numRuns: 300 },
  )
})

test('expected and found are shown around the difference, quoted, shortened, in whole characters', async t => {
  const long = `${'€'.repeat(100)}!${'ö'.repeat(100)}`
  const rows = [...rowsTo(2), ['2', long]]
  const short = await difference(t, rows, { out: textOf(rows).replace('row 1', 'row\u00a01') })
  assert.equal(
    short.message,
    'out differs from the results in the topics, first in row 1 (line 3, byte offset 21): expected "1,row 1\\n", found "1,row\\u00a01\\n"',
  )
  const { message } = await difference(t, rows, { out: textOf(rows).replace('!', '?') })
  assert.match(message, /expected \.\.\."€{13}!ö{29}"\.\.\., found \.\.\."€{13}\?ö{29}"\.\.\.$/)
})

test('a missing row, two swapped rows, and bytes after the last row are told apart', async t => {
  const rows = rowsTo(5)
  const lines = textOf(rows).split(/(?<=\n)/)
  const swapped = await difference(t, rows, {
    out: [...lines.slice(0, 2), lines[3], lines[2], ...lines.slice(4)].join(''),
  })
  assert.match(swapped.message, /in row 1 \(line 3, .*expected "1,row 1\\n", found "2,row 2\\n"$/)
  const short = await difference(t, rows, { out: lines.slice(0, -1).join('') })
  assert.match(short.message, /in row 4 \(line 6, byte offset 40\): expected "4,row 4\\n", found the end of the file$/)
  const longer = await difference(t, rows, { out: `${textOf(rows)}\n` })
  assert.match(longer.message, /must end after the last row \(line 7, byte offset 48\), but it continues: found "\\n"$/)
  const second = await difference(t, rows, { out: textOf(rows), against: `${textOf(rows)}5,row 5\n` })
  assert.match(
    second.message,
    /^out and against differ first after the last row .*: the end of the file and "5,row 5\\n"$/,
  )
})

test('a difference after many chunks is found, and the digests cover the whole files', async t => {
  const rows: Values[] = Array.from({ length: 60_000 }, (_, seq) => [String(seq), `cell ${seq}, "quoted"`])
  rows[300] = ['300', 'a row longer than a chunk '.repeat(20_000)]
  const right = textOf(rows)
  const runRows = 70
  const against = right.replace('cell 54321,', 'cell 54321;')
  const { facts } = await difference(t, rows, { out: right, against, runRows })
  assert.deepEqual([facts['row'], facts['line']], [54_321, 54_323])
  const { digests } = await compare(testFolder(t), rows, { out: `${right}more`, runRows })
  assert.notEqual(digests.expected, digests.out)
  assert.equal((await compare(testFolder(t), rows, { out: right, runRows })).digests.out, digests.expected)
})

test('rejected rows take no bytes and keep their number', async t => {
  const rows = rowsTo(4)
  const file = await ComparedFile.open(join(writeOut(t, textOf([rows[0]!, rows[3]!]).replace('row 3', 'row X'))), '')
  t.after(() => file.close())
  const bytes = new SameBytes(file, null)
  bytes.begin(format)
  await bytes.add({ seq: 0, columns: COLUMNS, rows: [[rows[0]!], null, null, [rows[3]!]] })
  const { differences } = await bytes.finish(true)
  assert.equal(differences[0]!.facts['row'], 3)
})

test('a row with several output rows, and one with none, keep their numbers', async t => {
  const rows = rowsTo(4)
  const file = await ComparedFile.open(join(writeOut(t, textOf(rows).replace('row 2', 'row X'))), '')
  t.after(() => file.close())
  const bytes = new SameBytes(file, null)
  bytes.begin(format)
  await bytes.add({ seq: 5, columns: COLUMNS, rows: [[rows[0]!], [], [rows[1]!, rows[2]!], [rows[3]!]] })
  const { differences } = await bytes.finish(true)
  assert.equal(differences.length, 1)
  assert.equal(differences[0]!.facts['row'], 7)
})

test('with unknown rows, the rest of OUT is not judged, but the two files are still compared', async t => {
  const rows = rowsTo(3)
  const given = { out: `${textOf(rows)}3,row 3\n`, against: `${textOf(rows)}3,row X\n`, whole: false }
  const { message, facts } = await difference(t, rows, given)
  assert.match(message, /out and against differ first in a row that is not in the topics \(line 5, /)
  assert.equal(facts['row'], null)
  const { digests } = await compare(testFolder(t), rows, given)
  assert.equal(digests.expected, null)
})

test('a missing file, or one that is not a regular file, is refused by name', async t => {
  const folder = testFolder(t)
  await assert.rejects(ComparedFile.open(join(folder, 'none'), 'Look again.'), {
    code: 'INPUT_NOT_FOUND',
    message: `${folder}/none does not exist. Look again.`,
  })
  await assert.rejects(ComparedFile.open(folder, ''), { code: 'INPUT_UNREADABLE' })
})

function writeOut(t: TestContext, bytes: string): string {
  const path = join(testFolder(t), 'out')
  writeFileSync(path, bytes)
  return path
}
