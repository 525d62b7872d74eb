/** With --log-format json nothing but JSON is on stderr, however a command ends. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { COMMANDS } from '../../src/cli/commands/index.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { BIN, type Finished, rowmill, startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { type JsonLine, jsonLines } from '../helpers/json-lines.ts'
import { blocksOf } from '../helpers/page.ts'
import { descendants } from '../helpers/processes.ts'
import { brokerBehindProxy } from '../helpers/proxied-broker.ts'
import { python } from '../helpers/python.ts'
import { until } from '../helpers/until.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures/classifiers.py')
const JSON_LOG = { ROWMILL_LOG_FORMAT: 'json', ROWMILL_BROKER_TIMEOUT: '1' }
/** Nobody listens there. */
const NOBODY = '127.0.0.1:1'

function rowsIn(t: TestContext, values: readonly string[]) {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, `ID,A\n${values.map((value, i) => `${i},${value}\n`).join('')}`)
  return { folder, input, output }
}

const words = (count: number) => Array.from({ length: count }, () => 'x')
const run = (input: string, output: string, classifier: string, ...more: string[]) => [
  ...['run', input, output, '--classifier', `${FIXTURES}:${classifier}`, '--workers', '2', '--log-format', 'json'],
  ...more,
]
const lineOf = (lines: readonly JsonLine[], what: Readonly<Record<string, unknown>>) =>
  lines.find(line => Object.entries(what).every(([name, value]) => line[name] === value))
const isWorker = (value: unknown) => /-\d+-\d+$/.test(String(value))

/** The error that ended a command, which is its only line of that level. */
function endOf({ code, stderr }: Pick<Finished, 'code' | 'stderr'>): JsonLine {
  const errors = jsonLines(stderr).log.filter(({ level }) => level === 'error')
  assert.equal(errors.length, 1, stderr)
  assert.equal(errors[0]!['exitCode'], code, stderr)
  return errors[0]!
}

test('a command line that is wrong is told in JSON, for every command', async () => {
  await Promise.all(
    COMMANDS.map(async ({ name }) => {
      const end = endOf(await rowmill([...name.split(' '), '--bogus'], { env: JSON_LOG }))
      assert.deepEqual([end['command'], end['code'], end['exitCode']], [name, 'USAGE', 2])
    }),
  )
  const others = [[], ['bogus'], ['jobs'], ['run', '--workers', 'many']]
  for (const args of others) jsonLines((await rowmill(args, { env: JSON_LOG })).stderr)
})

/** What each command that connects takes. */
const CONNECTS: Readonly<Record<string, readonly string[]>> = {
  run: ['IN', 'OUT', '--classifier', `${FIXTURES}:a_float`],
  publish: ['IN'],
  work: ['--classifier', `${FIXTURES}:a_float`],
  collect: ['OUT', '--job', 'orders'],
  tail: ['--job', 'orders'],
  verify: ['IN', '--job', 'orders'],
  'rejects list': ['--job', 'orders'],
  'rejects export': ['OUT', '--job', 'orders'],
  'rejects replay': ['--job', 'orders'],
  'jobs open': ['--job', 'orders', '--columns', 'A,B'],
  'jobs list': [],
  'jobs cancel': ['--job', 'orders'],
  'jobs rm': ['orders'],
  'topics apply': [],
  'topics check': [],
}

test('a broker that cannot be reached is told in JSON, by every command that connects', async t => {
  const { input, output } = rowsIn(t, words(3))
  for (const [name, operands] of Object.entries(CONNECTS)) {
    const given = operands.map(word => ({ IN: input, OUT: output })[word] ?? word)
    const ended = await rowmill([...name.split(' '), ...given, '--brokers', NOBODY], { env: JSON_LOG })
    const end = endOf(ended)
    assert.deepEqual([end['command'], end['code'], end['exitCode']], [name, 'BROKER_UNREACHABLE', 3], ended.stderr)
    if (operands.includes('--job')) assert.equal(end['job'], 'orders')
  }
})

