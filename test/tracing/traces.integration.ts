import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readNow } from '../../src/kafka/read-now.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { OtlpReceiver, type ReceivedSpan, TRACING_PROJECT } from '../helpers/otlp-receiver.ts'
import { type Block, blocksOf } from '../helpers/page.ts'

const CLASSIFIERS = join(import.meta.dirname, '../fixtures/classifiers.ts')
const PARENT = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) }

const rowsOf = (count: number) => `ID,A\n${Array.from({ length: count }, (_, i) => `${i},x\n`).join('')}`

/** A pipeline whose commands trace into a receiver. */
async function traced(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const receiver = await OtlpReceiver.start(t)
  const folder = testFolder(t)
  const env = { ...receiver.env, ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const command = async (args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    const ended = await rowmill(args, { cwd: TRACING_PROJECT, env: { ...env, ...more } })
    assert.equal(ended.code, 0, ended.stderr)
    return ended
  }
  return { pipeline, receiver, folder, env, command, topics: topicsOf(pipeline) }
}

/** Where the messages in partition 0 of a topic continue a trace. */
async function tracesIn(topic: string): Promise<(string | undefined)[]> {
  const traces: (string | undefined)[] = []
  const kafka = await testKafka({ headers: ['traceparent'] })
  const reading = { kafka, say: () => {}, signal: new AbortController().signal }
  await readNow(reading, [{ topic, partition: 0, offset: 0 }], (_, { headers }) =>
    traces.push(headers?.['traceparent']),
  )
  return traces
}

test('each command has a span of the job, and each batch one with a link to the publisher', async t => {
  const { pipeline, receiver, folder, command, topics } = await traced(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, rowsOf(250))
  const parent = { TRACEPARENT: `00-${PARENT.traceId}-${PARENT.spanId}-01` }
  await command(['publish', input, '--job', 'j', '--batch-rows', '10', '--partitions', '2'], parent)
  await command(['work', '--classifier', CLASSIFIERS, '--workers', '1', '--batch-rows', '10', '--until-done', 'j'])
  await command(['collect', output, '--job', 'j'])
  assert.equal(readFileSync(output, 'utf8').split('\n').length, 251)

  const [publish, ...others] = receiver.named('publish')
  assert.deepEqual([publish!.name, publish!.service, others.length], [`publish ${pipeline}`, 'rowmill', 0])
  assert.deepEqual([publish!.traceId, publish!.parentSpanId], [PARENT.traceId, PARENT.spanId])
  assert.deepEqual([publish!.attributes['rowmill.job'], publish!.attributes['rowmill.rows']], ['j', 250])
  const [collect] = receiver.named('collect')
  assert.deepEqual(
    [collect!.name, collect!.attributes['rowmill.rows'], collect!.links.length],
    [`collect ${pipeline}`, 250, 0],
  )

  const batches = receiver.named('classify')
  const rows = batches.map(
    ({ attributes }) => [attributes['rowmill.row'], attributes['rowmill.rows']] as [number, number],
  )
  const seqs = rows.flatMap(([from, count]) => Array.from({ length: count }, (_, i) => from + i))
  assert.deepEqual(seqs.length, 250)
  for (const { name, kind, attributes, links, status, parentSpanId } of batches) {
    assert.deepEqual([name, kind, parentSpanId, status.code ?? 0], [`classify ${pipeline}`, 5, '', 0])
    assert.deepEqual(
      links.map(({ traceId, spanId }) => [traceId, spanId]),
      [[PARENT.traceId, publish!.spanId]],
    )
    assert.equal(attributes['messaging.system'], 'kafka')
    assert.equal(attributes['messaging.destination.name'], topics.rows)
    assert.equal(attributes['messaging.consumer.group.name'], `${pipeline}.workers`)
    assert.equal(attributes['rowmill.attempt'], 0)
  }
  const sends = receiver.named('send')
  assert.deepEqual(new Set(sends.map(({ parentSpanId }) => parentSpanId)), new Set(batches.map(({ spanId }) => spanId)))
})

const MESSAGES = 2000
const headersOf = (i: number) => ({ traceparent: `00-${i.toString(16).padStart(32, 'a')}-${'cd'.repeat(8)}-01` })

test('a batch links to each producer that puts its trace into a header, to 128 at most, and a result names its batch', async t => {
  const { receiver, command, topics, env } = await traced(t)
  await command(['jobs', 'open', '--job', 'live', '--columns', 'A'])
  const kafka = await testKafka()
  const producer = await kafka.producer()
  t.after(() => producer.close())
  const messages = Array.from({ length: MESSAGES }, (_, i) => ({
    key: 'live',
    value: Buffer.from(JSON.stringify({ job: 'live', values: [String(i)] })),
    headers: i < 10 ? headersOf(1) : i < 20 ? { traceparent: 'no trace' } : headersOf(i),
  }))
  await producer.send({ topic: topics.rows, partition: 0 }, messages)
  const { child } = startRowmill(['work', '--classifier', CLASSIFIERS, '--workers', '1', '--batch-rows', '1000'], {
    cwd: TRACING_PROJECT,
    env,
  })
  t.after(() => child.kill('SIGKILL'))
  const total = (name: string) =>
    receiver.named(name).reduce((sum, { attributes }) => sum + Number(attributes['rowmill.rows']), 0)
  await receiver.until(
    () => total('classify') === MESSAGES && receiver.named('send').length === receiver.named('classify').length,
  )

  const batches = receiver.named('classify')
  for (const { links } of batches) {
    const traces = links.map(({ traceId }) => traceId)
    assert.equal(new Set(traces).size, traces.length, 'each producer is linked once')
    assert.ok(traces.length <= 128)
  }
  const first = batches.find(({ attributes }) => attributes['messaging.kafka.offset'] === 0)!
  assert.equal(first.links[0]!.traceId, headersOf(1).traceparent.slice(3, 35))
  const long = batches.filter(({ attributes }) => Number(attributes['messaging.batch.message_count']) > 128)
  assert.ok(long.length > 0)
  for (const { links } of long) assert.equal(links.length, 128)
  const named = await tracesIn(topics.results)
  const spans = batches.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`)
  assert.deepEqual(new Set(named), new Set(spans))
})

test('a message that nobody can classify has a span with a link to its producer, and its copy continues that', async t => {
  const { pipeline, receiver, command, topics, env } = await traced(t)
  await command(['topics', 'apply', '--partitions', '1'])
  const kafka = await testKafka()
  const producer = await kafka.producer()
  t.after(() => producer.close())
  const given = ['no row', JSON.stringify({ job: 'nobody', values: ['1'] })]
  const messages = given.map((value, i) => ({ key: '', value: Buffer.from(value), headers: headersOf(i + 1) }))
  await producer.send({ topic: topics.rows, partition: 0 }, messages)
  const { child } = startRowmill(['work', '--classifier', CLASSIFIERS, '--workers', '1'], { cwd: TRACING_PROJECT, env })
  t.after(() => child.kill('SIGKILL'))
  await receiver.until(() => receiver.named('reject').length === 2)

  const spans = receiver.named('reject')
  const said = spans.map(({ name, kind, attributes, links, status, events }) => ({
    ...{ name, kind, offset: attributes['messaging.kafka.offset'], topic: attributes['messaging.destination.name'] },
    ...{ producer: links.map(({ traceId }) => traceId), code: status.code, reason: status.message!.split(' ')[0] },
    events: events.map(({ attributes }) => attributes['exception.type']),
  }))
  const shared = { name: `reject ${pipeline}`, kind: 5, topic: topics.rows, code: 2 }
  const traceOf = (i: number) => headersOf(i).traceparent.slice(3, 35)
  assert.deepEqual(said, [
    { ...shared, offset: 0, producer: [traceOf(1)], reason: 'MALFORMED:', events: ['MALFORMED'] },
    { ...shared, offset: 1, producer: [traceOf(2)], reason: 'UNKNOWN_JOB:', events: ['UNKNOWN_JOB'] },
  ])
  assert.deepEqual(
    await tracesIn(topics.rejects),
    spans.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`),
  )
})

