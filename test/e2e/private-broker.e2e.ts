/** The broker that a run starts for itself lets nobody else in. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { encodeResult } from '../../src/wire/codec.ts'
import { startRowmill, testFolder } from '../helpers/cli.ts'
import { intrude } from '../helpers/intruder.ts'
import { resultRecord } from '../helpers/result-record.ts'
import { until } from '../helpers/until.ts'

const SLOW = join(import.meta.dirname, '../fixtures/classifiers.py:slow')
const ROWS = 400

/** A `rowmill run` that classifies 20 rows a second, after its topics are there. */
async function slowRun(t: TestContext, count = ROWS) {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  const rows = Array.from({ length: count }, (_, i) => `${i},cell ${i}`)
  writeFileSync(input, `ID,A\n${rows.join('\n')}\n`)
  const options = ['--workers', '1', '--partitions', '1', '--batch-rows', '10']
  const { child, finished } = startRowmill(['run', input, output, '--classifier', SLOW, ...options])
  t.after(() => child.kill('SIGKILL'))
  const state = `${output}.rowmill`
  await until('the job is announced', () => readText(join(state, 'run.json')).includes('sourceDigest'))
  const { job, pipeline } = JSON.parse(readText(join(state, 'run.json')))
  const broker = join(state, 'broker')
  const address = /^advertised\.listeners=\w+:\/\/(.*)$/m.exec(readText(join(broker, 'server.properties')))![1]!
  const expected = rows.map(row => `${row},1.5\n`).join('')
  return { job: job as string, ...topicsOf(pipeline), address, broker, output, expected, child, finished }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** The password in the file for clients. Null: there is no such file. */
function findSecret(broker: string): string | null {
  return /password="([^"]*)"/.exec(readText(join(broker, 'client.properties')))?.[1] ?? null
}

function secretOf(broker: string): string {
  const secret = findSecret(broker)
  assert.ok(secret)
  return secret
}

test('a client without the secret of a run in progress reads no row and forges no result', async t => {
  const run = await slowRun(t)
  const columns = { columns: ['ID', 'A', 'SCORE'], kinds: ['integer', 'text', 'float'] as const }
  const rows = [[`${ROWS - 1}`, 'forged', '1.5']]
  const forged = resultRecord({ job: run.job, first: ROWS - 1, ...columns, kinds: [...columns.kinds], rows })
  const topics = { source: run.rows, target: run.results, value: encodeResult(forged) }
  const open = { 'bootstrap.servers': run.address }
  const login = {
    ...open,
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'PLAIN',
    'sasl.username': 'rowmill',
  }

  const guess = { ...login, 'sasl.password': 'guessed' }
  const intrusions = [open, guess].map(properties => intrude({ properties, ...topics }))
  const nothing = { read: null, wrote: false }
  assert.deepEqual(await Promise.all(intrusions), [nothing, nothing])
  const known = { ...login, 'sasl.password': secretOf(run.broker) }
  const { read } = await intrude({ properties: known, ...topics, value: null })
  assert.match(`${read}`, /cell 0/, 'the same client reads with the secret')

  const { code, stderr } = await run.finished
  assert.equal(code, 0, stderr)
  assert.ok(readText(run.output) === run.expected, 'OUT has what the worker made')
})

test('the folder of the broker, and its files with the secret, are for its user alone', async t => {
  const run = await slowRun(t)
  const modes = ['.', 'server.properties', 'client.properties'].map(
    name => statSync(join(run.broker, name)).mode & 0o777,
  )
  assert.deepEqual(modes, [0o700, 0o600, 0o600])
})

test('a run that is killed resumes with the topics it kept and another secret', async t => {
  const run = await slowRun(t, 60)
  const before = secretOf(run.broker)
  run.child.kill('SIGKILL')
  await run.finished
  const resumed = startRowmill(['run', '--resume', run.output])
  t.after(() => resumed.child.kill('SIGKILL'))
  await until('the broker has another secret', () => ![before, null].includes(findSecret(run.broker)))
  const { code, stderr } = await resumed.finished
  assert.equal(code, 0, stderr)
  assert.ok(readText(run.output) === run.expected, 'OUT is complete')
})

test('no command line holds the secret', async t => {
  const run = await slowRun(t)
  const secret = secretOf(run.broker)
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  const commands = pids.map(pid => readText(`/proc/${pid}/cmdline`))
  assert.ok(
    commands.some(command => command.includes(run.broker)),
    'the broker is among them',
  )
  assert.deepEqual(
    commands.filter(command => command.includes(secret)),
    [],
  )
})