test('a run says its job in every line, the worker of what its classifier prints, and its progress to the end', async t => {
  const { input, output } = rowsIn(t, words(250))
  const more = ['--progress', 'json', '-o', 'json']
  const ended = await rowmill(run(input, output, 'prints', ...more), {
    env: { ROWMILL_BROKERS: await brokerAddress() },
  })
  assert.equal(ended.code, 0, ended.stderr)
  const { job, pipeline } = JSON.parse(ended.stdout)
  const { log, progress } = jsonLines(ended.stderr)
  for (const line of log) assert.deepEqual([line['command'], line['job'], line['pipeline']], ['run', job, pipeline])
  const printed = log.filter(({ source }) => source === 'classifier')
  const texts = ['hello from the classifier', 'and from its error output']
  assert.deepEqual([...new Set(printed.map(({ msg }) => msg))].sort(), texts.sort())
  assert.ok(printed.every(({ worker, level }) => isWorker(worker) && level === 'info'))
  const last = progress.at(-1)!
  const rows = { published: 250, classified: 250, written: 250, rejected: 0, total: 250, etaSeconds: 0 }
  const end = { ...{ command: 'run', job, pipeline, stage: 'complete', done: true, exitCode: 0, code: null }, ...rows }
  assert.deepEqual({ ...last, ...end }, last)
  assert.ok(progress.slice(0, -1).every(({ done, exitCode }) => done === false && exitCode === null))
  assert.ok(ended.stderr.endsWith(`${JSON.stringify(last)}\n`))
})

test('a classifier that fails ends with its code, its facts and its cure, and its progress with the code', async t => {
  const { input, output } = rowsIn(t, [...words(20), 'bad'])
  const ended = await rowmill(run(input, output, 'raises', '--progress', 'json'), {
    env: { ROWMILL_BROKERS: await brokerAddress() },
  })
  const end = endOf(ended)
  assert.deepEqual([end['code'], end['exitCode']], ['REJECTS_OVER_BUDGET', 5])
  assert.match(String(end['cure']), /^once the classifier is repaired, resume with: rowmill run --resume /)
  assert.equal(typeof end['facts'], 'object')
  const last = jsonLines(ended.stderr).progress.at(-1)!
  assert.deepEqual([last['stage'], last['done'], last['exitCode'], last['code']], ['failed', true, 5, end['code']])
})

test('a classifier that dies is a warning with its worker, job and code', async t => {
  const { input, output } = rowsIn(t, words(3))
  const ended = await rowmill(run(input, output, 'dies', '--max-rejects', '100%', '--probe', '0'), {
    env: { ROWMILL_BROKERS: await brokerAddress() },
  })
  const { log } = jsonLines(ended.stderr)
  const again = lineOf(log, { level: 'warn', code: 'CLASSIFIER_DIED' })
  assert.ok(again && isWorker(again['worker']) && again['job'], ended.stderr)
})

test('a worker that is killed is a warning with its name, and a run that is interrupted names the command that resumes it', async t => {
  const { input, output } = rowsIn(t, words(400))
  const options = ['--batch-rows', '10', '--progress', 'json']
  const running = startRowmill(run(input, output, 'slow', ...options), {
    env: { ROWMILL_BROKERS: await brokerAddress() },
  })
  const lines = () =>
    running
      .said()
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as JsonLine)
  await until('rows are classified', () => lines().some(({ classified }) => Number(classified) > 0))
  const isWorkers = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker-process')
  process.kill(descendants(running.child.pid!).find(({ pid }) => isWorkers(pid))!.pid, 'SIGKILL')
  await until('the death is logged', () => lines().some(({ code }) => code === 'WORKER_DIED'))
  running.child.kill('SIGINT')
  const ended = await running.finished
  const end = endOf(ended)
  assert.deepEqual([end['code'], end['signal'], end['exitCode']], ['INTERRUPTED', 'SIGINT', 130])
  assert.match(String(end['resume']), /^rowmill run --resume /)
  const { log, progress } = jsonLines(ended.stderr)
  assert.ok(isWorker(lineOf(log, { level: 'warn', code: 'WORKER_DIED' })!['worker']))
  assert.deepEqual([progress.at(-1)!['done'], progress.at(-1)!['code']], [true, 'INTERRUPTED'])
})

test('a second signal ends in JSON too', async t => {
  const { input, output } = rowsIn(t, words(400))
  const running = startRowmill(run(input, output, 'slow', '--progress', 'json'), {
    env: { ROWMILL_BROKERS: await brokerAddress() },
  })
  await until('rows are published', () => running.said().includes('"published":400'))
  running.child.kill('SIGSTOP') // both signals are there before it can end
  running.child.kill('SIGINT')
  running.child.kill('SIGTERM')
  running.child.kill('SIGCONT')
  const { progress } = jsonLines((await running.finished).stderr)
  assert.equal(progress.at(-1)!['done'], true)
})