test('a batch whose rows are rejected one by one has one span, which says so', async t => {
  const { receiver, folder, command, topics } = await traced(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, rowsOf(40).replace('7,x', '7,bad').replace('9,x', '9,bad'))
  await command(['publish', input, '--job', 'j', '--batch-rows', '20', '--max-rejects', '5', '--partitions', '1'])
  const classifier = `${CLASSIFIERS}:throwsAtBad`
  await command(['work', '--classifier', classifier, '--workers', '1', '--batch-rows', '20', '--until-done', 'j'])
  const batches = receiver.named('classify')
  const rows = batches.reduce((sum, { attributes }) => sum + Number(attributes['rowmill.rows']), 0)
  assert.equal(rows, 40, 'each row is in one span')
  const failed = batches.filter(({ status }) => status.code === 2)
  const [{ status, events, attributes, traceId, spanId }] = failed as [ReceivedSpan]
  assert.deepEqual([failed.length, attributes['rowmill.rejected']], [1, 2])
  assert.match(status.message!, /^2 of \d+ rows were rejected: CLASSIFIER_FAILED$/)
  assert.deepEqual(
    events.map(({ name, attributes }) => [name, attributes['exception.type'], attributes['rowmill.row']]),
    [
      ['exception', 'CLASSIFIER_FAILED', 7],
      ['exception', 'CLASSIFIER_FAILED', 9],
    ],
  )
  assert.match(String(events[0]!.attributes['exception.message']), /RangeError: cannot classify bad/)
  const trace = `00-${traceId}-${spanId}-01`
  assert.deepEqual(await tracesIn(topics.rejects), [trace, trace], 'the copies continue it')
})

