/** Encodings and packed files that the CSV source reads without Python, compared with Python. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { toUtf8 } from '../../connectors/csv/text-decoding.ts'
import { CsvSource } from '../../connectors/csv-source.ts'
import type { RowmillError } from '../../src/errors.ts'
import { INPUT_ENCODINGS, textEncoding } from '../../src/pandas/encodings.ts'
import { testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'

/** The text of every byte alone, in hex of UTF-8, or null where Python refuses it. */
const TABLES = `
import json, sys

def text(name, byte):
    try:
        return bytes([byte]).decode(name).encode().hex()
    except UnicodeDecodeError:
        return None

print(json.dumps({name: [text(name, byte) for byte in range(256)] for name in sys.argv[1:]}))`

async function utf8(bytes: Uint8Array, name: string, cut = bytes.length): Promise<string | null> {
  const pieces: Buffer[] = []
  try {
    for await (const piece of toUtf8(inPieces(bytes, cut), textEncoding(name)!.encoding!, 'in.csv')) {
      pieces.push(Buffer.from(piece))
    }
  } catch (error) {
    assert.equal((error as RowmillError).code, 'INPUT_ENCODING')
    return null
  }
  return Buffer.concat(pieces).toString('hex')
}

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

test('every byte of every encoding has the text that Python gives it, or none', async () => {
  const names = INPUT_ENCODINGS.filter(name => !name.startsWith('utf'))
  assert.ok(names.length > 25)
  const tables = JSON.parse(execFileSync(python, ['-c', TABLES, ...names], { encoding: 'utf8' }))
  for (const name of names) {
    for (let byte = 0; byte < 256; byte++)
      assert.equal(await utf8(Uint8Array.of(byte), name), tables[name][byte], `${name}, byte ${byte}`)
  }
})

test('UTF-16 is read in both byte orders, however the bytes are cut, and halves of characters are refused', async () => {
  const text = 'a,é,日本,😀\r\n'
  const little = Buffer.from(text, 'utf16le')
  const big = Buffer.from(little).swap16()
  const hex = (text: string) => Buffer.from(text).toString('hex')
  for (const cut of [1, 2, 3, 7, 100]) {
    assert.equal(await utf8(little, 'utf-16', cut), hex(text))
    assert.equal(await utf8(Buffer.from(`\ufeff${text}`, 'utf16le'), 'utf_16', cut), hex(text))
    assert.equal(await utf8(Buffer.from(`\ufeff${text}`, 'utf16le').swap16(), 'UTF-16', cut), hex(text))
    assert.equal(await utf8(Buffer.from(`\ufeff${text}`, 'utf16le'), 'utf-16-le', cut), hex(`\ufeff${text}`))
    assert.equal(await utf8(big, 'utf-16-be', cut), hex(text))
    assert.equal(await utf8(little.subarray(0, -1), 'utf-16', cut), null)
    assert.equal(await utf8(Buffer.from('a\ud800b', 'utf16le'), 'utf-16', cut), null)
  }
})

async function rowsOf(t: TestContext, name: string, content: Uint8Array, readCsv: Record<string, unknown> = {}) {
  const path = join(testFolder(t), name)
  writeFileSync(path, content)
  const source = new CsvSource({ path, readCsv, delimiter: null, indexKind: null })
  try {
    const { total } = await source.open()
    const rows: (readonly string[])[] = []
    for await (const piece of source.rows()) rows.push(...piece.rows)
    assert.equal(rows.length, total)
    return rows
  } finally {
    await source.close()
  }
}

/** Packed by Python. `two` packs the text in two parts: two streams, or two files of an archive. */
function packed(method: 'bz2' | 'zip', text: string, two = false): Buffer {
  const script = `
import bz2, io, sys, zipfile
text = sys.stdin.buffer.read()
parts = [text[: len(text) // 2], text[len(text) // 2 :]] if ${two ? 'True' : 'False'} else [text]
out = io.BytesIO()
if '${method}' == 'bz2':
    out.write(b''.join(map(bz2.compress, parts)))
else:
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        for at, part in enumerate(parts):
            archive.writestr(f'{at}.csv', part)
sys.stdout.buffer.write(out.getvalue())`
  return execFileSync(python, ['-c', script], { input: text, maxBuffer: 1 << 26 })
}

