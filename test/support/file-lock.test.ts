import assert from 'node:assert/strict'
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FileLock, lockHolder, withLock } from '../../src/support/file-lock.ts'
import { startProgram, testFolder } from '../helpers/cli.ts'

const never = new AbortController().signal

test('a lock is held once per process too, names its holder, is private, and leaves nothing', async t => {
  const folder = testFolder(t)
  const path = join(folder, 'lock')
  const lock = await FileLock.take(path)
  assert.ok(lock)
  assert.equal(await FileLock.take(path), null)
  assert.equal(lockHolder(path)?.pid, process.pid)
  const modes = readdirSync(folder).map(name => statSync(join(folder, name)).mode & 0o777)
  assert.deepEqual(modes, [0o600, 0o600])
  lock.release()
  lock.release()
  assert.deepEqual(readdirSync(folder), [])
  const again = await FileLock.take(path)
  assert.ok(again)
  again.release()
})

test('a non-empty file is no lock of this rowmill: the error says what to do, and the file stays', async t => {
  const path = join(testFolder(t), 'lock')
  writeFileSync(path, '{"pid":1,"start":"1"}')
  await assert.rejects(FileLock.take(path), {
    message: /lock is not a lock file of this version of rowmill.*move it away/,
  })
  assert.equal(statSync(path).size, 21)
})

test('a folder that accepts no files is an error, and nothing is retried for ever', async () => {
  await assert.rejects(FileLock.take('/proc/lock'), { code: 'ENOENT' })
})

test('a lock on a file that its holder removed between open and lock does not count', async t => {
  const path = join(testFolder(t), 'lock')
  const { getBuiltinModule } = process
  const { DatabaseSync } = getBuiltinModule('node:sqlite')
  let opened = 0
  class Removed extends DatabaseSync {
    constructor(file: string) {
      super(file)
      if (opened++ === 0) rmSync(file)
    }
  }
  process.getBuiltinModule = (() => ({ DatabaseSync: Removed })) as unknown as typeof getBuiltinModule
  t.after(() => {
    process.getBuiltinModule = getBuiltinModule
  })
  const lock = await FileLock.take(path)
  assert.ok(lock)
  assert.equal(opened, 2, 'taken on the file that has the name')
  assert.equal(await FileLock.take(path), null)
  lock.release()
})

test('work under a lock never overlaps', async t => {
  const folder = testFolder(t)
  const path = join(folder, 'lock')
  let inside = 0
  const order: number[] = []
  const work = (index: number) => async () => {
    assert.equal(++inside, 1)
    await new Promise(resolve => setImmediate(resolve))
    inside--
    order.push(index)
  }
  await Promise.all([0, 1, 2].map(index => withLock(path, never, () => {}, work(index))))
  assert.deepEqual(order.sort(), [0, 1, 2])
  assert.deepEqual(readdirSync(folder), [])
})

test('the wait for a lock ends with the signal', async t => {
  const path = join(testFolder(t), 'held')
  const stop = new AbortController()
  await withLock(path, never, assert.fail, async () => {
    const waiting = withLock(path, stop.signal, () => stop.abort(), assert.fail)
    await assert.rejects(waiting, { name: 'AbortError' })
  })
})

test('a process that takes a lock prints no warning', async t => {
  const path = join(testFolder(t), 'lock')
  const module = new URL('../../src/support/file-lock.ts', import.meta.url)
  const script = `const { FileLock } = await import('${module}'); (await FileLock.take('${path}')).release(); console.log('held')`
  const { finished } = startProgram(process.execPath, ['--input-type=module', '--eval', script])
  assert.deepEqual(await finished, { code: 0, signal: null, stdout: 'held\n', stderr: '' })
})
