import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { PythonClassifier } from '../../src/classifier/python/python.ts'
import { descendants, freeze, untilGone } from '../helpers/processes.ts'
import { FIXTURES, fixture, jobOf, PYTHON, started } from './serial.ts'

const BATCH = { job: jobOf({ columns: ['ID', 'A'], indexKind: 'integer' }), rows: [['1', '2']], seqs: [0] }

/** A named pipe that a fixture keeps open. Its first line is `pid`; `closed` resolves when no process has it open. */
async function watchedPipe(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-death-'))
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  process.env.ROWMILL_TEST_FIFO = path
  const lines = createInterface({ input: createReadStream(path) })
  const closed = once(lines, 'close')
  const pid = once(lines, 'line').then(([line]) => Number(line))
  t.after(() => rm(folder, { recursive: true }))
  return { pid, closed }
}

for (const target of ['sleeps', 'never_lets_go'])
  for (const way of ['alone', 'forked', 'forked by a server that stands still']) {
    test(`kill -9 of the parent leaves no Python, ${way}, while the function ${target.replaceAll('_', ' ')}`, async t => {
      const pipe = await watchedPipe(t)
      const folder = await mkdtemp(join(tmpdir(), 'rowmill-test-'))
      t.after(() => rm(folder, { recursive: true }))
      const isForked = way.startsWith('forked')
      const args = [join(FIXTURES, 'parent.ts'), PYTHON, fixture(`bad.py:${target}`), isForked ? 'forked' : way]
      const parent = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, TMPDIR: folder } })
      const pid = await pipe.pid
      t.after(() => endProcess(pid))
      const all = descendants(parent.pid!)
      assert.equal(all.length, isForked ? 2 : 1)
      const server = all.find(({ parent: above }) => above === parent.pid)!
      if (way.endsWith('stands still')) await freeze(server.pid)
      parent.kill('SIGKILL')
      await pipe.closed
      await untilGone(all)
      assert.deepEqual(await readdir(folder), [])
    })
  }

test('a killed classifier is CLASSIFIER_DIED for this call, queued calls and later ones', async t => {
  const pipe = await watchedPipe(t)
  const classifier = await started(t, 'bad.py:sleeps')
  const calls = [classifier.classify(BATCH), classifier.classify(BATCH)]
  process.kill(await pipe.pid, 'SIGKILL')
  for (const call of calls) await assert.rejects(call, { code: 'CLASSIFIER_DIED', message: /signal SIGKILL/ })
  await assert.rejects(classifier.classify(BATCH), { code: 'CLASSIFIER_DIED', message: /signal SIGKILL/ })
})

test('a function that ends the process is CLASSIFIER_DIED with exit code and last output', async t => {
  const classifier = await started(t, 'bad.py:leaves')
  await assert.rejects(classifier.classify(BATCH), {
    code: 'CLASSIFIER_DIED',
    message: /exit code 7.*last words/s,
    facts: { exitCode: 7, signal: null },
  })
})

test('close ends a running call, leaves no process, and can be called twice', async t => {
  const pipe = await watchedPipe(t)
  const classifier = await started(t, 'bad.py:sleeps')
  const call = assert.rejects(classifier.classify(BATCH), { code: 'CLASSIFIER_DIED', message: /closed/ })
  await pipe.pid
  await Promise.all([classifier.close(), classifier.close()])
  await Promise.all([call, pipe.closed])
  await classifier.close()
  await assert.rejects(classifier.classify(BATCH), { code: 'CLASSIFIER_DIED' })
})

test('a classifier can be closed while it starts', async () => {
  const classifier = new PythonClassifier({ python: PYTHON, target: fixture('good.py:a_float'), onOutput: () => {} })
  const start = assert.rejects(classifier.start(), { code: 'CLASSIFIER_DIED' })
  await classifier.close()
  await start
})

test('a function that writes to the answer descriptor is CLASSIFIER_DIED, not a hang', async t => {
  const classifier = await started(t, 'bad.py:talks_on_the_channel')
  await assert.rejects(classifier.classify(BATCH), { code: 'CLASSIFIER_DIED', message: /write to descriptor 4/ })
})

/** A failed test must not leave its Python running. */
function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH')
  }
}
