import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { CsvSource, type CsvSourceOptions } from '../../connectors/csv-source.ts'
import { PIECE_BYTES } from '../../connectors/file/checked-file.ts'
import type { SourceHeader, SourceRows } from '../../src/connector.ts'
import { RowmillError } from '../../src/errors.ts'
import { packedNumber, unpackRows } from '../../src/wire/packed-rows.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-splits-'))
})
after(() => folder && rm(folder, { recursive: true }))

interface Found {
  header: SourceHeader | null
  /** The differences between pandas' engines that it met. */
  readonly said: string[]
  readonly records: { row: readonly string[]; line: number }[]
  error: Pick<RowmillError, 'code' | 'message' | 'facts'> | null
}

/** What the source reports about an input until its end or its error. */
async function read(
  options: Partial<CsvSourceOptions>,
  rowsOf: (csv: CsvSource) => AsyncIterable<SourceRows> = csv => csv.rows(),
): Promise<Found> {
  const found: Found = { header: null, said: [], records: [], error: null }
  const { said } = found
  const csv = new CsvSource({
    path: '-',
    readCsv: {},
    delimiter: null,
    indexKind: null,
    say: text => said.push(text),
    ...options,
  })
  try {
    found.header = await csv.open()
    for await (const { rows, lines } of rowsOf(csv)) {
      found.records.push(...rows.map((row, at) => ({ row, line: lines![at]! })))
    }
  } catch (error) {
    assert.ok(error instanceof RowmillError, String(error))
    const { code, facts } = error
    found.error = {
      code,
      facts,
      message: options.path ? error.message.replace(options.path, 'standard input') : error.message,
    }
  } finally {
    await csv.close()
  }
  return found
}

/** The same, where the rows come as bytes if they can. Also tells whether any did. */
async function readPacked(options: Partial<CsvSourceOptions>): Promise<Found & { packed: boolean }> {
  let packed = false
  const found = await read(options, async function* (csv) {
    for await (const piece of csv.packed()) {
      if (!('packed' in piece)) yield piece
      else {
        packed = true
        const { bytes, count } = piece.packed
        const array = Buffer.concat([packedNumber(count), bytes, Buffer.from([0])])
        yield { rows: unpackRows(array, 0), lines: piece.lines }
      }
    }
  })
  return { ...found, packed }
}

/** The same rows, or those that had come before the same error. */
function assertSame(found: Found, whole: Found): void {
  assert.deepEqual(found.error, whole.error)
  assert.deepEqual(found.header, whole.header)
  const length = found.error ? Math.min(found.records.length, whole.records.length) : whole.records.length
  assert.deepEqual(found.error ? found.records.slice(0, length) : found.records, whole.records.slice(0, length))
}

function split(data: Buffer, cuts: readonly number[] | 'every byte'): Buffer[] {
  const places = cuts === 'every byte' ? [...data.keys()] : cuts.map(cut => cut % (data.length + 1))
  const ends = [...places.sort((a, b) => a - b), data.length]
  return ends.map((end, at) => data.subarray(at === 0 ? 0 : ends[at - 1], end))
}

const CELLS = ['1', 'ab', 'é', '😀', '', ' ', '"x,y"', '"a""b"', '"\r\n"', '"é\n😀\r"', '\ufeff', '\\', '\u2028', '\0']
const ENDS = ['\n', '\r\n', '\r', '\n\n', '\r\r\n', '\n \n', '']
/** Faults for nearly any place: half a character, a surrogate, a byte that begins no character, an open quote. */
const WRONG = ['\xc3', '\xe2\x82', '\xf0\x9f\x98', '\xed\xa0\x80', '\xff', '"', 'x"y', '"x"y', ',,,,,,']

const line = fc
  .tuple(fc.array(fc.constantFrom(...CELLS), { minLength: 1, maxLength: 4 }), fc.constantFrom(...ENDS))
  .map(([cells, end]) => Buffer.from(cells.join(',') + end))
const wrong = fc.constantFrom(...WRONG).map(bytes => Buffer.from(bytes, 'latin1'))
const body = fc
  .array(fc.oneof({ arbitrary: line, weight: 12 }, { arbitrary: wrong, weight: 1 }), { maxLength: 12 })
  .map(parts => Buffer.concat(parts))
const HEADS = [
  'ID,A,B,C,D\n',
  '\ufeffID,A,B,C\r\n',
  '\ufeff"ID",A,B,C\r',
  '\ufeff"I,D",A,B,C\n',
  '\ufeff\n',
  '',
  'é"\r\n',
]
const content = fc
  .tuple(fc.constantFrom(...HEADS), body)
  .map(([head, rest]) => Buffer.concat([Buffer.from(head), rest]))