test('a broker that is lost and comes back is told in JSON, without a line that is not', async t => {
  const proxy = await brokerBehindProxy(t)
  const { input, output } = rowsIn(t, words(300))
  const running = startRowmill(run(input, output, 'slow', '--batch-rows', '5', '--probe', '0', '--progress', 'json'), {
    env: { ROWMILL_BROKERS: proxy.address },
  })
  await until('rows are written', () => /"written":[1-9]/.test(running.said()))
  await proxy.refuse()
  await until('the outage is logged', () => running.said().includes('BROKER_UNREACHABLE'))
  await proxy.accept()
  const ended = await running.finished
  assert.equal(ended.code, 0, ended.stderr)
  const { log } = jsonLines(ended.stderr)
  assert.ok(lineOf(log, { level: 'warn', code: 'BROKER_UNREACHABLE' }))
  assert.ok(
    log.some(({ msg }) => /^(worker \S+: )?the broker is back/.test(String(msg))),
    ended.stderr,
  )
})

test('warnings of Node and an error that nobody caught are lines, in the command and in a process of workers', async t => {
  const { folder, input, output } = rowsIn(t, words(400))
  const preload = join(folder, 'preload.cjs')
  writeFileSync(
    preload,
    `const isWorker = process.argv[1]?.includes('worker-process')
const print = where => { process.emitWarning(where); console.error('a library\\nprints') }
if (isWorker) print('in a worker')
else process.on('SIGUSR2', () => { print('in the command'); setImmediate(() => { throw new Error('nobody caught this') }) })`,
  )
  const running = startRowmill(run(input, output, 'slow', '--progress', 'json'), {
    env: { ROWMILL_BROKERS: await brokerAddress(), NODE_OPTIONS: `--require ${preload}` },
  })
  await until('a worker has printed', () => /"prints"/.test(running.said()) && /: in a worker/.test(running.said()))
  running.child.kill('SIGUSR2')
  const ended = await running.finished
  const end = endOf(ended)
  assert.deepEqual([end['code'], end['exitCode']], ['INTERNAL', 1])
  assert.match(String(end['stack']), /nobody caught this\n +at /)
  const { log, progress } = jsonLines(ended.stderr)
  assert.ok(lineOf(log, { source: 'node', msg: 'Warning: in the command' }), ended.stderr)
  const stray = log.filter(({ msg }) => msg === 'a library' || msg === 'prints').map(({ worker = null }) => worker)
  assert.ok(stray.includes(null) && stray.some(isWorker), ended.stderr)
  const inWorker = log.find(({ source, msg }) => source === 'process' && String(msg).endsWith('Warning: in a worker'))
  assert.ok(inWorker && isWorker(inWorker['worker']), ended.stderr)
  assert.equal(progress.at(-1)!['code'], 'INTERNAL')
})

test('work, publish and collect say what they do, each with its job or worker', async t => {
  const { pipeline } = await testPipeline(t)
  const { input, output } = rowsIn(t, ['x', 'bad', 'x'])
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline, ROWMILL_LOG_FORMAT: 'json' }
  const classifier = ['--classifier', `${FIXTURES}:raises`, '--workers', '1']
  const working = startRowmill(['work', ...classifier], { env })
  const published = await rowmill(['publish', input, '--max-rejects', '1', '--progress', 'json'], { env })
  assert.equal(published.code, 0, published.stderr)
  const job = published.stdout.trim()
  const publishing = jsonLines(published.stderr)
  assert.ok(publishing.log.every(line => line['job'] === job && line['pipeline'] === pipeline))
  assert.equal(publishing.progress.at(-1)!['published'], 3)
  const collected = await rowmill(['collect', output, '--job', job, '--progress', 'json'], { env })
  assert.equal(collected.code, 4, collected.stderr)
  const { progress } = jsonLines(collected.stderr)
  const last = progress.at(-1)!
  assert.deepEqual([last['stage'], last['written'], last['rejected'], last['exitCode']], ['complete', 2, 1, 4])
  working.child.kill('SIGTERM')
  const { log } = jsonLines((await working.finished).stderr)
  assert.ok(log.every(line => line['command'] === 'work' && line['pipeline'] === pipeline))
})