const MANY = `ID,A\n${Array.from({ length: 60_000 }, (_, at) => `${at},${Math.sin(at)}\n`).join('')}`
const PACKED: readonly [name: string, pack: (text: string) => Buffer][] = [
  ['in.csv.bz2', text => packed('bz2', text)],
  ['in.csv.bz2', text => packed('bz2', text, true)],
  ['in.csv.zip', text => packed('zip', text)],
  ['IN.CSV.ZST', text => zstdCompressSync(text)],
]

for (const [name, pack] of PACKED) {
  test(`${name} is unpacked, twice, and a damaged or shortened one is refused`, async t => {
    const content = pack(MANY)
    const rows = await rowsOf(t, name, content)
    assert.equal(rows.length, 60_000)
    assert.deepEqual(rows[59_999], ['59999', `${Math.sin(59_999)}`])
    const damaged = Buffer.from(content)
    damaged[content.length >> 1]! ^= 1
    for (const bad of [damaged, content.subarray(0, content.length - 30), Buffer.from('ID,A\n1,x\n')]) {
      await assert.rejects(rowsOf(t, name, bad), {
        code: 'INPUT_UNREADABLE',
        message: /cannot be read: .*Check the file/,
      })
    }
  })
}

test('what follows the first frame of a .zst file is not silently lost', async t => {
  const content = Buffer.concat([zstdCompressSync('ID,A\n1,x\n'), zstdCompressSync('2,y\n')])
  const refused = { code: 'INPUT_UNREADABLE', message: /data follows its first frame/ }
  await assert.rejects(rowsOf(t, 'in.csv.zst', content), refused)
})

test('an archive must hold one file, as for pandas', async t => {
  const several = { code: 'INPUT_UNREADABLE', message: /it holds 2 files, and pandas reads one/ }
  await assert.rejects(rowsOf(t, 'in.zip', packed('zip', 'ID,A\n1,x\n', true)), several)
  const empty = Buffer.from(`504b0506${'0'.repeat(36)}`, 'hex')
  await assert.rejects(rowsOf(t, 'in.zip', empty), { code: 'INPUT_UNREADABLE', message: /it holds 0 files/ })
})

test('a file may be packed and encoded', async t => {
  const content = gzipSync(Buffer.from('ID;A\r\n1;é\r\n2;ß\r\n', 'latin1'))
  const rows = await rowsOf(t, 'in.csv.gz', content, { encoding: 'latin-1', sep: ';' })
  assert.deepEqual(rows, [
    ['1', 'é'],
    ['2', 'ß'],
  ])
})

test('bytes that are not in the encoding are named with their place', async t => {
  const bad = Buffer.concat([Buffer.from(`ID,A\n${'1,x\n'.repeat(1000)}`), Buffer.of(0x81), Buffer.from('\n')])
  await assert.rejects(rowsOf(t, 'in.csv', bad, { encoding: 'cp1252' }), {
    code: 'INPUT_ENCODING',
    message: /in\.csv: bytes 3072 to 4006 \(from 0\), at about line 768, are not all windows-1252\. Name the encoding/,
  })
})

test('other encodings and formats are refused by name before anything is read', () => {
  const source = (path: string, readCsv: Record<string, unknown>) => () =>
    new CsvSource({ path, readCsv, delimiter: null, indexKind: null })
  assert.throws(source('in.csv', { encoding: 'shift_jis' }), {
    code: 'USAGE',
    message: /only these are read: utf-8, .*cp1252.*--read/,
  })
  assert.throws(source('in.csv.xz', {}), {
    code: 'USAGE',
    message: /xz files are not read, only \.gz, \.bz2, \.zip and \.zst/,
  })
})