const arguments_ = fc.constantFrom<Record<string, unknown>>(
  ...[{}, {}, {}, { encoding: 'utf-8-sig' }, { skiprows: 2 }, { skiprows: 1, encoding: 'utf-8-sig' }, { quoting: 3 }],
  ...[{ names: ['ID', 'A', 'B', 'C'] }, { escapechar: '\\' }, { skipinitialspace: true }, { sep: 'é' }],
  ...[{ index_col: null }, { index_col: 'A' }, { doublequote: false }],
)
const anyCuts = fc.oneof(fc.constant('every byte' as const), fc.array(fc.nat(300), { maxLength: 12 }))

test('any split of the bytes gives the same header, rows, lines and error', async () => {
  await fc.assert(
    fc.asyncProperty(content, anyCuts, arguments_, async (data, cuts, readCsv) => {
      const whole = await read({ stdin: Readable.from([data]), readCsv })
      assertSame(await read({ stdin: Readable.from(split(data, cuts)), readCsv }), whole)
    }),
    { numRuns: 1000 },
  )
})

/** Lines that mostly need no text, and cells of all lengths that the packed form writes differently. */
const plainCell = fc.oneof(
  { arbitrary: fc.constantFrom('ab', '7', 'ö'), weight: 30 },
  fc.constant('"q"'),
  fc.constantFrom('', '1', '007', '-1.5', ' ', '\t', 'é', '😀', '\u2028', '\0', '\x85', 'abc', '\ufeff'),
  fc.constantFrom(62, 63, 64, 65, 8191, 8192, 8193, 131_072, 131_073).map(length => 'x'.repeat(length)),
  fc.constantFrom(31, 32, 4096).map(length => 'é'.repeat(length)),
)
const plainEnd = fc.oneof(
  { arbitrary: fc.constant('\n'), weight: 12 },
  fc.constantFrom('\n\n', '\r\n', '\n \n', '\n\u3000\n', ''),
)
/** A header, and rows that are rarely wider. */
const plainContent = fc
  .constantFrom(1, 4, 4, 4, 65)
  .chain(width =>
    fc.tuple(
      fc.constantFrom('', '', '', '\ufeff').map(mark => `${mark}ID${',A'.repeat(width - 1)}\n`),
      fc.array(
        fc
          .tuple(
            fc.array(plainCell, { minLength: 1, maxLength: Math.min(width, 5) }),
            fc.nat(width === 65 ? 62 : 0),
            plainEnd,
          )
          .map(([cells, more, end]) => `${cells.join(',')}${',w'.repeat(more)}${end}`),
        { maxLength: 12 },
      ),
      fc.oneof({ arbitrary: fc.constant(Buffer.alloc(0)), weight: 6 }, wrong),
    ),
  )
  .map(([head, lines, last]) => Buffer.concat([Buffer.from(head + lines.join('')), last]))

test('rows that come as bytes are the rows that come as text, with the same header, lines and error', async () => {
  let packed = 0
  await fc.assert(
    fc.asyncProperty(
      fc.oneof({ arbitrary: plainContent, weight: 3 }, content),
      anyCuts,
      arguments_,
      async (data, cuts, readCsv) => {
        const pieces = data.length > 1000 && cuts === 'every byte' ? [data] : split(data, cuts)
        const texts = await read({ stdin: Readable.from(pieces), readCsv })
        const { packed: some, ...found } = await readPacked({ stdin: Readable.from(pieces), readCsv })
        assert.deepEqual(found, texts)
        packed += Number(some)
      },
    ),
    { numRuns: 1500 },
  )
  assert.ok(packed > 250, `only ${packed} inputs had rows that came as bytes`)
})

test('rows of a file that come as bytes are the rows that come as text', async () => {
  const path = join(folder, 'packed.csv')
  let packed = 0
  await fc.assert(
    fc.asyncProperty(fc.oneof({ arbitrary: plainContent, weight: 3 }, content), arguments_, async (data, readCsv) => {
      await rm(path, { force: true })
      await writeFile(path, data)
      const file = await readPacked({ path, readCsv })
      assert.deepEqual({ ...file, packed: null }, { ...(await read({ path, readCsv })), packed: null })
      packed += Number(file.packed)
    }),
    { numRuns: 1500 },
  )
  assert.ok(packed > 250, `only ${packed} files had rows that came as bytes`)
})

test('the scan of a file without quotes finds what the scan of the same file with quotes finds', async () => {
  const path = join(folder, 'scanned.csv')
  const scan = async (data: Buffer, readCsv: Record<string, unknown>) => {
    await rm(path, { force: true })
    await writeFile(path, data)
    const { header, error } = await read({ path, readCsv })
    if (error) return { code: error.code }
    const { identity: _, longestBytes: __, options: ___, ...scanned } = header!
    return scanned
  }
  await fc.assert(
    fc.asyncProperty(
      plainContent,
      fc.constantFrom({}, { index_col: 1 }, { index_col: null }),
      async (data, readCsv) => {
        // A quoted cell in the last line makes text of the bytes.
        const end = data.length === 0 || data.at(-1) === 10 ? '' : '\n'
        const plain = await scan(Buffer.concat([data, Buffer.from(`${end}7\n`)]), readCsv)
        assert.deepEqual(await scan(Buffer.concat([data, Buffer.from(`${end}"7"\n`)]), readCsv), plain)
      },
    ),
    { numRuns: 500 },
  )
})

