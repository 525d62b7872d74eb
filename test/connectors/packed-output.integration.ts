/** OUT named .gz, .zip and so on holds what to_csv of pandas writes to a file of that name. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { FileSink } from '../../connectors/file-sink.ts'
import { GrowingFileSink } from '../../connectors/growing-file-sink.ts'
import { RowmillError } from '../../src/errors.ts'
import type { Values } from '../../src/model.ts'
import { testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'

const SUMMARY = { job: 'j', rows: 0, rejects: 0, refused: 0 }

/** Writes a frame of these rows as the original job would. Returns the inner name and the text of both files. */
const AS_PANDAS = `
import bz2, gzip, json, lzma, sys, tarfile, zipfile
import pandas as pd
mine, theirs, compression, rows = json.load(sys.stdin)
if theirs:
    pd.DataFrame(rows, columns=['ID', 'A']).to_csv(theirs, header=False, index=False, compression=compression)
def inside(path):
    if zipfile.is_zipfile(path):
        archive = zipfile.ZipFile(path)
        return [[name, archive.read(name).decode()] for name in archive.namelist()]
    head = open(path, 'rb').read(3)
    if path.endswith('.tar') or '.tar.' in path:
        archive = tarfile.open(path)
        return [[name, archive.extractfile(name).read().decode()] for name in archive.getnames()]
    opened = {b'\\x1f\\x8b\\x08': gzip.open, b'BZh': bz2.open, b'\\xfd7z': lzma.open}.get(head, open)
    return [[None, opened(path, 'rb').read().decode()]]
print(json.dumps([inside(path) for path in (mine, theirs) if path]))`

function asPandas(
  mine: string,
  theirs: string | null,
  { compression = 'infer' as unknown, rows = [] as Values[] } = {},
) {
  const input = JSON.stringify([mine, theirs, compression, rows])
  const { status, stdout, stderr } = spawnSync(python, ['-c', AS_PANDAS], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 27,
  })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout) as [string | null, string][][]
}

const numbered = (count: number): Values[] =>
  Array.from({ length: count }, (_, i) => [`${i}`, `text é ${(i * 7919) % 10_007}`])
const textOf = (rows: readonly Values[]) => rows.map(row => `${row.join(',')}\n`).join('')

function sinkOf(path: string, compression: unknown): FileSink {
  return new FileSink({ path, force: false, python, toCsv: { compression } })
}

async function write(path: string, rows: readonly Values[], compression: unknown): Promise<void> {
  const sink = sinkOf(path, compression)
  try {
    await sink.open()
    await sink.begin({ columns: ['ID', 'A'], options: [] })
    await sink.write(rows)
    await sink.commit(SUMMARY)
  } finally {
    await sink.close()
  }
}

/** Two folders, so that both files may have the same name. */
function places(t: TestContext, name: string): [string, string] {
  const folder = testFolder(t)
  for (const side of ['mine', 'theirs']) mkdirSync(join(folder, side))
  return [join(folder, 'mine', name), join(folder, 'theirs', name)]
}

const gzip = (more: Record<string, unknown> = {}) => ({ method: 'gzip', mtime: 1_700_000_000, ...more })

for (const [name, compression, identical] of [
  ['out.csv.gz', 'infer', false],
  ['out.csv.gz', gzip(), true],
  ['OUT.GZ', gzip({ compresslevel: 1 }), true],
  ['out.csv', gzip(), true],
  ['café 1.csv.gz', { method: 'infer', mtime: 0 }, true],
  ['out.csv.bz2', 'infer', true],
  ['out.csv.bz2', { method: 'bz2', compresslevel: 1 }, true],
  ['out.csv.xz', 'infer', true],
  ['out.csv.xz', { method: 'xz', preset: 1 }, true],
  ['out.csv.zip', 'infer', false],
  ['out', { method: 'zip', archive_name: 'inner.csv', compresslevel: 9 }, false],
  ['out.csv.tar', 'infer', true],
  ['out.csv.tar.gz', 'infer', false],
  ['out.csv.tar.bz2', 'infer', true],
  ['out.tar.xz', { method: 'tar', archive_name: 'inner.csv' }, true],
  ['out.csv.gz', null, true],
] as const) {
  const how = identical ? 'the same bytes as pandas' : 'the content of the pandas file, byte for byte'
  test(`${name} with compression ${JSON.stringify(compression)}: ${how}, with many rows and with none`, async t => {
    for (const count of [30_000, 0]) {
      const [mine, theirs] = places(t, name)
      const rows = numbered(count)
      await write(mine, rows, compression)
      const [here, there] = asPandas(mine, theirs, { compression, rows })
      assert.deepEqual(here, there)
      assert.equal(here!.map(([, text]) => text).join(''), textOf(rows))
      assert.equal(readFileSync(mine).equals(readFileSync(theirs)) || !identical, true)
      assert.deepEqual(readdirSync(join(mine, '..')), [name])
    }
  })
}

