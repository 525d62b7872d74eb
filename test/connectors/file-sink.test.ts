import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { finishCommit, forgetCommit } from '../../connectors/file/finish-commit.ts'
import { FileSink } from '../../connectors/file-sink.ts'
import { GrowingFileSink } from '../../connectors/growing-file-sink.ts'
import { StdoutSink } from '../../connectors/stdout-sink.ts'
import type { SinkHeader } from '../../src/connector.ts'
import { startProgram, testFolder } from '../helpers/cli.ts'
import { partialOf } from '../helpers/partial.ts'

const HEADER: SinkHeader = { columns: ['ID', 'A'], options: [{ name: 'toCsv', value: '{"header":true}' }] }

const notRoot = process.getuid?.() !== 0 && 'only root can give files away'

function mkdir(path: string): string {
  mkdirSync(path)
  return path
}

async function opened(path: string, force = false): Promise<FileSink> {
  const sink = new FileSink({ path, force })
  await sink.open()
  await sink.begin(HEADER)
  return sink
}

test('nothing has the final name before the commit, and nothing else remains after it', async t => {
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

test('with force the old file stays unchanged until the new one is complete', async t => {
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

test('a file that appears under the final name meanwhile is not replaced', async t => {
  const path = join(testFolder(t), 'out.csv')
  const sink = await opened(path)
  writeFileSync(path, 'precious')
  await assert.rejects(sink.commit(), { code: 'OUTPUT_EXISTS' })
  await sink.close()
  assert.equal(readFileSync(path, 'utf8'), 'precious')
})

test('a second sink for the same file is refused, and does not disturb the first', async t => {
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

test('a file that is not a rowmill lock is not removed: the error names it', async t => {
  const path = join(testFolder(t), 'out.csv')
  mkdirSync(`${path}.rowmill`)
  writeFileSync(join(`${path}.rowmill`, 'lock'), JSON.stringify({ pid: 1, start: '1' }))
  const sink = new FileSink({ path, force: false })
  await assert.rejects(sink.open(), {
    code: 'OUTPUT_FAILED',
    message: /lock is not a lock file of this version of rowmill.*move it away/,
  })
  await sink.close()
  assert.deepEqual(readdirSync(`${path}.rowmill`), ['lock'])
})

test('if the lock fails, two sinks write separate files, and the one that lost its file says so', async t => {
  const path = join(testFolder(t), 'out.csv')
  const first = await opened(path, true)
  await first.write([['1', 'first']])
  await first.checkpoint('note of the first')
  rmSync(join(`${path}.rowmill`, 'lock')) // as if the file system had no locks
  const second = new FileSink({ path, force: true, restart: true })
  await second.open()
  await second.begin(HEADER)
  await second.write([['1', 'second']])
  await first.write([['2', 'first']])
  await assert.rejects(first.commit(), { code: 'OUTPUT_UNUSABLE', message: /no longer the file/ })
  assert.equal(existsSync(path), false)
  await second.commit()
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n1,second\n')
  await Promise.all([first.close(), second.close()])
})

for (const [what, spoil] of [
  ['changed', (file: string) => writeFileSync(file, 'X', { flag: 'r+' })],
  ['cut short', (file: string) => truncateSync(file, 3)],
  ['longer', (file: string) => appendFileSync(file, '9,x\n')],
] as const) {
  test(`a partial file that is ${what} on disk does not get the name of the output`, async t => {
    const path = join(testFolder(t), 'out.csv')
    const sink = await opened(path)
    await sink.write([['1', 'a']])
    await sink.checkpoint('note')
    spoil(partialOf(path)!)
    await assert.rejects(sink.commit(), { code: 'OUTPUT_UNUSABLE', message: /is not what was written.*--restart/ })
    await sink.close()
    assert.equal(existsSync(path), false)
  })
}

test('only its user can read the state of an unfinished output; a new output has the default mode', async t => {
  const path = join(testFolder(t), 'out.csv')
  const sink = await opened(path)
  await sink.write([['1', 'a']])
  await sink.checkpoint('note')
  const folder = `${path}.rowmill`
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  const names = readdirSync(folder)
    .map(name => name.replace(/-.*/, ''))
    .sort()
  assert.deepEqual(names, ['checkpoint', 'lock', 'lock.holder', 'partial'])
  for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
  await sink.commit()
  await sink.close()
  assert.equal(statSync(path).mode & 0o777, 0o666 & ~process.umask())
})

test('with force the new file has mode and owner of the one that it replaces', { skip: notRoot }, async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'old')
  chmodSync(path, 0o640)
  chownSync(path, 1234, 5678)
  const sink = await opened(path, true)
  await sink.commit()
  await sink.close()
  const { mode, uid, gid } = statSync(path)
  assert.deepEqual([mode & 0o777, uid, gid], [0o640, 1234, 5678])
})

test('a user who cannot keep the owner of a file is told before it is replaced', { skip: notRoot }, async t => {
  const folder = testFolder(t)
  chmodSync(folder, 0o777)
  const path = join(folder, 'out.csv')
  writeFileSync(path, 'old')
  const script = `
    const { FileSink } = await import('${new URL('../../connectors/file-sink.ts', import.meta.url)}')
    process.setgroups([1234])
    process.setgid(1234)
    process.setuid(1234)
    const sink = new FileSink({ path: '${path}', force: true })
    await sink.reserve().catch(({ code, message }) => console.log(code, message))
    await sink.close()`
  const { stdout, stderr } = await startProgram(process.execPath, ['--input-type=module', '--eval', script]).finished
  assert.match(stdout, /^OUTPUT_UNUSABLE .*out\.csv belongs to user 0 and group 0.*move the file away first/, stderr)
  assert.deepEqual(readdirSync(folder), ['out.csv'])
})

for (const [what, plant, message] of [
  ['is a link', (folder: string, aside: string) => symlinkSync(aside, folder), /rowmill is not a directory/],
  [
    'others may write to',
    (folder: string) => chmodSync(mkdir(folder), 0o770),
    /written to by other users.*chmod -R go-w/,
  ],
  [
    'has a link in it',
    (folder: string, aside: string) => symlinkSync(join(aside, 'x'), join(mkdir(folder), 'checkpoint')),
    /checkpoint is not a regular file.*move it away/,
  ],
  [
    'has a link instead of the lock',
    (folder: string, aside: string) => symlinkSync(join(aside, 'x'), join(mkdir(folder), 'lock')),
    /lock is not a regular file/,
  ],
  [
    'has a file in it that others may write',
    (folder: string) => {
      writeFileSync(join(mkdir(folder), 'run.json'), '{}')
      chmodSync(join(folder, 'run.json'), 0o666)
    },
    /run\.json may be written to by other users/,
  ],
] as const) {
  test(`a folder beside the output that ${what} is refused and unchanged, even with --restart`, async t => {
    const [path, aside] = [join(testFolder(t), 'out.csv'), testFolder(t)]
    plant(`${path}.rowmill`, aside)
    for (const restart of [false, true]) {
      for (const sink of [
        new FileSink({ path, force: true, restart }),
        new GrowingFileSink({ path, force: true, restart }),
      ]) {
        await assert.rejects(sink.open(), { code: 'OUTPUT_UNUSABLE', message })
        await sink.close()
      }
    }
    await assert.rejects(finishCommit(path, 'job'), { code: 'OUTPUT_UNUSABLE', message })
    assert.deepEqual(readdirSync(aside), [])
    assert.ok(lstatSync(`${path}.rowmill`))
  })
}

test('a folder beside the output that another user made is refused, and so is a file in it', {
  skip: notRoot,
}, async t => {
  const path = join(testFolder(t), 'out.csv')
  const folder = mkdir(`${path}.rowmill`)
  chownSync(folder, 1234, 1234)
  const open = async () => {
    const sink = new FileSink({ path, force: false })
    await sink.open().finally(() => sink.close())
  }
  await assert.rejects(open(), { code: 'OUTPUT_UNUSABLE', message: /rowmill belongs to the user with id 1234/ })
  chownSync(folder, 0, 0)
  writeFileSync(join(folder, 'checkpoint'), '{}')
  chownSync(join(folder, 'checkpoint'), 1234, 1234)
  await assert.rejects(open(), { code: 'OUTPUT_UNUSABLE', message: /checkpoint belongs to the user with id 1234/ })
})

for (const name of ['x'.repeat(248), 'x'.repeat(255), `${'ö'.repeat(125)}.csv`]) {
  test(`the state of an output with a name of ${Buffer.byteLength(name)} bytes is in a folder with a shorter name`, async t => {
    const folder = testFolder(t)
    const path = join(folder, name)
    const sink = await opened(path)
    await sink.checkpoint('note')
    const state = readdirSync(folder)
    assert.match(state.join(), /~[0-9a-f]{16}\.rowmill$/)
    await sink.close()
    const again = new FileSink({ path, force: false })
    assert.equal(await again.open(), 'note')
    await again.commit()
    await again.close()
    assert.deepEqual(readdirSync(folder), [name])
  })
}

test('a name that no file system accepts is refused before anything starts', async t => {
  const sink = new FileSink({ path: join(testFolder(t), 'x'.repeat(256)), force: false })
  await assert.rejects(sink.reserve(), {
    code: 'OUTPUT_UNUSABLE',
    message: /more than 255 bytes: choose a shorter one/,
  })
})

test('a sink resumes at its checkpoint and truncates after it; a changed partial file is refused', async t => {
  const path = join(testFolder(t), 'out.csv')
  const first = await opened(path)
  await first.write([['1', 'a']])
  await first.checkpoint('after row 1')
  await first.write([['2', 'lost']])
  await first.close()
  const partial = partialOf(path)!
  assert.deepEqual(readdirSync(`${path}.rowmill`).sort(), ['checkpoint', basename(partial)])
  const checkpoint = readFileSync(join(`${path}.rowmill`, 'checkpoint'))

  const resume = async (content: string | null) => {
    mkdirSync(`${path}.rowmill`, { recursive: true })
    writeFileSync(join(`${path}.rowmill`, 'checkpoint'), checkpoint)
    rmSync(partialOf(path) ?? partial, { force: true })
    if (content !== null) writeFileSync(partial, content)
    const sink = new FileSink({ path, force: false })
    try {
      assert.equal(await sink.open(), 'after row 1')
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
  await assert.rejects(resume(null), unusable(/is missing.*--restart/))
  writeFileSync(partial, 'ID,A\n1,x\n')
  const restarted = new FileSink({ path, force: false, restart: true })
  assert.equal(await restarted.open(), null)
  await restarted.begin(HEADER)
  await restarted.commit()
  await restarted.close()
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n')
})

test('what a sink killed in its commit left is finished and removed, for its own job only', async t => {
  const path = join(testFolder(t), 'out.csv')
  assert.equal(await finishCommit(path, 'job'), false)
  const sink = new FileSink({ path, force: false, keepsProof: true })
  await sink.open()
  await sink.begin(HEADER)
  await sink.commit({ job: 'job' })
  await sink.close()
  assert.deepEqual(readdirSync(`${path}.rowmill`), ['checkpoint'])
  assert.equal(await finishCommit(path, 'other job'), false)
  assert.equal(await finishCommit(path, 'job'), true)
  assert.equal(existsSync(`${path}.rowmill`), false)
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n')
})

test('an output changed after completion does not count as output of its job, and stays', async t => {
  const path = join(testFolder(t), 'out.csv')
  const sink = new FileSink({ path, force: false, keepsProof: true })
  await sink.open()
  await sink.begin(HEADER)
  await sink.commit({ job: 'job' })
  await sink.close()
  writeFileSync(path, 'ID,B\n')
  assert.equal(await finishCommit(path, 'job'), false)
  assert.equal(readFileSync(path, 'utf8'), 'ID,B\n')
  await forgetCommit(path, 'job')
  assert.equal(existsSync(`${path}.rowmill`), false)
})

test('a complete partial file whose name was taken meanwhile gets it as soon as it is free', async t => {
  const path = join(testFolder(t), 'out.csv')
  const sink = await opened(path)
  await sink.write([['1', 'a']])
  writeFileSync(path, 'precious')
  await assert.rejects(sink.commit({ job: 'job' }), { code: 'OUTPUT_EXISTS' })
  await sink.close()
  assert.equal(await finishCommit(path, 'job'), false)
  rmSync(path)
  assert.equal(await finishCommit(path, 'job'), true)
  assert.equal(readFileSync(path, 'utf8'), 'ID,A\n1,a\n')
  assert.equal(existsSync(`${path}.rowmill`), false)
})

test('standard output gets the rows as they come, and a closed reader is an error', async () => {
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

test('a folder that accepts no subfolder is refused, and not retried for ever', async () => {
  const sink = new FileSink({ path: '/proc/out.csv', force: false })
  await assert.rejects(sink.open(), { code: 'OUTPUT_FAILED', message: /\/proc\/out\.csv/ })
  await sink.close()
})