/** The number of its first row, and how many it has. */
function rowsOfBatch({ attributes }: ReceivedSpan): [number, number] {
  return [Number(attributes['rowmill.row']), Number(attributes['rowmill.rows'])]
}

/** A classifier that takes long enough to be lent. From its second call on it waits until another process was called too. */
function waitsForLender(folder: string): string {
  mkdirSync(folder)
  return `import { readdirSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
let calls = 0
export default async rows => {
  writeFileSync(${JSON.stringify(folder)} + '/' + process.pid, '')
  if (++calls > 1) while (readdirSync(${JSON.stringify(folder)}).length < 2) await setTimeout(20)
  await setTimeout(30)
  return rows
}
`
}

test('a batch that another worker classifies has one span, of the worker that cut it', async t => {
  const receiver = await OtlpReceiver.start(t)
  const folder = testFolder(t)
  const [input, slow] = [join(folder, 'in.csv'), join(folder, 'slow.mjs')]
  writeFileSync(input, rowsOf(300))
  writeFileSync(slow, waitsForLender(join(folder, 'seen')))
  const how = ['--workers', '2', '--batch-rows', '10', '--partitions', '1', '--probe', '0', '--output', 'json']
  const env = { ...receiver.env, ROWMILL_BROKERS: await brokerAddress() }
  const run = ['run', input, join(folder, 'out.csv'), '--classifier', slow, ...how]
  const { code, stdout, stderr } = await rowmill(run, { cwd: TRACING_PROJECT, env })
  assert.equal(code, 0, stderr)
  assert.equal(Object.keys(JSON.parse(stdout).rowsByWorker).length, 2, 'one of them lent its classifier')
  const batches = receiver.named('classify')
  assert.equal(new Set(batches.map(({ attributes }) => attributes['rowmill.worker'])).size, 1)
  let next = 0
  for (const [row, rows] of batches.map(rowsOfBatch).sort(([a], [b]) => a - b)) {
    assert.equal(row, next, 'each row is in one span')
    next += rows
  }
  assert.equal(next, 300)
})

