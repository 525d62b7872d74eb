import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, mkdtemp, readFile, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { CsvSource, type CsvSourceOptions } from '../../connectors/csv-source.ts'
import { PIECE_BYTES } from '../../connectors/file/checked-file.ts'
import type { SourceHeader, SourceRows } from '../../src/connector.ts'
import { RowmillError } from '../../src/errors.ts'
import { checkReadCsv, READ_CSV_ARGUMENTS } from '../../src/pandas/read-csv.ts'
import { PandasOracle } from './pandas-oracle.ts'

let oracle: PandasOracle
let folder: string
before(async () => {
  oracle = new PandasOracle()
  folder = await mkdtemp(join(tmpdir(), 'rowmill-csv-'))
})
after(async () => {
  await oracle.close()
  await rm(folder, { recursive: true })
})

type Given = Readonly<Record<string, unknown>>

interface Read extends SourceRows {
  readonly header: SourceHeader
}

function source(path: string, more: Partial<CsvSourceOptions> = {}): CsvSource {
  return new CsvSource({ path, readCsv: {}, delimiter: null, indexKind: null, ...more })
}

async function put(content: string | Uint8Array, name = 'in.csv'): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

async function drain(csv: CsvSource): Promise<SourceRows> {
  const all: { rows: SourceRows['rows'][number][]; lines: number[] } = { rows: [], lines: [] }
  for await (const { rows, lines } of csv.rows()) {
    assert.ok(rows.length > 0 && rows.length === lines?.length)
    all.rows.push(...rows)
    all.lines.push(...lines)
  }
  return all
}

async function read(path: string, more: Partial<CsvSourceOptions> = {}): Promise<Read> {
  const csv = source(path, more)
  try {
    const header = await csv.open()
    return { header, ...(await drain(csv)) }
  } finally {
    await csv.close()
  }
}

async function refusal(action: Promise<unknown>): Promise<RowmillError> {
  const error = await action.then(
    () => null,
    thrown => thrown,
  )
  assert.ok(error instanceof RowmillError, String(error))
  return error
}

/**
 * The source and the host together give the frame of the serial job at every batch size, or both refuse. If the source
 * alone refuses, its error must be INPUT_FIELDS, and this returns 'refused'.
 */
async function agree(content: string | Uint8Array, readCsv: Given = {}): Promise<'same' | 'both refuse' | 'refused'> {
  const path = await put(content)
  const data = Buffer.from(content as string).toString('base64')
  const serial = await oracle.ask<Given>('serial', { data, readCsv })
  const found = await read(path, { readCsv }).catch((error: unknown) => error)
  if (found instanceof RowmillError) {
    if (serial.error !== undefined) return 'both refuse'
    assert.ok(found.code === 'INPUT_FIELDS' || found.code === 'USAGE', found.message)
    return 'refused'
  }
  if (found instanceof Error) throw found
  const { header, rows } = found as Read
  assert.equal(serial.error, undefined, `pandas refuses: ${serial.error}`)
  assert.equal(header.total, rows.length)
  if (rows.length === 0) {
    assert.deepEqual(serial.answer?.text, [])
    return 'same'
  }
  const batched = await oracle.ask<Given[]>('batched', {
    columns: header.columns,
    indexKind: header.indexKind,
    handedOn: JSON.parse(header.options[0]!.value),
    rows,
    sizes: [1, 2, 3, 100],
  })
  assert.equal(batched.error, undefined, batched.error)
  for (const batches of batched.answer ?? []) assert.deepEqual(batches, serial.answer)
  return 'same'
}

type Case = readonly [string, string | Uint8Array, ('same' | 'both refuse' | 'refused')?, Given?]

