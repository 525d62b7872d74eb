import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { finishCommit } from '../../connectors/file/finish-commit.ts'
import { FileSink } from '../../connectors/file-sink.ts'
import { GrowingFileSink } from '../../connectors/growing-file-sink.ts'
import type { SinkHeader } from '../../src/connector.ts'
import { testFolder } from '../helpers/cli.ts'

const HEADER: SinkHeader = { columns: ['ID', 'A'], options: [{ name: 'toCsv', value: '{"header":true}' }] }

async function opened(path: string): Promise<{ sink: GrowingFileSink; note: string | null }> {
  const sink = new GrowingFileSink({ path, force: false })
  const note = await sink.open()
  await sink.begin(HEADER)
  return { sink, note }
}

test('flushed rows are in the file, and after commit and close nothing is beside it', async t => {
  const folder = testFolder(t)
  const path = join(folder, 'out.csv')
  const { sink } = await opened(path)
  await sink.write([['1', 'a,b']])
  assert.equal(readFileSync(path, 'utf8'), '')
  await sink.flush()
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n1,"a,b"\n')
  await sink.write([['2', 'c']])
  await sink.commit()
  await sink.close()
  await sink.close()
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n1,"a,b"\n2,c\n')
  assert.deepEqual(readdirSync(folder), ['out.csv'])
})

test('a file without a checkpoint is started over; a plain sink resumes no growing file', async t => {
  const path = join(testFolder(t), 'out.csv')
  const first = await opened(path)
  await first.sink.write([['1', 'lost']])
  await first.sink.flush()
  await first.sink.close()
  const { sink, note } = await opened(path)
  assert.equal(note, null)
  await sink.write([['1', 'a']])
  await sink.checkpoint('after row 1')
  await sink.close()
  const plain = new FileSink({ path, force: true })
  await assert.rejects(plain.open(), { code: 'OUTPUT_UNUSABLE', message: /--follow/ })
  await plain.close()
  const again = await opened(path)
  assert.equal(again.note, 'after row 1')
  await again.sink.commit()
  await again.sink.close()
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n1,a\n')
})

test('a sink that wrote nothing leaves nothing', async t => {
  const folder = testFolder(t)
  const sink = new GrowingFileSink({ path: join(folder, 'out.csv'), force: false })
  await sink.open()
  await sink.close()
  assert.deepEqual(readdirSync(folder), [])
})

test('a foreign file is refused and stays unchanged', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'precious')
  const sink = new GrowingFileSink({ path, force: false })
  await assert.rejects(sink.open(), { code: 'OUTPUT_EXISTS' })
  await sink.close()
  assert.equal(readFileSync(path, 'utf8'), 'precious')
})

test('the output of an unfinished job without growth is not resumed', async t => {
  const path = join(testFolder(t), 'out.csv')
  const plain = new FileSink({ path, force: false })
  await plain.open()
  await plain.begin(HEADER)
  await plain.checkpoint('note')
  await plain.close()
  const refused = new GrowingFileSink({ path, force: false })
  await assert.rejects(refused.open(), { code: 'OUTPUT_UNUSABLE', message: /--restart/ })
  await refused.close()
  const restarted = new GrowingFileSink({ path, force: false, restart: true })
  assert.equal(await restarted.open(), null)
  await restarted.begin(null)
  await restarted.commit()
  await restarted.close()
  assert.equal(existsSync(`${path}.rowmill`), false)
})

test('what a sink killed after its commit left is removed, for its own job only', async t => {
  const path = join(testFolder(t), 'out.csv')
  assert.equal(await finishCommit(path, 'job'), false)
  const { sink } = await opened(path)
  await sink.checkpoint('note')
  assert.equal(await finishCommit(path, 'job'), false)
  await sink.commit({ job: 'job' })
  const state = readFileSync(join(`${path}.rowmill`, 'checkpoint'))
  await sink.close()
  assert.equal(existsSync(`${path}.rowmill`), false)
  mkdirSync(`${path}.rowmill`)
  writeFileSync(join(`${path}.rowmill`, 'checkpoint'), state)
  writeFileSync(join(`${path}.rowmill`, 'lock'), '') // of a process that has ended
  assert.equal(await finishCommit(path, 'other job'), false)
  const other = new GrowingFileSink({ path, force: false })
  await assert.rejects(other.open(), { code: 'OUTPUT_EXISTS' })
  await other.close()
  assert.equal(await finishCommit(path, 'job'), true)
  assert.equal(existsSync(`${path}.rowmill`), false)
})

const optionsOf = (toCsv: object) => [{ name: 'toCsv', value: JSON.stringify(toCsv) }]

for (const [toCsv, code] of [
  [{ mode: 'a' }, 'USAGE'],
  [{ mode: 'x' }, 'OUTPUT_EXISTS'],
  [{ compression: 'gzip' }, 'USAGE'],
  [{ encoding: 'utf-16' }, 'USAGE'],
] as const) {
  test(`a job with ${JSON.stringify(toCsv)} is refused before --force takes anything from the file`, async t => {
    const folder = testFolder(t)
    const path = join(folder, 'out.csv')
    writeFileSync(path, 'precious')
    const sink = new GrowingFileSink({ path, force: true })
    await sink.open()
    await assert.rejects(sink.prepare(optionsOf(toCsv)), { code })
    await sink.close()
    assert.equal(readFileSync(path, 'utf8'), 'precious')
    assert.deepEqual(readdirSync(folder), ['out.csv'])
  })
}

for (const Kind of [GrowingFileSink, FileSink]) {
  test(`--restart of ${Kind.name} discards nothing until the job is found`, async t => {
    const path = join(testFolder(t), 'out.csv')
    const first = new Kind({ path, force: false })
    await first.open()
    await first.begin(HEADER)
    await first.write([['1', 'a']])
    await first.checkpoint('after row 1')
    await first.close()
    const other = new Kind({ path, force: true, restart: true })
    assert.equal(await other.open(), null)
    await other.close()
    if (other instanceof FileSink) await other.discard()
    const again = new Kind({ path, force: false })
    assert.equal(await again.open(), 'after row 1')
    await again.begin(HEADER)
    await again.commit()
    await again.close()
    assert.equal(readFileSync(path, 'utf8'), 'ID,A\n1,a\n')
  })
}