const TWICE_WRONG: readonly (readonly [string, string, string])[] = [
  ['a long row and text after a quote', 'ID,A\n1,x\n2,x,y\n3,"x"y\n', 'INPUT_FIELDS'],
  ['a long row and half a character', 'ID,A\n1,x\n2,x,y\n3,\xc3\n', 'INPUT_FIELDS'],
  ['text after a quote and half a character', 'ID,A\n1,x\n2,"x"y\n3,\xc3\n', 'INPUT_QUOTE'],
  ['half a character and an open quote', 'ID,A\n1,x\n2,\xc3\n3,"\n', 'INPUT_ENCODING'],
]

for (const [what, text, code] of TWICE_WRONG) {
  test(`${what}: the first fault is refused, even if all bytes come at once`, async () => {
    const data = Buffer.from(text, 'latin1')
    const path = join(folder, 'wrong.csv')
    await writeFile(path, data)
    const inputs = [[data], split(data, 'every byte')].map(pieces => ({ stdin: Readable.from(pieces) }))
    for (const input of [...inputs, { path }]) {
      const { error } = await read(input)
      assert.deepEqual([error?.code, error?.facts.line], [code, 3])
    }
  })
}

test('any split of gzipped bytes, in any number of members, gives the plain text', async () => {
  const gzipped = { compression: 'gzip' }
  await fc.assert(
    fc.asyncProperty(content, fc.array(fc.nat(300), { maxLength: 3 }), anyCuts, async (data, members, cuts) => {
      const packed = Buffer.concat(split(data, members).map(member => gzipSync(member)))
      const whole = await read({ stdin: Readable.from([data]) })
      assertSame(await read({ stdin: Readable.from(split(packed, cuts)), readCsv: gzipped }), whole)
    }),
    { numRuns: 80 },
  )
})

test('a truncated gzip stream is refused, however its bytes come', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(300), fc.nat(200), anyCuts, async (rows, lost, cuts) => {
      const packed = gzipSync(`ID,A\n${Array.from({ length: rows }, (_, at) => `${at},x\n`).join('')}`)
      const short = packed.subarray(0, Math.max(1, packed.length - 1 - lost))
      const found = await read({ stdin: Readable.from(split(short, cuts)), readCsv: { compression: 'gzip' } })
      assert.equal(found.error?.code, 'INPUT_UNREADABLE')
      assert.match(found.error.message, /unexpected end of file/)
    }),
    { numRuns: 30 },
  )
})

test('a named pipe gives the same rows whatever the size of each write', async () => {
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const feed = async (pieces: readonly Buffer[]): Promise<void> => {
    const pipe = await open(path, 'w')
    try {
      for (const piece of pieces) {
        await pipe.write(piece)
        await setImmediate()
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
    } finally {
      await pipe.close()
    }
  }
  await fc.assert(
    fc.asyncProperty(content, anyCuts, async (data, cuts) => {
      const whole = await read({ stdin: Readable.from([data]) })
      const [found] = await Promise.all([read({ path }), feed(split(data, cuts))])
      assertSame(found, whole)
    }),
    { numRuns: 40 },
  )
})

test('a file gives the same rows wherever a chunk ends', async () => {
  const path = join(folder, 'in.csv')
  const head = `ID,A,B,C,D\n${`1,${'x'.repeat(16_381)}\n`.repeat(PIECE_BYTES / 16_384 - 1)}`
  await fc.assert(
    fc.asyncProperty(body, fc.nat(300), async (data, cut) => {
      const padding = PIECE_BYTES - head.length - 1 - (cut % (data.length + 1))
      const bytes = Buffer.concat([Buffer.from(`${head}${'y'.repeat(padding)}\n`), data, Buffer.from('\n2,z\n')])
      await rm(path, { force: true }) // several times as fast as a file that is cut to nothing and written again
      await writeFile(path, bytes)
      const whole = await read({ stdin: Readable.from([bytes]) })
      const found = await read({ path })
      if (found.header !== null) {
        assert.equal(found.header.total, found.records.length)
        // Input that can be read only once has no digest, among others.
        const { identity, total, indexKind, options } = whole.header!
        const { longestBytes: _, ...header } = found.header
        found.header = { ...header, identity, total, indexKind, options }
      } else if (whole.header !== null) whole.header = null // open() reads a file once before it says anything
      assertSame(found, whole)
    }),
    { numRuns: 80 },
  )
})