test('a later attempt has spans of its own', async t => {
  const { receiver, folder, command } = await traced(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, rowsOf(10).replace('7,x', '7,bad'))
  await command(['publish', input, '--job', 'j', '--batch-rows', '10', '--max-rejects', '1'])
  await command(['work', '--classifier', `${CLASSIFIERS}:throwsAtBad`, '--workers', '1', '--until-done', 'j'])
  await command(['rejects', 'replay', '--job', 'j'])
  await command(['work', '--classifier', CLASSIFIERS, '--workers', '1', '--until-done', 'j'])
  const attempts = receiver
    .named('classify')
    .map(({ attributes }) => [
      attributes['rowmill.attempt'],
      attributes['messaging.consumer.group.name'],
      attributes['rowmill.row'],
      attributes['rowmill.rows'],
      attributes['rowmill.rejected'],
    ])
  const group = attempts[0]![1]
  assert.deepEqual(attempts, [
    [0, group, 0, 10, 1],
    [1, attempts[1]![1], 7, 1, 0],
  ])
  assert.notEqual(attempts[1]![1], group)
})

test('a batch that fails its job has a span with the error', async t => {
  const { receiver, folder, command, env } = await traced(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, rowsOf(0))
  await command(['publish', input, '--job', 'j'])
  const classifier = `${CLASSIFIERS}:rejects`
  const work = ['work', '--classifier', classifier, '--workers', '1', '--until-done', 'j']
  const { code, stderr } = await rowmill(work, { cwd: TRACING_PROJECT, env })
  assert.equal(code, 1, stderr)
  const [{ status, events, attributes }, ...others] = receiver.named('classify') as [ReceivedSpan]
  assert.deepEqual([others.length, attributes['rowmill.rows'], status.code], [0, 0, 2])
  assert.match(status.message!, /^CLASSIFIER_FAILED: /)
  assert.deepEqual([events.length, events[0]?.attributes['exception.type']], [1, 'CLASSIFIER_FAILED'])
})

/** A run on the broker of the tests, in a pipeline of its own. */
async function traceRun(t: TestContext, env: Readonly<Record<string, string>>, args: readonly string[] = []) {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, rowsOf(500))
  const command = [
    'run',
    input,
    args.includes('-') ? '-' : output,
    '--classifier',
    CLASSIFIERS,
    '--workers',
    '2',
    '--header',
  ]
  const brokers = { ROWMILL_BROKERS: await brokerAddress() }
  const ended = await rowmill(command, { cwd: TRACING_PROJECT, env: { ...brokers, ...env } })
  assert.equal(ended.code, 0, ended.stderr)
  const written = args.includes('-') ? ended.stdout : readFileSync(output, 'utf8')
  return { ...ended, written }
}

test('a run is one trace, with its publisher and its collector, and names no span after its pipeline', async t => {
  const receiver = await OtlpReceiver.start(t)
  await traceRun(t, receiver.env)
  const [run, publish, collect] = ['run', 'publish', 'collect'].map(name => receiver.named(name)[0]!)
  assert.equal(run!.name, 'run (temporary)')
  for (const below of [publish!, collect!]) {
    assert.deepEqual([below.traceId, below.parentSpanId], [run!.traceId, run!.spanId])
    assert.equal(below.attributes['messaging.destination.temporary'], true)
  }
  const batches = receiver.named('classify')
  assert.ok(batches.length > 0)
  for (const { links } of batches)
    assert.deepEqual(
      links.map(({ spanId }) => spanId),
      [publish!.spanId],
    )
})

test('a worker that is killed leaves whole spans behind, and the job ends as always', async t => {
  const plain = await traceRun(t, {})
  const receiver = await OtlpReceiver.start(t)
  const crash = join(testFolder(t), 'crashed')
  const { written, stderr } = await traceRun(t, { ...receiver.env, ROWMILL_CRASH: `batch-classified:3 ${crash}` })
  assert.match(stderr, /died .*starting/)
  assert.equal(written, plain.written)
  const ids = receiver.spans.map(({ spanId }) => spanId)
  assert.equal(new Set(ids).size, ids.length)
  for (const { startMs, endMs, status } of receiver.spans) assert.ok(endMs >= startMs && status.code !== 2)
  const batches = new Set(receiver.named('classify').map(({ spanId }) => spanId))
  const sends = receiver.named('send')
  assert.ok(sends.length > 0 && sends.every(({ parentSpanId }) => batches.has(parentSpanId)))
})

