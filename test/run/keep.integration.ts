import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { keptFiles, runsIn } from '../../src/broker/kept/kept-folder.ts'
import { identify, isAlive } from '../../src/support/process-identity.ts'
import { BIN, rowmill, startProgram } from '../helpers/cli.ts'
import { placeForRuns } from '../helpers/kept-runs.ts'
import { descendants } from '../helpers/processes.ts'
import { serialJob } from '../helpers/serial.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')

test('runs with --keep share a broker and leave no topic; a killed one resumes there with the same bytes', async t => {
  const { folder, input, env, look, topicsThere } = placeForRuns(t)
  const run = (output: string, more: NodeJS.ProcessEnv = {}) =>
    rowmill(['run', input, output, '--keep', '--classifier', CLASSIFIER, '--workers', '1'], {
      env: { ...env, ...more },
    })
  const serial = await serialJob(input, CLASSIFIER)
  const [first, killed] = [join(folder, 'first.csv'), join(folder, 'killed.csv')]
  const done = await run(first)
  assert.equal(done.code, 0, done.stderr)
  assert.equal(readFileSync(first, 'utf8'), serial)
  const { pid } = await look()

  const crash = await run(killed, { ROWMILL_CRASH: `rows-acked:1 ${join(folder, 'mark')}` })
  assert.equal(crash.signal, 'SIGKILL', crash.stderr)
  const { pipeline, keptIn } = JSON.parse(readFileSync(`${killed}.rowmill/run.json`, 'utf8'))
  assert.deepEqual(await runsIn(keptIn), { needed: [pipeline], abandoned: [] })
  const between = await run(join(folder, 'between.csv'))
  assert.equal(between.code, 0, between.stderr)
  await until('the topics of the complete runs are deleted', async () => (await runsIn(keptIn)).abandoned.length === 0)
  assert.deepEqual((await runsIn(keptIn)).needed, [pipeline], 'another run leaves the topics of the killed one')
  const resumed = await rowmill(['run', '--resume', killed], { env })
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal(readFileSync(killed, 'utf8'), serial)
  await until('its topics are deleted', async () => (await topicsThere(pipeline)).length === 0)
  await until('all runs are forgotten', async () => readdirSync(keptFiles(keptIn).runs).length === 0)
  assert.equal((await look()).pid, pid, 'one broker had them all')
})

test('what a killed run left is deleted once the run was discarded; broker --stop ends the broker', async t => {
  const { folder, input, kept, env, look, topicsThere } = placeForRuns(t)
  const output = join(folder, 'out.csv')
  const args = ['run', input, output, '--keep', '--classifier', CLASSIFIER, '--workers', '1']
  const crash = await rowmill(args, { env: { ...env, ROWMILL_CRASH: `rows-acked:1 ${join(folder, 'mark')}` } })
  assert.equal(crash.signal, 'SIGKILL', crash.stderr)
  const { pipeline } = JSON.parse(readFileSync(`${output}.rowmill/run.json`, 'utf8'))
  assert.notDeepEqual(await topicsThere(pipeline), [])
  const again = await rowmill([...args, '--restart'], { env })
  assert.equal(again.code, 0, again.stderr)
  await until('its topics are deleted', async () => (await topicsThere(pipeline)).length === 0)
  await until('all runs are forgotten', async () => readdirSync(keptFiles(kept).runs).length === 0)

  const keeper = identify((await look()).pid)!
  const stop = () => rowmill(['broker', '--stop'], { env })
  assert.deepEqual(await stop(), { code: 0, signal: null, stdout: '', stderr: 'rowmill: the kept Kafka has ended\n' })
  assert.equal(isAlive(keeper), false)
  assert.match((await stop()).stderr, /there is no kept Kafka/)
})

/** Starts a command that has two locks, as `( flock 9; flock 200; COMMAND ) 9>FIRST 200>SECOND` does. */
const WITH_LOCKS = 'exec 9>"$1" 200>"$2"; flock -n 9 && flock -n 200 && shift 2 && exec "$@"'

test('a kept broker holds no lock of the script that called the run, and has no variable of it that it does not need', async t => {
  const { folder, input, env, look } = placeForRuns(t)
  const locks = [join(folder, 'first.lock'), join(folder, 'second.lock')]
  const run = ['run', input, join(folder, 'out.csv'), '--keep', '--classifier', CLASSIFIER, '--workers', '1']
  const words = ['-c', WITH_LOCKS, 'bash', ...locks, process.execPath, BIN, ...run]
  const { code, stderr } = await startProgram('bash', words, { env: { ...env, SECRET_TOKEN: 'abc' } }).finished
  assert.equal(code, 0, stderr)
  const { pid } = await look()
  const left = [pid, ...descendants(pid).map(({ pid }) => pid)]
  assert.ok(left.length >= 3, 'its keeper, a guard and a JVM')
  for (const lock of locks) execFileSync('flock', ['-n', lock, 'true'])
  for (const each of left) {
    const variables = readFileSync(`/proc/${each}/environ`, 'utf8').split('\0')
    assert.ok(variables.some(variable => variable.startsWith('PATH=')))
    assert.ok(!variables.some(variable => variable.includes('SECRET_TOKEN')))
  }
})