const FILES: readonly Case[] = [
  ['quoted line ends', 'ID,A\n1,"x\ny"\n2,"x\r\ny"\n3,"\r"\n'],
  ['doubled quotes', 'ID,A\n1,"say ""hi"""\n2,""""\n'],
  ['quotes inside a plain cell', 'ID,A\n1,x"y"\n2,x""\n'],
  ['CRLF', 'ID,A\r\n1,x\r\n2,y\r\n'],
  ['lone CR', 'ID,A\r1,x\r2,y\r'],
  ['mixed line ends', 'ID,A\r1,x\n2,y\r\n3,z\n\r4,w\r\r\n'],
  ['no final newline', 'ID,A\n1,x\n2,y'],
  ['a final CR', 'ID,A\n1,x\r'],
  ['blank lines', '\n\n \nID,A\n\n1,x\n\t\n""\n" "\n2,y\n\n'],
  ['white space only for Python', 'ID,A\n\x1c\n\x85\n\u2003\n1,x\n'],
  ['a mark is not white space', 'ID,A\n\ufeff\n'],
  ['rows of empty cells', 'ID,A,B\n,,\n1,,\n'],
  ['short rows', 'ID,A,B\n1\n2,x\n3,x,y\n'],
  ['a long first row', 'A,B\n1,x,y\n2,z,w\n'],
  ['a long first row, then short ones', 'A,B\n1,x,y\n2,z\nabc\n4,,\n'],
  ['a long first row under empty and repeated names', 'A,,A,\n1,x,y,z,w\n2,z,w,v,u\n'],
  ['a long first row under the names pandas invents', ',Unnamed: 0,Unnamed: 1\n1,x,y,z\n2,a,b,c\n'],
  ['a first row two cells too long', 'A,B\n1,x,y,z\n', 'both refuse'],
  ['a later long row', 'ID,A\n1,x\n2,y,z\n', 'both refuse'],
  ['a row longer than a long first row', 'A,B\n1,x,y\n2,z,w,v\n', 'both refuse'],
  ['names of the index on a row of their own', 'A,B\nID\n1,x,y\n', 'refused'],
  ['names of two indexes on a row of their own', 'A,B\nI,J\n1,2,x,y\n', 'refused'],
  ['header only', 'ID,A\n'],
  ['header only, no newline', 'ID,A'],
  ['an empty file', '', 'both refuse'],
  ['only blank lines', '\n \r\n\t\n', 'both refuse'],
  ['repeated names', 'ID,A,A,A.1,\n1,x,y,z,w\n2,a,b,c,d\n'],
  ['empty names', ',A,\n1,x,y\n2,z,w\n'],
  ['a repeated index name', 'ID,ID,A\n1,x,y\n2,z,w\n'],
  ['__proto__', '__proto__,constructor,__proto__\n1,x,y\n2,z,w\n'],
  ['NUL', 'ID,A\n1,x\0y\n2,\0\n'],
  ['one column', 'ID\n1\n2\n\nNA\n'],
  ['a byte order mark', '\ufeffID,A\n1,x\n'],
  ['a mark before a quoted name', '\ufeff"ID",A\n1,x\n'],
  ['a mark before a quoted name with quotes', '\ufeff"I""D"x,A\n1,x\n'],
  ['a mark before a quoted separator', '\ufeff"I,D",A\n1,x\n', 'both refuse'],
  ['a mark inside quotes', '"\ufeffID",A\n1,x\n'],
  ['two marks', '\ufeff\ufeffID,A\n1,x\n'],
  ['a mark alone', '\ufeff\n1\n'],
  ['a mark in the second line', '\n\ufeffID,A\n1,x\n'],
  ['an unterminated quote', 'ID,A\n1,"x\n', 'both refuse'],
  ['text after a quote', 'ID,A\n1,"x"y\n', 'both refuse'],
  ['bad UTF-8', Buffer.from('ID,A\n1,\xe9\n', 'latin1'), 'both refuse'],
  ['ids that are text only in the last row', 'ID,A\n007,x\n008,y\n010,z\nabc,w\n'],
  ['ids with leading zeros', 'ID,A\n007,x\n008,y\n010,z\n'],
  ['an empty id', 'ID,A\n1,x\n,y\n3,z\n'],
  ['words for missing values', 'ID,A\nNA,null\nx,NaN\nnull,None\n'],
  ['booleans with a missing one', 'ID,A\nTrue,x\n,y\n', 'refused'],
  ['characters outside the BMP', 'ID,Ä😀\n1,é😀"x"\n2,ß\n'],
  ['an escape character', 'ID,A\n1,x\\,y\n2,"a\\"b"\n', 'same', { escapechar: '\\' }],
  ['a semicolon', 'ID;A\n1;x,y\n', 'same', { sep: ';' }],
  ['a tab as delimiter', 'ID\tA\n1\tx,y\n', 'same', { delimiter: '\t' }],
  ['a wide separator', 'IDéA\n1éx,y\n', 'same', { sep: 'é' }],
  ['spaces after separators', 'ID, A\n1, "x, y"\n2,   z\n', 'same', { skipinitialspace: true }],
  ['no quoting', 'ID,A\n1,"x\n2,y"\n', 'same', { quoting: 3 }],
  ['single quotes', "ID,A\n1,'x,y'\n2,'it''s'\n", 'same', { quotechar: "'" }],
  ['quotes that do not double', 'ID,A\n1,"x""y"\n', 'same', { doublequote: false }],
  ['lines to skip', 'junk "\n\ufeffmore\rID,A\n1,x\n', 'same', { skiprows: 2 }],
  ['a list of lines to skip', 'junk\nmore\nID,A\n1,x\n', 'same', { skiprows: [1, 0] }],
  ['bad UTF-8 in a skipped line', Buffer.from('\xe9\nID,A\n1,x\n', 'latin1'), 'both refuse', { skiprows: 1 }],
  ['all lines skipped', 'ID,A\n1,x', 'both refuse', { skiprows: 5 }],
  ['utf-8-sig', '\ufeff"I,D",A\n1,x\n', 'same', { encoding: 'utf-8-sig' }],
  ['latin-1', Buffer.from('ID,A\n1,\xe9\x85\n', 'latin1'), 'same', { encoding: 'latin-1' }],
  ['cp1252', Buffer.from('ID,A\n1,\x80\x93\n', 'latin1'), 'same', { encoding: 'cp1252' }],
  ['bytes that cp1252 lacks', Buffer.from('ID,A\n1,\x81\n', 'latin1'), 'both refuse', { encoding: 'cp1252' }],
  ['UTF-16', Buffer.from('\ufeffID,A\r\n1,\u65e5\r\n', 'utf16le'), 'same', { encoding: 'utf-16' }],
  ['UTF-16 with two marks', Buffer.from('\ufeff\ufeffID,A\n1,x\n', 'utf16le'), 'same', { encoding: 'utf-16' }],
  [
    'half a character of UTF-16',
    Buffer.from('ID,A\n1,x\n', 'utf16le').subarray(1),
    'both refuse',
    { encoding: 'utf-16' },
  ],
  ['utf-8-sig and two marks', '\ufeff\ufeffID,A\n1,x\n', 'same', { encoding: 'utf-8-sig' }],
  ['names for a file without header', '1,x\n2,y,z\n', 'same', { names: ['ID', 'A', 'B'] }],
  ['names and nothing else', '', 'same', { names: ['ID', 'A'] }],
  ['names and a mark', '\ufeff"1",x\n2,y\n', 'same', { names: ['ID', 'A'], header: null }],
  ['names and a line with only a mark', '\ufeff\n1,x\n2,y\n', 'same', { names: ['ID', 'A'] }],
  ['names and a line of a mark and white space', '\ufeff \n\n1,x\n', 'same', { names: ['ID', 'A'] }],
  ['names, a mark and then a long row', '\ufeff\n1,1,1\n', 'both refuse', { names: ['ID', 'A'] }],
  ['names and a mark with empty quotes', '\ufeff""\n7,x\n', 'same', { names: ['ID', 'A'] }],
  ['names and a mark alone', '\ufeff', 'same', { names: ['ID', 'A'] }],
  ['names and two marks', '\ufeff\ufeff\n7,x\n', 'same', { names: ['ID', 'A'], encoding: 'utf-8-sig' }],
  ['a header of only a mark', '\ufeff\n1\n2\n', 'same', { index_col: null }],
  ['names, a long first row and a short second', '1,x,y\n2,y\n', 'same', { names: ['A', 'B'] }],
  ['names, a short first row and a long second', '1,x\n2,y,z\n', 'both refuse', { names: ['A', 'B'] }],
  ['names and a long first row', '1,x,y\n2,y,z\n', 'same', { names: ['A', 'B'] }],
  ['an index by name', 'A,ID\nx,1\ny\n', 'same', { index_col: 'ID' }],
  ['an index by number', 'A,B,ID\nx,y,1\ny,z,2\nw\n', 'same', { index_col: [2] }],
  ['a long first row and a named index', 'ID,A\n1,x,y\n', 'both refuse', { index_col: 'ID' }],
  ['numbered rows', 'A,B\nx,y\nz,w\nv,u\n', 'same', { index_col: null }],
  ['numbered rows, index_col=False', 'A,B\nx,y\nz,w\nv,u\n', 'same', { index_col: false }],
  ['numbered rows and a long first row', 'A,B\nx,y,z\n', 'refused', { index_col: null }],
  ['columns by name', 'A,ID,B,ID\nx,1,y,5\nz,2,w,6\nv\n', 'same', { usecols: ['B', 'ID', 'ID.1'] }],
  ['columns by number', 'A,ID,B\nx,1,y\nz,2,w\n', 'same', { usecols: [2, 1] }],
  ['columns by name, an index by name', 'A,B,ID\nx,y,1\nz,w,2\n', 'same', { usecols: ['ID', 'A'], index_col: 'ID' }],
  ['chosen columns and a long row', 'ID,A\n1,x\n2,y,z\n', 'refused', { usecols: ['ID'] }],
  ['a dtype for every column', 'ID,A,A\n1,x,\n2,y,z\n', 'same', { dtype: { A: 'object' } }],
  ['a dtype for the index too', 'ID,A\n1,x\n2,y\n', 'same', { dtype: { ID: 'str', A: 'str' } }],
  ['dtype object', 'ID,A\n1,x\n2,\n', 'same', { dtype: 'object' }],
  ['dtype string', 'ID,A\n1,x\n2,\n', 'same', { dtype: 'string' }],
  ['no default words', 'ID,A\n1,NA\n2,\n3\n', 'same', { keep_default_na: false }],
  ['no default words, an empty id', 'ID,A\n1,NA\n,\n', 'same', { keep_default_na: false }],
  ['own words', 'ID,A\n1,-\n-,x\n', 'same', { na_values: ['-'] }],
  ['own words by column', 'ID,A\n1,-\n-,x\n', 'same', { na_values: { A: ['-'] } }],
  ['no words at all', 'ID,A\n1,NA\n,\n3\n', 'same', { na_filter: false }],
  ['own booleans', 'ID,A\nyes,x\nno,y\n', 'same', { true_values: ['yes'], false_values: ['no'] }],
]