test('a .zst file is one zstd frame of the text, at the requested level', async t => {
  const rows = numbered(60_000)
  const sizes: number[] = []
  for (const compression of ['infer', { method: 'zstd', level: 19 }]) {
    const [path] = places(t, 'out.csv.zst')
    await write(path, rows, compression)
    assert.equal(zstdDecompressSync(readFileSync(path)).toString(), textOf(rows))
    sizes.push(readFileSync(path).length)
  }
  assert.ok(sizes[1]! < sizes[0]!, String(sizes))
})

for (const name of ['out.csv.gz', 'out.csv.bz2']) {
  test(`an interrupted packing of ${name} leaves the checkpoint and no output; the next commit packs all`, async t => {
    const [path] = places(t, name)
    const rows = numbered(60_000)
    const sink = sinkOf(path, 'infer')
    await sink.open()
    await sink.begin({ columns: ['ID', 'A'], options: [] })
    await sink.write(rows)
    await sink.checkpoint('note')
    writeFileSync(`${path}.rowmill/partial-0123456789abcdef`, 'of one that was killed')
    const stop = new AbortController()
    const committing = sink.commit(SUMMARY, stop.signal)
    const reason = new RowmillError('INTERRUPTED', 'stopped')
    stop.abort(reason)
    await assert.rejects(committing, reason)
    await sink.close()
    const left = readdirSync(`${path}.rowmill`)
    assert.deepEqual([existsSync(path), left.length, left.includes('checkpoint')], [false, 3, true])
    const next = sinkOf(path, 'infer')
    assert.equal(await next.open(), 'note')
    await next.begin({ columns: ['ID', 'A'], options: [] })
    await next.commit(SUMMARY)
    await next.close()
    assert.deepEqual(asPandas(path, null), [[[null, textOf(rows)]]])
    assert.equal(existsSync(`${path}.rowmill`), false)
  })
}

test('without Python, gzip and zstd are packed; other formats are refused before there is a file', async t => {
  for (const [name, compression] of [
    ...['bz2', 'zip', 'xz', 'tar', 'tar.gz'].map(extension => [`out.${extension}`, 'infer'] as const),
    ['out.gz', gzip()] as const,
  ]) {
    const [path] = places(t, name)
    const sink = new FileSink({ path, force: false, python: '/nowhere/python', toCsv: { compression } })
    await assert.rejects(sink.reserve(), {
      code: 'PYTHON_UNUSABLE',
      message: /no such program\. Name another one with --python/,
    })
    await sink.close()
    assert.deepEqual(readdirSync(join(path, '..')), [])
  }
  for (const name of ['out.gz', 'out.zst']) {
    const [path] = places(t, name)
    const sink = new FileSink({ path, force: false, python: '/nowhere/python', toCsv: {} })
    await sink.open()
    await sink.begin(null)
    await sink.commit(SUMMARY)
    await sink.close()
    assert.ok(readFileSync(path).length > 0)
  }
})

test('a growing file is refused if the job asks for a packed one', async t => {
  const [path] = places(t, 'out.csv')
  const sink = new GrowingFileSink({ path, force: false })
  await sink.open()
  const options = [{ name: 'toCsv', value: '{"compression":"gzip"}' }]
  await assert.rejects(sink.begin({ columns: ['ID'], options }), { code: 'USAGE', message: /without --follow/ })
  await sink.close()
})
