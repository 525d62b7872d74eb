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
import type { SourceHeader } from '../../src/connector.ts'
import { RowmillError } from '../../src/errors.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-splits-'))
})
after(() => folder && rm(folder, { recursive: true }))

interface Found {
  header: SourceHeader | null
  readonly records: { row: readonly string[]; line: number }[]
  error: Pick<RowmillError, 'code' | 'message' | 'facts'> | null
}

/** What the source reports about an input until its end or its error. */
async function read(options: Partial<CsvSourceOptions>): Promise<Found> {
  const found: Found = { header: null, records: [], error: null }
  const csv = new CsvSource({ path: '-', readCsv: {}, delimiter: null, indexKind: null, ...options })
  try {
    found.header = await csv.open()
    for await (const { rows, lines } of csv.rows()) {
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