for (const [what, content, expected = 'same', readCsv = {}] of FILES) {
  test(`${what}: ${expected === 'same' ? 'the frame of the serial job at every batch size' : expected}`, async () => {
    assert.equal(await agree(content, readCsv), expected)
  })
}

test('random files give the frame of the serial job at every batch size, or both refuse', async () => {
  const cells = fc.constantFrom(
    '1',
    '2',
    '03',
    'a',
    'NA',
    '',
    ' ',
    '"x"',
    '"y""z"',
    '"\n"',
    'é',
    '\ufeff',
    'A',
    '"1"',
    '1.5',
  )
  const lines = fc.array(cells, { minLength: 1, maxLength: 4 }).map(parts => parts.join(','))
  const ends = fc.constantFrom('\n', '\r\n', '\r', '\n\n')
  const files = fc.array(fc.tuple(lines, ends), { maxLength: 5 }).map(parts => parts.flat().join(''))
  const options = fc.constantFrom<Given>(
    ...[{}, {}, { index_col: null }, { index_col: 1 }, { skiprows: 1 }, { names: ['ID', 'A'] }, { na_filter: false }],
    ...[{ encoding: 'utf-8-sig' }, { keep_default_na: false }, { quoting: 3 }, { dtype: 'object' }],
  )
  const outcomes = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(files, options, async (content, readCsv) => {
      const outcome = await agree(content, readCsv).catch(error => {
        if (error instanceof RowmillError && error.code === 'USAGE') return 'both refuse'
        throw error
      })
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }),
    { numRuns: 500 },
  )
  assert.ok((outcomes.get('same') ?? 0) > 100, JSON.stringify([...outcomes]))
})

