/** OUT with mode a: all rows are appended or none, once, whenever the collector is killed. */
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { finishCommit } from '../../connectors/file/finish-commit.ts'
import { OutputForm } from '../../connectors/file/output-form.ts'
import { FileSink } from '../../connectors/file-sink.ts'
import { testFolder } from '../helpers/cli.ts'

const toCsv = { mode: 'a', header: true }
const header = { columns: ['ID', 'A'], options: [{ name: 'toCsv', value: JSON.stringify(toCsv) }] }
const ROWS = 'ID,A\n1,a\n'

async function begun(path: string, more: { keepsProof?: boolean; restart?: boolean } = {}): Promise<FileSink> {
  const sink = new FileSink({ path, force: false, toCsv, ...more })
  try {
    await sink.open()
    await sink.begin(header)
    return sink
  } catch (error) {
    await sink.close()
    throw error
  }
}

async function append(path: string): Promise<void> {
  const sink = await begun(path)
  try {
    await sink.write([['1', 'a']])
    await sink.commit({ job: 'j' })
  } finally {
    await sink.close()
  }
}

test('rows are appended to the file that is there, with a header each time, and no other file remains', async t => {
  const folder = testFolder(t)
  const path = join(folder, 'out.csv')
  await append(path)
  await append(path)
  assert.equal(readFileSync(path, 'utf8'), ROWS + ROWS)
  assert.deepEqual(readdirSync(folder), ['out.csv'])
})

test('until the commit the file is as it was, and afterwards it has its mode', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'before\n', { mode: 0o600 })
  const sink = await begun(path)
  await sink.write([['1', 'a']])
  await sink.checkpoint('note')
  assert.equal(readFileSync(path, 'utf8'), 'before\n')
  await sink.commit({ job: 'j' })
  await sink.close()
  assert.equal(readFileSync(path, 'utf8'), `before\n${ROWS}`)
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

/** Leaves what a collector leaves that is killed in its commit, after or before the output got its name. */
async function killed(path: string, { named }: { named: boolean }): Promise<void> {
  const folder = `${path}.rowmill`
  const before = readFileSync(path)
  const sink = await begun(path, { keepsProof: true })
  await sink.write([['1', 'a']])
  await sink.commit({ job: 'j' })
  await sink.close()
  if (named) return
  const { partial } = JSON.parse(readFileSync(join(folder, 'checkpoint'), 'utf8'))
  renameSync(path, join(folder, partial))
  writeFileSync(path, before)
}

test('a job whose collector was killed after the rows were appended is not appended again', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'before\n')
  await killed(path, { named: true })
  await assert.rejects(begun(path), {
    code: 'OUTPUT_UNUSABLE',
    message: /has the rows of job j, but its command was killed/,
  })
  appendFileSync(path, 'of another program\n')
  assert.equal(await finishCommit(path, 'other'), false)
  assert.equal(await finishCommit(path, 'j'), true)
  assert.equal(readFileSync(path, 'utf8'), `before\n${ROWS}of another program\n`)
  assert.equal(existsSync(`${path}.rowmill`), false)
})

test('a job whose collector was killed before the rows were appended is appended by the next one', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'before\n')
  await killed(path, { named: false })
  assert.equal(await finishCommit(path, 'j'), false)
  assert.equal(readFileSync(path, 'utf8'), 'before\n')
  await append(path)
  assert.equal(readFileSync(path, 'utf8'), `before\n${ROWS}`)
  assert.equal(existsSync(`${path}.rowmill`), false)
})

test('a new output is not appended to again either, when others have appended more after the kill', async t => {
  const path = join(testFolder(t), 'out.csv')
  const sink = await begun(path, { keepsProof: true })
  await sink.write([['1', 'a']])
  await sink.commit({ job: 'j' })
  await sink.close()
  appendFileSync(path, 'of another program\n')
  assert.equal(await finishCommit(path, 'j'), true)
  assert.equal(readFileSync(path, 'utf8'), `${ROWS}of another program\n`)
})

test('rows that were appended to an output that has changed since are appended again only with --restart', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'before\n')
  await killed(path, { named: true })
  writeFileSync(path, 'another file\n')
  assert.equal(await finishCommit(path, 'j'), false)
  await assert.rejects(begun(path), {
    code: 'OUTPUT_UNUSABLE',
    message: /the rows of job j were appended to .*, and another program has changed that file since.*--restart/,
  })
  assert.equal(readFileSync(path, 'utf8'), 'another file\n')
  const sink = await begun(path, { restart: true })
  await sink.write([['1', 'a']])
  await sink.commit({ job: 'j' })
  await sink.close()
  assert.equal(readFileSync(path, 'utf8'), `another file\n${ROWS}`)
})