test('a receiver that hangs, or that is not there, changes no byte and costs a moment at the end', async t => {
  const plain = await traceRun(t, {})
  const receiver = await OtlpReceiver.start(t)
  receiver.hangs = true
  const env = { ...receiver.env, OTEL_BSP_EXPORT_TIMEOUT: '200' }
  const hanging = await traceRun(t, env)
  assert.ok(receiver.requests > 0)
  const gone = await traceRun(t, { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' })
  assert.equal(hanging.written, plain.written)
  assert.equal(gone.written, plain.written)
  for (const { stderr } of [hanging, gone]) assert.doesNotMatch(stderr, /error|ECONN|trac/i)
})

test('what an exporter or its log prints does not get into the rows on standard output', async t => {
  const plain = await traceRun(t, {}, ['-'])
  const printing = { ROWMILL_TRACING: 'true', OTEL_TRACES_EXPORTER: 'console', OTEL_LOG_LEVEL: 'debug' }
  const { written, stderr } = await traceRun(t, printing, ['-'])
  assert.equal(written, plain.written)
  assert.match(stderr, /classify \(temporary\)/)
})

test('an SDK that the user registers is used in every process', async t => {
  const receiver = await OtlpReceiver.start(t)
  const [{ text }] = blocksOf('docs/tracing.md').filter(({ file }) => file === 'tracing.mjs') as [Block]
  const file = join(TRACING_PROJECT, 'node_modules', `test-${process.pid}.mjs`) // Node finds its imports from there, and git ignores it
  writeFileSync(file, text)
  t.after(() => rmSync(file))
  await traceRun(t, { ...receiver.env, NODE_OPTIONS: `--import ${file}` })
  const names = ['run', 'publish', 'classify', 'send', 'collect']
  for (const name of names) assert.equal(receiver.named(name)[0]?.service, 'scoring', name)
})

test('without --tracing nothing of OpenTelemetry is loaded, and nothing of ours for it', async t => {
  const receiver = await OtlpReceiver.start(t)
  const NODE_OPTIONS = `--import ${join(import.meta.dirname, '../fixtures/says-what-it-loads.mjs')}`
  const loads = async (ROWMILL_TRACING: string) => {
    const file = join(testFolder(t), 'loaded')
    await traceRun(t, { ...receiver.env, NODE_OPTIONS, ROWMILL_TRACING, ROWMILL_TEST_LOADED: file })
    const loaded = readFileSync(file, 'utf8').split('\n')
    assert.ok(
      loaded.some(url => url.endsWith('/src/work/worker.ts')),
      'a worker says what it loads',
    )
    return loaded.filter(url => /opentelemetry|src\/tracing/.test(url))
  }
  assert.notDeepEqual(await loads('true'), [])
  assert.deepEqual(await loads('false'), [])
})

test('a missing package is said before anything begins, with the command that installs it', async t => {
  const folder = testFolder(t)
  writeFileSync(join(folder, 'in.csv'), rowsOf(1))
  const brokers = await brokerAddress()
  for (const command of [
    ['run', 'in.csv', 'out.csv', '--classifier', CLASSIFIERS],
    ['work', '--classifier', CLASSIFIERS],
    ['publish', 'in.csv'],
  ]) {
    const { code, stderr } = await rowmill([...command, '--tracing', '--brokers', brokers], { cwd: folder })
    assert.equal(code, 2, stderr)
    assert.match(
      stderr,
      /OpenTelemetry traces need .*npm install @opentelemetry\/api @opentelemetry\/sdk-node.* \[USAGE\]/,
    )
  }
})