const NASTY_FILE = 'ID,A\r\n1,"x\r\ny"\n\n2,é\r3,"😀"",\n"\r\n \n4\n5,z'

for (const packed of [false, true]) {
  test(`each row has the line in which it begins${packed ? ', zipped' : ''}`, async () => {
    const path = await put(packed ? gzipSync(NASTY_FILE) : NASTY_FILE, packed ? 'in.csv.gz' : 'in.csv')
    assert.deepEqual((await read(path)).lines, [2, 5, 6, 9, 10])
  })
}

test('scan and rows of a file without a header both omit its byte order mark', async () => {
  for (const encoding of ['utf-8', 'utf-8-sig']) {
    const path = await put('\ufeff7,x\n8,y\n')
    const { header, rows, lines } = await read(path, { readCsv: { names: ['ID', 'A'], encoding } })
    assert.equal(header.indexKind, 'range')
    assert.deepEqual(rows[0], ['7', 'x'])
    assert.deepEqual(lines, [1, 2])
  }
})

test('a file of many chunks keeps rows and lines', async () => {
  const rows = Array.from({ length: 30_000 }, (_, at) => [`${at}`, at % 100 === 0 ? `é"${at}\n` : `value ${at}`])
  const quoted = (cell: string): string => (/["\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
  const textOf = (some: readonly string[][]) => `ID,A\n${some.map(row => `${row.map(quoted).join(',')}\n`).join('')}`
  const found = await read(await put(textOf(rows)))
  assert.deepEqual(found.rows, rows)
  assert.equal(found.header.total, 30_000)
  assert.equal(found.header.indexKind, 'range')
  for (const at of [0, 99, 100, 101, 12_345, 29_999]) {
    assert.equal(found.lines?.[at], textOf(rows.slice(0, at)).split('\n').length)
  }
})

test('a gzip file of several members is one text', async () => {
  const members = Buffer.concat([gzipSync('ID,A\n1,'), gzipSync('x\n2,y\n'), Buffer.alloc(600)])
  assert.deepEqual((await read(await put(members, 'in.csv.gz'))).rows, [
    ['1', 'x'],
    ['2', 'y'],
  ])
})

test('standard input is read once, with a text index and no total', async () => {
  const pieces = ['ID,A\n', '1,', 'x\n2,"', 'y\n', '"\n'].map(piece => Buffer.from(piece))
  const found = await read('-', { stdin: Readable.from(pieces) })
  assert.deepEqual(found.rows, [
    ['1', 'x'],
    ['2', 'y\n'],
  ])
  assert.deepEqual(found.lines, [2, 3])
  const { columns, indexKind, identity, total } = found.header
  assert.deepEqual(
    { columns, indexKind, identity, total },
    { columns: ['ID', 'A'], indexKind: 'text', identity: null, total: null },
  )
})

test('standard input with --index-kind and a long first row is read', async () => {
  const found = await read('-', { stdin: Readable.from([Buffer.from('A\n1,x\n')]), indexKind: 'integer' })
  assert.deepEqual([found.header.columns, found.header.indexKind], [['', 'A'], 'integer'])
})

test('a text index for standard input is logged once, unless its kind is given or makes no difference', async () => {
  const said = async (options: Partial<CsvSourceOptions>) => {
    const messages: string[] = []
    const stdin = Readable.from([Buffer.from('ID,A\n1,x\n')])
    await read('-', { ...options, stdin, say: message => messages.push(message) })
    return messages
  }
  assert.match(
    (await said({})).join('\n'),
    /^standard input is read only once, so the index ID is taken as text[^\n]*$/,
  )
  for (const indexKind of ['text', 'integer']) assert.deepEqual(await said({ indexKind }), [])
  assert.deepEqual(await said({ readCsv: { index_col: false } }), [])
  assert.deepEqual(await said({ readCsv: { dtype: { ID: 'str', A: 'str' } } }), [])
})

test('standard input may be gzip if --read-csv says so', async () => {
  const stdin = Readable.from([gzipSync('ID,A\n1,x\n')])
  assert.deepEqual((await read('-', { stdin, readCsv: { compression: 'gzip' } })).rows, [['1', 'x']])
})

test('standard input yields rows before it ends', async () => {
  const stdin = new Readable({ read() {} })
  const csv = source('-', { stdin })
  stdin.push('ID,A\n1,x\n2,')
  await csv.open()
  const rows = csv.rows()
  assert.deepEqual((await rows.next()).value?.rows, [['1', 'x']])
  stdin.push('y\n3')
  assert.deepEqual((await rows.next()).value?.rows, [['2', 'y']])
  await csv.close()
  assert.ok(stdin.destroyed)
})

test('--index-kind overrides the column', async () => {
  const path = await put('ID,A\n1,x\n')
  assert.equal((await read(path, { indexKind: 'text' })).header.indexKind, 'text')
  assert.equal((await refusal(read(path, { indexKind: 'number' }))).code, 'USAGE')
})

test('the header names the file, its size and time', async () => {
  const path = await put('ID,A\n1,x\n')
  const { size, mtimeMs } = await stat(path)
  assert.deepEqual((await read(path)).header.identity, { name: 'in.csv', size, mtimeMs })
})

test('the header has the SHA-256 digest of the file, even without rows or zipped; stdin has none', async () => {
  const long = `ID,A\n${'1,x\n'.repeat(200_000)}`
  const zeros = Buffer.concat([gzipSync('ID,A\n1,x\n'), Buffer.alloc(600)])
  const files = [
    ['ID,A\n1,x\n', 'a.csv'],
    ['ID,A\n', 'b.csv'],
    ['ID', 'c.csv'],
    [`${'\n'.repeat(600_000)}ID,A\n\n`, 'd.csv'],
    [long, 'e.csv'],
    [gzipSync(long), 'f.csv.gz'],
    [zeros, 'g.csv.gz'],
    [long.slice(0, PIECE_BYTES), 'h.csv'],
  ] as const
  for (const [content, name] of files) {
    const { header } = await read(await put(content, name))
    const digest = createHash('sha256').update(content).digest('hex')
    assert.deepEqual(header.options[1], { name: 'sourceDigest', value: `sha256:${digest}` }, name)
  }
  const { header } = await read('-', { stdin: Readable.from([Buffer.from('ID,A\n1,x\n')]) })
  assert.equal(header.options.length, 1)
})

for (const name of ['in.csv', 'in.csv.gz']) {
  test(`bytes of ${name} that change after the scan are refused before any row, at the same size and time`, async () => {
    const rows = Array.from({ length: 400_000 }, (_, at) => `${at},${(at * 7919) % 100_003}\n`)
    const text = `ID,A\n${rows.join('')}`
    const content = name.endsWith('gz') ? gzipSync(text) : Buffer.from(text)
    const path = await put(content, name)
    assert.ok(content.length > 4 * PIECE_BYTES)
    const time = new Date('2026-01-02T03:04:05Z')
    await utimes(path, time, time)
    const csv = source(path)
    await csv.open()
    const at = 3 * PIECE_BYTES + 5
    content[at] = content[at]! ^ 1
    await writeFile(path, content)
    await utimes(path, time, time)
    const found: (readonly string[])[] = []
    const drained = (async () => {
      for await (const run of csv.rows()) found.push(...run.rows)
    })()
    const error = await refusal(drained)
    await csv.close()
    assert.equal(error.code, 'INPUT_CHANGED', error.message)
    assert.match(error.message, new RegExp(`other bytes between byte ${3 * PIECE_BYTES} and ${4 * PIECE_BYTES}`))
    assert.ok(found.length > 1000)
    assert.equal(found.map(row => `${row.join(',')}\n`).join(''), rows.slice(0, found.length).join(''))
  })
}

test('a file that is truncated or grows after the scan is refused, even at the end of a chunk', async () => {
  const content = Buffer.from(`ID,A\n${'1,x\n'.repeat(200_000)}`).subarray(0, 2 * PIECE_BYTES)
  for (const [change, why] of [
    [(path: string) => truncate(path, PIECE_BYTES), /524288 bytes before, 262144 now/],
    [(path: string) => appendFile(path, '1,y\n'), /524288 bytes before, 524292 now/],
  ] as const) {
    const path = await put(content)
    const csv = source(path)
    await csv.open()
    await change(path)
    const error = await refusal(drain(csv))
    await csv.close()
    assert.deepEqual([error.code, why.test(error.message)], ['INPUT_CHANGED', true], error.message)
  }
})

test('the host gets the arguments that act on cells, and none that the source has used', async () => {
  const path = await put('ID;A\n1;x\n')
  const { header } = await read(path, { readCsv: { sep: ';', na_values: ['-'], encoding: 'utf-8', dayfirst: true } })
  assert.deepEqual(JSON.parse(header.options.find(option => option.name === 'readCsv')!.value), {
    engine: 'python',
    index_col: 0,
    dtype: 'str',
    na_values: ['-'],
  })
})

test('an open file that changes is refused before its end', async () => {
  const path = await put('ID,A\n1,x\n')
  for (const change of [() => appendFile(path, '2,y\n'), () => utimes(path, 1, 1), () => writeFile(path, '"')]) {
    const csv = source(path)
    await csv.open()
    await change()
    assert.equal((await refusal(drain(csv))).code, 'INPUT_CHANGED')
    await csv.close()
    await put('ID,A\n1,x\n')
  }
})

test('close is safe twice, without open, and in the middle of rows', async () => {
  for (const name of ['in.csv', 'in.csv.gz']) {
    const text = `ID,A\n${'1,x\n'.repeat(200_000)}`
    const csv = source(await put(name.endsWith('gz') ? gzipSync(text) : text, name))
    await csv.open()
    const rows = csv.rows()
    await rows.next()
    await csv.close()
    await csv.close()
  }
  await source('x').close()
})

const BAD_INPUT: readonly (readonly [string, () => Promise<string>, string, RegExp])[] = [
  ['a missing file', async () => join(folder, 'none.csv'), 'INPUT_NOT_FOUND', /does not exist/],
  ['a file as folder', async () => join(await put(''), 'x'), 'INPUT_NOT_FOUND', /does not exist/],
  ['a folder', async () => folder, 'INPUT_NOT_FOUND', /is a folder/],
  ['a circle of links', circle, 'INPUT_UNREADABLE', /ELOOP/],
  ['an empty file', () => put(''), 'INPUT_EMPTY', /is empty/],
  ['an empty gzip file', () => put(gzipSync(''), 'e.csv.gz'), 'INPUT_EMPTY', /is empty/],
  ['not a gzip file', () => put('ID,A\n', 'a.csv.gz'), 'INPUT_UNREADABLE', /incorrect header/],
  [
    'a truncated gzip file',
    () => put(gzipSync('ID,A\n1,x\n').subarray(0, 25), 'b.csv.gz'),
    'INPUT_UNREADABLE',
    /unexpected end/,
  ],
  [
    'a gzip file with a tail',
    () => put(Buffer.concat([gzipSync('ID\n'), Buffer.from('\0\0x')]), 'c.csv.gz'),
    'INPUT_UNREADABLE',
    /follows/,
  ],
  ['a damaged gzip file', damaged, 'INPUT_UNREADABLE', /incorrect data check/],
  ['a long row', () => put('ID,A\n1,"\n"\n1,2,3\n'), 'INPUT_FIELDS', /line 4: expected 2 cells, found 3/],
  ['bad UTF-8', () => put(Buffer.from('ID\n\n\xff', 'latin1')), 'INPUT_ENCODING', /byte 4 .*line 3/],
  ['another compression', () => put('x', 'in.csv.xz'), 'USAGE', /xz files are not read/],
]

async function circle(): Promise<string> {
  const path = join(folder, 'circle')
  await symlink(path, path)
  return path
}

async function damaged(): Promise<string> {
  const data = gzipSync('ID,A\n1,x\n')
  data[data.length - 8]! ^= 1
  return put(data, 'd.csv.gz')
}

for (const [what, path, code, message] of BAD_INPUT) {
  test(`${what} is refused: ${code}`, async () => {
    const error = await refusal((async () => read(await path()))())
    assert.equal(error.code, code)
    assert.match(error.message, message)
  })
}

const BAD_ARGUMENTS: readonly Given[] = [
  ...[
    { nrows: 5 },
    { skipfooter: 1 },
    { chunksize: 100 },
    { iterator: true },
    { parse_dates: true },
    { parse_dates: ['A'] },
  ],
  ...[
    { dtype: null },
    { dtype: 'int64' },
    { dtype: { A: 'float' } },
    { dtype: ['str'] },
    { dtype: {} },
    { dtype: { ID: 'str' } },
  ],
  ...[
    { engine: 'c' },
    { engine: null },
    { sep: null },
    { sep: '\\s+' },
    { sep: '\n' },
    { sep: '"' },
    { sep: 5 },
    { sep: '' },
  ],
  ...[{ sep: ';', delimiter: ';' }, { quoting: 2 }, { quotechar: '""' }, { escapechar: ',' }, { comment: '#' }],
  ...[
    { header: null },
    { header: 1 },
    { header: [0, 1] },
    { header: 0, names: ['a'] },
    { names: ['a', 'a'] },
    { names: [''] },
  ],
  ...[
    { skiprows: [1] },
    { skiprows: -1 },
    { index_col: [0, 1] },
    { index_col: true },
    { index_col: -1 },
    { index_col: 9 },
  ],
  ...[
    { index_col: 'x' },
    { usecols: [] },
    { usecols: ['x'] },
    { usecols: [0, 'A'] },
    { usecols: [7] },
    { encoding: 'gb18030' },
  ],
  ...[{ encoding_errors: 'replace' }, { compression: 'xz' }, { on_bad_lines: 'skip' }, { skip_blank_lines: false }],
  ...[{ converters: {} }, { thousands: '.' }, { decimal: ',' }, { memory_map: true }, { dtype_backend: 'pyarrow' }],
  ...[
    { low_memory: false },
    { float_precision: 'high' },
    { lineterminator: '\n' },
    { dialect: 'excel' },
    { storage_options: {} },
  ],
  ...[
    { na_values: ['1_0'] },
    { na_values: ['inf'] },
    { na_values: [null] },
    { true_values: ['1'] },
    { na_filter: 'no' },
  ],
  ...[{ na_filter: false, na_values: { A: ['x'] } }, { usecols: [0], names: ['a'] }, { nosuch: 1 }, { __proto__x: 1 }],
  ...[{ skipinitialspace: true, sep: ' ' }, { cache: 1 }, { filepath_or_buffer: 'x' }],
]

for (const readCsv of BAD_ARGUMENTS) {
  test(`--read-csv ${JSON.stringify(readCsv)} is refused with argument, value and reason`, async () => {
    const path = await put('ID,A\n1,x\n')
    const error = await refusal((async () => read(path, { readCsv }))())
    assert.equal(error.code, 'USAGE')
    const named = Object.keys(readCsv).some(name => error.message.includes(`--read-csv: ${name}=`))
    assert.ok(named || error.message.includes('dtype of A'), error.message)
  })
}

test('--delimiter is the separator, and only one of its names may be given', async () => {
  assert.deepEqual((await read(await put('ID;A\n1;x\n'), { delimiter: ';' })).rows, [['1', 'x']])
  assert.throws(() => checkReadCsv({ sep: ';' }, ';'), /only one of/)
})

test('the defaults of pandas are accepted for every argument', () => {
  const defaults = {
    ...{
      nrows: null,
      skipfooter: 0,
      chunksize: null,
      iterator: false,
      parse_dates: false,
      converters: null,
      comment: null,
    },
    ...{
      skip_blank_lines: true,
      on_bad_lines: 'error',
      encoding_errors: 'strict',
      lineterminator: null,
      low_memory: true,
    },
    ...{
      float_precision: null,
      dialect: null,
      thousands: null,
      decimal: '.',
      memory_map: false,
      storage_options: null,
    },
    ...{
      usecols: null,
      true_values: null,
      false_values: null,
      na_values: null,
      names: null,
      header: 'infer',
      delimiter: null,
    },
    ...{
      skiprows: null,
      compression: 'infer',
      encoding: null,
      escapechar: null,
      quoting: 0,
      quotechar: '"',
      date_format: null,
    },
  }
  assert.equal(checkReadCsv(defaults, null).dialect.separator, ',')
})

test('every argument of read_csv is known and listed in both tables of docs/csv.md', async () => {
  const { answer } = await oracle.ask<string[]>('arguments')
  const known = [...answer!].sort()
  assert.deepEqual([...READ_CSV_ARGUMENTS].sort(), known)
  const page = await readFile('docs/csv.md', 'utf8')
  assert.deepEqual(listed(page, '## read_csv'), known)
  const obeyed = new Set(listed(page, '## The call of your program'))
  assert.deepEqual(
    known.filter(name => !obeyed.has(name)),
    [],
  )
})

/** The names in the first column of the tables of a section, sorted. */
function listed(page: string, heading: string): string[] {
  const [section = ''] = page.slice(page.indexOf(heading) + heading.length).split(/^## /m)
  return [...section.matchAll(/^\|([^|]*)\|/gm)]
    .flatMap(row => [...row[1]!.matchAll(/`(\w+)`/g)].map(name => name[1]!))
    .sort()
}

test('a gzip file of many chunks is read in full, twice', async () => {
  const text = `ID,A\n${Array.from({ length: 60_000 }, (_, at) => `${at},${Math.sin(at)}\n`).join('')}`
  const found = await read(await put(gzipSync(text), 'long.csv.gz'))
  assert.equal(found.header.total, 60_000)
  assert.deepEqual(found.rows[59_999], ['59999', `${Math.sin(59_999)}`])
})

test('a gzip member after zeros is not silently lost', async () => {
  const content = Buffer.concat([gzipSync('ID\n1\n'), Buffer.alloc(5), gzipSync('2\n')])
  assert.equal((await refusal(read(await put(content, 'f.csv.gz')))).code, 'INPUT_UNREADABLE')
  const stdin = Readable.from([content])
  assert.equal((await refusal(read('-', { stdin, readCsv: { compression: 'gzip' } }))).code, 'INPUT_UNREADABLE')
})

test('a file larger than its read buffer is read', async () => {
  const line = `${'1,'.repeat(9)}${'x'.repeat(110)}\n`
  const path = await put(`${'c,'.repeat(9)}c\n`, 'large.csv')
  const megabyte = line.repeat(8000)
  for (let at = 0; at < 250; at++) await appendFile(path, megabyte)
  const reader = `
    import { CsvSource } from ${JSON.stringify(new URL('../../connectors/csv-source.ts', import.meta.url))}
    const csv = new CsvSource({ path: process.argv[1], readCsv: {}, delimiter: null, indexKind: null })
    const { total } = await csv.open()
    let rows = 0
    for await (const run of csv.rows()) rows += run.rows.length
    await csv.close()
    console.log(JSON.stringify({ total, rows, peak: process.resourceUsage().maxRSS * 1024 }))`
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module-typescript',
    '--eval',
    reader,
    path,
  ])
  await rm(path)
  const { total, rows, peak } = JSON.parse(stdout)
  assert.deepEqual([total, rows], [2_000_000, 2_000_000])
  assert.ok(peak < 300e6, `${Math.round(peak / 1e6)} MB for a file of 258`)
})

test('rows reads no further ahead than requested', async () => {
  let given = 0
  const pieces = function* (): Generator<Buffer> {
    yield Buffer.from('ID,A\n')
    for (; given < 100; given++) yield Buffer.from('1,x\n')
  }
  const csv = source('-', { stdin: Readable.from(pieces(), { highWaterMark: 1 }) })
  await csv.open()
  const rows = csv.rows()
  await rows.next()
  await rows.next()
  assert.ok(given < 10, `${given} chunks read for two runs`)
  await csv.close()
})