test('a complete output keeps its proof, also when the command fails afterwards', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'before\n')
  const sink = await begun(path, { keepsProof: true })
  await sink.write([['1', 'a']])
  await sink.commit({ job: 'j' })
  await sink.close()
  await sink.discard()
  assert.equal(await finishCommit(path, 'j'), true)
  assert.equal(readFileSync(path, 'utf8'), `before\n${ROWS}`)
})

test('a sink that asks the job refuses a file that is there as soon as the job does not append', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'before\n')
  const prepare = async (given: Record<string, unknown>, force = false) => {
    const sink = new FileSink({ path, force, asksJob: true })
    try {
      await sink.reserve()
      await sink.open()
      await sink.prepare([{ name: 'toCsv', value: JSON.stringify(given) }])
    } finally {
      await sink.close()
    }
  }
  await prepare({ mode: 'a' })
  await prepare({}, true)
  for (const [given, force] of [
    [{}, false],
    [{ mode: 'w' }, false],
    [{ mode: 'x' }, false],
    [{ mode: 'x' }, true],
  ] as const)
    await assert.rejects(prepare(given, force), { code: 'OUTPUT_EXISTS' })
  await assert.rejects(prepare({ mode: 'a' }, true), { code: 'USAGE', message: /--force replaces it/ })
  assert.equal(readFileSync(path, 'utf8'), 'before\n')
  assert.deepEqual(readdirSync(join(path, '..')), [basename(path)])
})

test('a file that was moved away after the kill does not come back with the rows', async t => {
  const folder = testFolder(t)
  const path = join(folder, 'out.csv')
  writeFileSync(path, 'before\n')
  await killed(path, { named: false })
  renameSync(path, join(folder, 'aside.csv'))
  assert.equal(await finishCommit(path, 'j'), false)
  await append(path)
  assert.equal(readFileSync(path, 'utf8'), ROWS)
})

test('what another program appends while the commit copies the file is not lost', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'before\n')
  const { make } = OutputForm.prototype
  const making = t.mock.method(
    OutputForm.prototype,
    'make',
    async function (this: OutputForm, ...given: Parameters<typeof make>) {
      const made = await make.apply(this, given)
      if (making.mock.callCount() === 1) appendFileSync(path, 'meanwhile\n')
      return made
    },
  )
  await append(path)
  assert.equal(readFileSync(path, 'utf8'), `before\nmeanwhile\n${ROWS}`)
  assert.equal(making.mock.callCount(), 2)
})

/** Lets another program append to `path` after the last look at it, just before a call of fs puts another file there. */
function appendBefore(t: TestContext, call: 'rename' | 'link', path: string): void {
  const original = fs[call]
  let times = 0
  const meanwhile = t.mock.method(fs, call, async (from: string, to: string) => {
    if (to === path && ++times === 1) appendFileSync(path, 'late\n')
    return await original(from, to)
  })
  syncBuiltinESMExports()
  t.after(() => {
    meanwhile.mock.restore()
    syncBuiltinESMExports()
  })
}

test('what another program appends between the last look and the new name is not lost', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'before\n')
  appendBefore(t, 'rename', path)
  await append(path)
  assert.equal(readFileSync(path, 'utf8'), `before\n${ROWS}late\n`)
})

test('a file that another program makes between the last look and the new name is appended to', async t => {
  const path = join(testFolder(t), 'out.csv')
  appendBefore(t, 'link', path)
  await append(path)
  assert.equal(readFileSync(path, 'utf8'), `late\n${ROWS}`)
})

test('--force beside mode a is refused, and so is a file that is there with mode x, also with --force', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, 'before\n')
  const reserve = async (mode: string, force: boolean) => {
    const sink = new FileSink({ path, force, toCsv: { mode } })
    await sink.reserve().finally(() => sink.close())
  }
  await assert.rejects(reserve('a', true), { code: 'USAGE', message: /mode="a" appends to .*--force replaces it/ })
  await assert.rejects(reserve('x', true), { code: 'OUTPUT_EXISTS' })
  assert.deepEqual(readdirSync(join(path, '..')), [basename(path)])
})