test('--log-level holds lines back in both formats, and the classifier is always shown', async t => {
  const { input, output } = rowsIn(t, words(3))
  const ended = async (...more: string[]) => {
    const args = run(input, output, 'prints', '--force', ...more)
    const { code, stderr } = await rowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress() } })
    assert.equal(code, 0, stderr)
    return stderr
  }
  const warnings = jsonLines(await ended('--log-level', 'warn')).log
  assert.deepEqual([...new Set(warnings.map(({ source }) => source))], ['classifier'])
  const text = await ended('--log-format', 'text', '--log-level', 'warn')
  assert.deepEqual([...new Set(text.trim().split('\n'))].sort(), [
    'and from its error output',
    'hello from the classifier',
  ])
})

test('--log-level debug shows the lines of KafkaJS, masked and not too many, and no other level does', async t => {
  const { input, output } = rowsIn(t, words(60))
  const env = { ROWMILL_BROKERS: await brokerAddress(), KAFKAJS_LOG_LEVEL: 'debug' }
  const ended = async (...more: string[]) =>
    (await rowmill(run(input, output, 'slow', '--force', '--probe', '0', ...more), { env })).stderr
  const shown = jsonLines(await ended('--log-level', 'debug')).log.filter(({ source }) => source === 'kafkajs')
  assert.ok(shown.some(({ msg, level }) => level === 'debug' && /kafkajs: Connection: Connecting/.test(String(msg))))
  const [more] = shown.flatMap(({ msg }) => /and ([\d,]+) more lines of kafkajs/.exec(String(msg))?.[1] ?? [])
  assert.ok(more !== undefined)
  assert.ok(!jsonLines(await ended()).log.some(({ source }) => source === 'kafkajs'))
  const text = await ended('--log-format', 'text', '--log-level', 'debug')
  assert.match(text, /^rowmill: kafkajs: Connection: Connecting \(/m)
  assert.doesNotMatch(await ended('--log-format', 'text'), /kafkajs/)
})

test('--log-level debug shows the lines of KafkaJS of topics and doctor too', async t => {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline, ROWMILL_LOG_FORMAT: 'json' }
  for (const args of [['topics', 'plan'], ['topics', 'check'], ['doctor']]) {
    const ofClient = async (...more: string[]) =>
      jsonLines((await rowmill([...args, ...more], { env })).stderr).log.filter(({ source }) => source === 'kafkajs')
    assert.ok((await ofClient('--log-level', 'debug')).length > 0, `${args}`)
    assert.deepEqual(await ofClient(), [], `${args}`)
  }
})

test('each line of status says the pipeline, and the job if it is about one', async t => {
  const { input } = rowsIn(t, words(3))
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline, ROWMILL_LOG_FORMAT: 'json' }
  assert.equal((await rowmill(['publish', input, '--job', 'orders', '--partitions', '1'], { env })).code, 0)
  const { stderr } = await rowmill(['status', 'orders', '--log-level', 'debug'], { env })
  const said = jsonLines(stderr).log.filter(({ source }) => source === 'kafkajs')
  assert.ok(said.length > 0, stderr)
  for (const { job, pipeline: of } of said) assert.deepEqual([job, of], ['orders', pipeline])
})

test('what docs/logs.md shows works: the wrapper in Python prints progress and messages, and jq what to look at', async t => {
  const { folder, input } = rowsIn(t, words(300))
  copyFileSync(input, join(folder, 'rows.csv'))
  copyFileSync(FIXTURES, join(folder, 'fixtures.py'))
  writeFileSync(join(folder, 'black_box.py'), 'from fixtures import a_float as classify_df\n')
  const [first, error, wrapper, jq, ...others] = blocksOf('docs/logs.md')
  assert.deepEqual(others, [])
  jsonLines(error!.text)
  writeFileSync(join(folder, wrapper!.file!), wrapper!.text)
  mkdirSync(join(folder, 'bin'))
  symlinkSync(BIN, join(folder, 'bin/rowmill'))
  const PATH = [join(folder, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const env = { PATH, ROWMILL_BROKERS: await brokerAddress(), ROWMILL_WORKERS: '1' }
  const shell = (line: string) => startProgram('bash', ['-ec', line], { cwd: folder, env }).finished
  const plain = await shell(first!.text)
  assert.equal(plain.code, 0, plain.stderr)
  jsonLines(plain.stderr)
  const wrapped = await startProgram(python, [wrapper!.file!], { cwd: folder, env }).finished
  assert.equal(wrapped.code, 0, wrapped.stderr)
  assert.match(wrapped.stdout, /^complete: 300 of 300 rows, 0 s left$/m)
  assert.match(wrapped.stdout, /^info: 300 rows in /m)
  const looked = await shell(jq!.text)
  assert.deepEqual([looked.code, looked.stderr], [0, ''])
})
