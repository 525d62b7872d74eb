import assert from 'node:assert/strict'
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { FileSink, finishCommit } from '../../connectors/file-sink.ts'
import { StdoutSink } from '../../connectors/stdout-sink.ts'
import type { SinkHeader } from '../../src/connector.ts'
import { testFolder } from '../helpers/cli.ts'

const HEADER: SinkHeader = { columns: ['ID', 'A'], options: [{ name: 'toCsv', value: '{"header":true}' }] }

async function opened(path: string, force = false): Promise<FileSink> {
  const sink = new FileSink({ path, force })
  await sink.open()
  await sink.begin(HEADER)
  return sink
}

test('nothing stands under the final name before the commit, and nothing else after it', async t => {
  const folder = testFolder(t)
  const path = join(folder, 'out.csv')
  const sink = await opened(path)
  await sink.write([['1', 'a,b']])
  await sink.checkpoint('note')
  assert.equal(existsSync(path), false)
  await sink.write([['2', 'c']])
  await sink.commit()
  await sink.close()
  await sink.close()
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n1,"a,b"\n2,c\n')
  assert.deepEqual(readdirSync(folder), ['out.csv'])
})

test('a sink closed without a commit leaves nothing', async t => {
  const folder = testFolder(t)
  const sink = await opened(join(folder, 'out.csv'))
  await sink.write([['1', 'a']])
  await sink.close()
  assert.deepEqual(readdirSync(folder), [])
})

test('with force the old file stays as it is until the new one is complete', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'old')
  const sink = await opened(path, true)
  await sink.write([['1', 'a']])
  await sink.checkpoint('note')
  assert.equal(readFileSync(path, 'utf8'), 'old')
  await sink.commit()
  await sink.close()
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n1,a\n')
})

test('a file that came up under the final name meanwhile is not replaced', async t => {
  const path = join(testFolder(t), 'out.csv')
  const sink = await opened(path)
  writeFileSync(path, 'precious')
  await assert.rejects(sink.commit(), { code: 'OUTPUT_EXISTS' })
  await sink.close()
  assert.equal(readFileSync(path, 'utf8'), 'precious')
})

test('a second sink for the same file is refused, and leaves the first alone', async t => {
  const path = join(testFolder(t), 'out.csv')
  const first = await opened(path)
  const second = new FileSink({ path, force: false })
  await assert.rejects(second.open(), { code: 'OUTPUT_LOCKED', message: new RegExp(`process ${process.pid}`) })
  await second.close()
  await first.write([['1', 'a']])
  await first.commit()
  await first.close()
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n1,a\n')
})

for (const [whose, lock] of [
  ['a process that is gone', JSON.stringify({ pid: 2 ** 22 + 1, start: '1' })],
  ['another process that has the pid now', JSON.stringify({ pid: process.pid, start: '1' })],
  ['nobody', 'garbage'],
] as const) {
  test(`the lock of ${whose} is not in the way`, async t => {
    const path = join(testFolder(t), 'out.csv')
    mkdirSync(`${path}.rowmill`)
    writeFileSync(join(`${path}.rowmill`, 'lock'), lock)
    const sink = await opened(path)
    await sink.commit()
    await sink.close()
    assert.equal(readFileSync(path, 'utf8'), 'ID,A\n')
  })
}

test('a sink goes on at its checkpoint and cuts off what lay behind it; a partial file that was changed is refused', async t => {
  const path = join(testFolder(t), 'out.csv')
  const partial = join(`${path}.rowmill`, 'partial')
  const first = await opened(path)
  await first.write([['1', 'a']])
  await first.checkpoint('behind row 1')
  await first.write([['2', 'lost']])
  await first.close()
  assert.deepEqual(readdirSync(`${path}.rowmill`).sort(), ['checkpoint', 'partial'])
  const checkpoint = readFileSync(join(`${path}.rowmill`, 'checkpoint'))

  const resume = async (content: string | null) => {
    mkdirSync(`${path}.rowmill`, { recursive: true })
    writeFileSync(join(`${path}.rowmill`, 'checkpoint'), checkpoint)
    if (content === null) rmSync(partial)
    else writeFileSync(partial, content)
    const sink = new FileSink({ path, force: false })
    try {
      assert.equal(await sink.open(), 'behind row 1')
      await sink.begin({ ...HEADER })
      await sink.write([['2', 'b']])
      await sink.commit()
      return readFileSync(path, 'utf8')
    } finally {
      await sink.close()
      rmSync(path, { force: true })
    }
  }
  assert.equal(await resume('ID,A\n1,a\n2,half a row'), 'ID,A\n1,a\n2,b\n')
  assert.equal(existsSync(`${path}.rowmill`), false)
  const unusable = (message: RegExp) => ({ code: 'OUTPUT_UNUSABLE', message })
  await assert.rejects(resume('ID,A\n1'), unusable(/fewer than the 9.*--restart/))
  await assert.rejects(resume('ID,A\n1,x\n'), unusable(/is not what was written.*--restart/))
  await assert.rejects(resume(null), unusable(/is gone.*--restart/))
  writeFileSync(partial, 'ID,A\n1,x\n')
  const restarted = new FileSink({ path, force: false, restart: true })
  assert.equal(await restarted.open(), null)
  await restarted.begin(HEADER)
  await restarted.commit()
  await restarted.close()
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n')
})

test('what a sink left that was killed behind its commit is cleared away, and nothing else', async t => {
  const path = join(testFolder(t), 'out.csv')
  const partial = join(`${path}.rowmill`, 'partial')
  assert.equal(await finishCommit(path), false)
  mkdirSync(`${path}.rowmill`)
  writeFileSync(partial, 'rows')
  assert.equal(await finishCommit(path), false)
  writeFileSync(path, 'rows')
  assert.equal(await finishCommit(path), false, 'a file of someone else')
  assert.ok(existsSync(partial))
  rmSync(path)
  linkSync(partial, path)
  assert.equal(await finishCommit(path), true)
  assert.equal(existsSync(`${path}.rowmill`), false)
  assert.equal(readFileSync(path, 'utf8'), 'rows')
})

test('standard output gets the rows as they come, and a reader that went away is an error', async () => {
  const out = new PassThrough()
  const sink = new StdoutSink(out)
  await sink.open()
  await sink.begin(HEADER)
  await sink.write([['1', 'a']])
  await sink.commit()
  await sink.close()
  out.end()
  assert.equal(await text(out), 'ID,A\n1,a\n')

  const gone = new PassThrough()
  const broken = new StdoutSink(gone)
  await broken.open()
  await broken.begin(HEADER)
  gone.destroy(new Error('EPIPE'))
  await new Promise(resolve => gone.once('close', resolve))
  await assert.rejects(broken.write([['1', 'a']]), { code: 'OUTPUT_FAILED', message: /EPIPE/ })
  await broken.close()
})

test('a folder that takes no other is refused, and not tried for ever', async () => {
  const sink = new FileSink({ path: '/proc/out.csv', force: false })
  await assert.rejects(sink.open(), { code: 'OUTPUT_FAILED', message: /\/proc\/out\.csv/ })
  await sink.close()
})
