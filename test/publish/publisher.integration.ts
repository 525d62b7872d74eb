import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Source, SourceHeader, SourceRows } from '../../src/connector.ts'
import { partitionOf, rowsInPartition, seqOf } from '../../src/core/sequence.ts'
import { RowmillError } from '../../src/errors.ts'
import { Kafka, type Producer } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { EndOfInput, Job, Rows, Values } from '../../src/model.ts'
import { failJob } from '../../src/pipeline/append-job.ts'
import type { PipelineContext } from '../../src/pipeline/context.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import type { PublishOptions } from '../../src/publish/publish-options.ts'
import { publish } from '../../src/publish/publisher.ts'
import { decode } from '../../src/wire/codec.ts'
import type { WireRecord } from '../../src/wire/record.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'
import { readTopic } from '../helpers/pipeline.ts'
import { taken } from '../helpers/taken.ts'
import { until } from '../helpers/until.ts'

const silent = () => {}
const HEADER: SourceHeader = {
  columns: ['ID', 'TEXT'],
  indexKind: 'integer',
  identity: { name: 'in.csv', size: 9, mtimeMs: 2 },
  total: null,
  options: [{ name: 'readCsv', value: '{"sep":";"}' }],
}

/** A source of these rows in runs of `runRows`. Each row is one line, except every seventh, which has three. */
function sourceOf(rows: readonly Values[], { runRows = 10, atEnd = async () => {} } = {}): Source {
  return {
    open: async () => HEADER,
    async *rows(): AsyncIterable<SourceRows> {
      let line = 2
      for (let start = 0; start < rows.length; start += runRows) {
        const run = rows.slice(start, start + runRows)
        const lines = run.map((_, i) => {
          const here = line
          line += (start + i) % 7 === 6 ? 3 : 1
          return here
        })
        yield { rows: run, lines }
      }
      await atEnd()
    },
    close: async () => {},
  }
}

const lineOf = (seq: number) => 2 + seq + 2 * Math.floor(seq / 7)
const numbered = (count: number): Values[] => Array.from({ length: count }, (_, i) => [String(i), `text ${i}`])

/** A client that records when each message is sent to the broker and when it is acknowledged, and can hold it back. */
class WatchedKafka extends Kafka {
  readonly events: { what: 'sent' | 'acked'; topic: string; partition: number; record: WireRecord }[] = []
  /** The bytes of all messages. */
  readonly values: Buffer[] = []
  hold: (topic: string) => Promise<void> = async () => {}

  override async producer(): Promise<Producer> {
    const producer = await super.producer()
    const send = producer.send.bind(producer)
    producer.send = async (to, given, signal) => {
      const messages = await taken(given)
      const note = (what: 'sent' | 'acked') =>
        this.events.push(...messages.map(({ value }) => ({ what, ...to, record: decode(value) })))
      note('sent')
      this.values.push(...messages.map(({ value }) => value))
      await this.hold(to.topic)
      const offset = await send(to, messages, signal)
      note('acked')
      return offset
    }
    return producer
  }
}

interface Bench {
  readonly kafka: WatchedKafka
  readonly pipeline: string
  readonly jobs: JobLog
  publish(rows: Source, more?: Partial<PipelineContext & PublishOptions>, header?: SourceHeader): Promise<number>
  /** Every record of the topic, by partition. */
  read(topic: string, partitions: number): Promise<WireRecord[][]>
}

async function bench(t: TestContext, layout: { partitions: number; blockRows: number }): Promise<Bench> {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, layout.partitions)
  const kafka = new WatchedKafka({ brokers: [await brokerAddress()], clientId: 'test' })
  const jobs = await JobLog.open(kafka, pipeline, silent)
  t.after(() => jobs.close())
  const context = { kafka, pipeline, jobs, say: silent, signal: new AbortController().signal }
  const options = { job: 'j', layout, options: [{ name: 'toCsv', value: '{}' }], by: 'test' }
  const read = (topic: string, partitions: number) => readTopic(kafka, topic, partitions)
  return {
    kafka,
    pipeline,
    jobs,
    read,
    publish: (rows, more = {}, header = HEADER) =>
      publish({ ...context, ...more }, rows, { header, ...options, ...more }),
  }
}

for (const [total, partitions, blockRows] of [
  [100, 3, 7],
  [12, 2, 3],
  [10, 8, 1],
  [0, 4, 100],
] as const) {
  test(`${total} rows in ${partitions} partitions and blocks of ${blockRows} are where the arithmetic says, before markers`, async t => {
    const layout = { partitions, blockRows }
    const { publish, read, pipeline } = await bench(t, layout)
    const rows = numbered(total)
    assert.equal(await publish(sourceOf(rows)), total)
    const found: Values[] = []
    const records = await read(topicsOf(pipeline).rows, partitions)
    records.forEach((here, partition) => {
      const marker = here.at(-1)!
      assert.deepEqual(marker, { kind: 'end', value: endOf(partition, total, layout) })
      let position = 0
      for (const record of here.slice(0, -1)) {
        assert.equal(record.kind, 'rows')
        const run = record.value as Rows
        assert.equal(run.seq, seqOf({ partition, position }, layout))
        assert.ok((run.seq % blockRows) + run.count <= blockRows, 'a message holds rows of one block')
        assert.equal(run.line, lineOf(run.seq))
        run.rows.forEach((row, i) => {
          found[run.seq! + i] = row
        })
        const steps = run.rows.map((_, i) => lineOf(run.seq! + i + 1) - lineOf(run.seq! + i))
        const told = run.lineSteps ?? run.rows.map(() => 1)
        assert.deepEqual(told.slice(0, -1), steps.slice(0, -1))
        position += run.count
      }
    })
    assert.deepEqual(found, rows)
    assert.ok(found.every((_, seq) => partitionOf(seq, layout) < partitions))
  })
}

function endOf(partition: number, total: number, layout: { partitions: number; blockRows: number }): EndOfInput {
  const rows = rowsInPartition(partition, total, layout)
  return { job: 'j', epoch: 0, from: 0, attempt: 0, partition, rows, total }
}

test('the bytes of a message stay until it is acknowledged, also if it is sent again; then their memory is free', async t => {
  const { publish, kafka, pipeline } = await bench(t, { partitions: 2, blockRows: 5 })
  const { rows: topic } = topicsOf(pipeline)
  let failures = 0
  kafka.hold = async to => {
    if (to === topic && failures++ < 2) throw Object.assign(new Error('lost'), { type: 'LOST', retriable: true })
  }
  await publish(sourceOf(numbered(100)))
  const sent = kafka.events.filter(({ what, record }) => what === 'sent' && record.kind === 'rows')
  assert.ok(sent.length > 20, 'some messages were sent again')
  const kept = kafka.values.filter(({ length }) => length > 0).map(value => decode(value).kind)
  assert.deepEqual(new Set(kept), new Set(['job', 'end']))
})

test('the job record comes before the first row, the markers after the last, the end of the job last', async t => {
  const { publish, kafka, pipeline } = await bench(t, { partitions: 3, blockRows: 5 })
  await publish(sourceOf(numbered(64)))
  const steps = kafka.events.map(({ what, record }) => {
    return record.kind === 'job' ? `${what} ${record.value.state}` : `${what} ${record.kind}`
  })
  const order = ['sent open', 'acked open', 'sent rows', 'acked rows', 'sent end', 'acked end', 'sent ended']
  for (let i = 1; i < order.length; i++) {
    const [before, after] = [order[i - 1]!, order[i]!]
    const atOnce = before.startsWith('sent')
    const last = atOnce ? steps.indexOf(before) : steps.lastIndexOf(before)
    assert.ok(last >= 0 && last < steps.indexOf(after), `${after} after ${before}`)
  }
  assert.equal(kafka.events.at(-1)!.topic, topicsOf(pipeline).jobs)
})

test('the job record describes the source, the layout and where its rows and results begin', async t => {
  const { publish, jobs } = await bench(t, { partitions: 2, blockRows: 5 })
  await publish(sourceOf(numbered(30)), { job: 'before' })
  await publish(sourceOf(numbered(7)))
  const { at, by, ...job } = await jobs.until('j', ({ state }) => state === 'ended', new AbortController().signal)
  assert.ok(Math.abs(Date.now() - at) < 60_000)
  assert.match(by, /^test \S+\/\d+\/[0-9a-f]{12}$/)
  assert.deepEqual(job, {
    ...{ id: 'j', epoch: 0, attempt: 0, state: 'ended', reason: null, columns: ['ID', 'TEXT'] },
    ...{ sequenced: true, bounded: true, partitions: 2, blockRows: 5, topic: job.topic, from: 0, total: 7 },
    ...{ rowsFrom: [4, 4], resultsFrom: [0, 0], source: HEADER.identity, indexKind: 'integer' },
    options: [...HEADER.options, { name: 'toCsv', value: '{}' }],
  } satisfies Omit<Job, 'at' | 'by'>)
})

test('the key of every message is the id of the job', async t => {
  const { publish, pipeline } = await bench(t, { partitions: 2, blockRows: 5 })
  await publish(sourceOf(numbered(20)), { job: 'the-job' })
  const keysOnly = ['--formatter-property', 'print.key=true', '--formatter-property', 'print.value=false']
  const messages = 4 + 2 + 2
  const text = await runKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...['--bootstrap-server', await brokerAddress(), '--from-beginning', '--max-messages', String(messages)],
    ...['--include', `${pipeline}\\.(rows|jobs)`, '--timeout-ms', '60000', ...keysOnly],
  ])
  assert.deepEqual(text.trim().split('\n'), Array(messages).fill('the-job'))
})

test('messages are cut at 256 KB, and a longer row travels alone', async t => {
  const { publish, read, pipeline, kafka } = await bench(t, { partitions: 1, blockRows: 10 })
  const sizes = [100_000, 100_000, 100_000, 600_000, 10, 10, 250_000, 20_000, 5, 5, 5]
  const rows = sizes.map((size, i) => [String(i), 'x'.repeat(size)])
  await publish(sourceOf(rows))
  const [records] = await read(topicsOf(pipeline).rows, 1)
  const counts = records!.flatMap(({ kind, value }) => (kind === 'rows' ? [value.count] : []))
  assert.deepEqual(counts, [2, 1, 1, 3, 3, 1])
  assert.deepEqual(
    records!.flatMap(({ kind, value }) => (kind === 'rows' ? value.rows : [])),
    rows,
  )
  assert.equal(kafka.events.filter(({ what, record }) => what === 'acked' && record.kind === 'rows').length, 6)
})

test('at most a few megabytes are read ahead of the acknowledgements', async t => {
  const { publish, kafka } = await bench(t, { partitions: 2, blockRows: 10 })
  const opened = Promise.withResolvers<void>()
  let read = 0
  const source = sourceOf([])
  source.rows = async function* () {
    for (; read < 200; read++) yield { rows: [[String(read), 'x'.repeat(100_000)]], lines: [read + 2] }
  }
  const held = Promise.withResolvers<void>()
  kafka.hold = topic => {
    if (!topic.endsWith('.rows')) return Promise.resolve()
    held.resolve()
    return opened.promise
  }
  const publishing = publish(source)
  await held.promise
  await until('it reads ahead', () => read > 20)
  await new Promise(resolve => setTimeout(resolve, 200)) // no event tells that nothing more is read
  assert.ok(read < 60, `${read} rows of 100 KB were read`)
  opened.resolve()
  assert.equal(await publishing, 200)
})

test('progress counts the acknowledged rows up to the last', async t => {
  const { publish } = await bench(t, { partitions: 2, blockRows: 5 })
  const told: number[] = []
  await publish(sourceOf(numbered(64)), { onProgress: rows => told.push(rows) })
  assert.equal(told.at(-1), 64)
  assert.deepEqual(
    told,
    [...told].sort((a, b) => a - b),
  )
})

test('a source that fails midway fails the job with its code, and nothing closes its partitions', async t => {
  const { publish, jobs, read, pipeline } = await bench(t, { partitions: 2, blockRows: 5 })
  const broken = async () => {
    throw new RowmillError('INPUT_QUOTE', 'in.csv, line 32: a quote is never closed')
  }
  await assert.rejects(publish(sourceOf(numbered(30), { atEnd: broken })), { code: 'INPUT_QUOTE' })
  const { reason, by } = await jobs.until('j', ({ state }) => state === 'failed', new AbortController().signal)
  assert.deepEqual(reason, { code: 'INPUT_QUOTE', place: null, message: 'in.csv, line 32: a quote is never closed' })
  assert.equal(by, 'test')
  const records = (await read(topicsOf(pipeline).rows, 2)).flat()
  assert.equal(
    records.some(({ kind }) => kind === 'end'),
    false,
  )
})

test('a restarted publisher resumes after the rows in the topic, and sends none twice', async t => {
  const layout = { partitions: 3, blockRows: 5 }
  const { publish, read, pipeline, kafka, jobs } = await bench(t, layout)
  const rows = numbered(100)
  const stop = new AbortController()
  let requests = 0
  kafka.hold = async topic => {
    if (topic.endsWith('.rows') && ++requests === 2) {
      const isAcked = () => kafka.events.some(event => event.what === 'acked' && event.topic === topic)
      await until('the first request is acknowledged', isAcked)
      stop.abort(new RowmillError('INTERRUPTED', 'killed'))
      throw stop.signal.reason
    }
  }
  await assert.rejects(publish(sourceOf(rows), { signal: stop.signal }), { code: 'INTERRUPTED' })
  const rowsIn = async () => {
    const records = (await read(topicsOf(pipeline).rows, layout.partitions)).flat()
    return records.flatMap(({ kind, value }) => (kind === 'rows' ? [value] : []))
  }
  const before = (await rowsIn()).reduce((sum, { count }) => sum + count, 0)
  assert.ok(before > 0 && before < 100, `${before} rows were in the topic`)
  kafka.hold = async () => {}
  assert.equal(await publish(sourceOf(rows)), 100)
  const found = (await rowsIn()).flatMap(({ seq, rows }) => rows.map((row, i) => [seq! + i, row] as const))
  assert.deepEqual(
    found.sort(([a], [b]) => a - b),
    rows.map((row, seq) => [seq, row]),
  )
  const ends = (await read(topicsOf(pipeline).rows, layout.partitions)).map(records => records.at(-1)!.kind)
  assert.deepEqual(ends, ['end', 'end', 'end'])
  assert.deepEqual([(await jobs.latest('j'))!.state, (await jobs.latest('j'))!.total], ['ended', 100])
})

test('a publisher killed between two ends of input sends only the missing ones', async t => {
  const { publish, read, pipeline, kafka } = await bench(t, { partitions: 3, blockRows: 5 })
  const stop = new AbortController()
  let ends = 0
  kafka.hold = async () => {
    if (kafka.events.at(-1)!.record.kind !== 'end' || ++ends === 1) return
    const isAcked = () => kafka.events.some(({ what, record }) => what === 'acked' && record.kind === 'end')
    await until('the first end of input is acknowledged', isAcked)
    stop.abort(new RowmillError('INTERRUPTED', 'killed'))
    throw stop.signal.reason
  }
  await assert.rejects(publish(sourceOf(numbered(20)), { signal: stop.signal }), { code: 'INTERRUPTED' })
  kafka.hold = async () => {}
  await publish(sourceOf(numbered(20)))
  const records = await read(topicsOf(pipeline).rows, 3)
  assert.deepEqual(
    records.map(here => here.filter(({ kind }) => kind === 'end').length),
    [1, 1, 1],
  )
})

test('a completely published job is not published again, and that is reported', async t => {
  const { publish, kafka } = await bench(t, { partitions: 1, blockRows: 5 })
  await publish(sourceOf(numbered(3)))
  const written = kafka.events.length
  const said: string[] = []
  assert.equal(await publish(sourceOf(numbered(3)), { say: message => said.push(message) }), 3)
  assert.deepEqual(said, ['job j is published already: 3 rows'])
  assert.equal(kafka.events.length, written)
})

test('an id used for another file, or with other options, is refused before anything is written', async t => {
  const { publish, kafka } = await bench(t, { partitions: 1, blockRows: 5 })
  await publish(sourceOf(numbered(3)))
  const written = kafka.events.length
  const { identity } = HEADER
  const others: [Partial<SourceHeader>, RegExp][] = [
    [{ identity: { ...identity!, size: 10 } }, /begun with in\.csv \(9 bytes, .*\), and this is in\.csv \(10 bytes/],
    [{ identity: { ...identity!, mtimeMs: 3 } }, /changed 1970-01-01T00:00:00\.003Z/],
    [{ identity: { ...identity!, name: 'other.csv' } }, /and this is other\.csv/],
    [{ identity: null }, /read only once cannot be resumed/],
    [{ options: [{ name: 'readCsv', value: '{"sep":","}' }] }, /other options \(readCsv\)/],
    [{ options: [] }, /other options \(readCsv\)/],
    [{ indexKind: 'text' }, /other options \(indexKind\)/],
  ]
  for (const [more, message] of others) {
    const header = { ...HEADER, ...more }
    await assert.rejects(publish(sourceOf(numbered(3)), {}, header), {
      code: 'JOB_EXISTS',
      facts: { job: 'j', state: 'ended' },
      message,
    })
  }
  assert.equal(kafka.events.length, written)
})

/** Holds back the first record of each of `count` publishers until all of them have found no job with their id. */
function atTheSameMoment(kafka: WatchedKafka, count: number): void {
  const all = Promise.withResolvers<void>()
  let waiting = 0
  kafka.hold = async topic => {
    if (topic.endsWith('.jobs') && ++waiting === count) all.resolve()
    if (topic.endsWith('.jobs')) await all.promise
  }
}

test('two publishers, one id, different sources: the second in the log gets JOB_EXISTS and sends no row', async t => {
  for (const once of [false, true]) {
    const { publish, kafka, pipeline, read } = await bench(t, { partitions: 2, blockRows: 5 })
    atTheSameMoment(kafka, 2)
    const told: string[] = []
    const begin = (text: string, size: number) => {
      const rows = numbered(30).map(([id]) => [id!, text])
      const header = { ...HEADER, identity: once ? null : { ...HEADER.identity!, size } }
      return publish(sourceOf(rows), { onHeld: () => void told.push(text) }, header)
    }
    const texts = ['one', 'two']
    const outcomes = await Promise.allSettled([begin('one', 1), begin('two', 2)])
    const losers = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    assert.deepEqual(
      losers.map(({ reason }) => [reason.code, reason.facts]),
      [['JOB_EXISTS', { job: 'j', state: 'open' }]],
    )
    const winner = texts[outcomes.findIndex(({ status }) => status === 'fulfilled')]!
    const records = (await read(topicsOf(pipeline).rows, 2)).flat()
    const found = new Set(records.flatMap(({ kind, value }) => (kind === 'rows' ? value.rows.map(row => row[1]) : [])))
    assert.deepEqual([...found], [winner])
    assert.deepEqual(told, [winner])
    const states = (await read(topicsOf(pipeline).jobs, 1)).flat().map(({ value }) => (value as Job).state)
    assert.deepEqual(states, ['open', 'open', 'ended'])
  }
})

test('two publishers that begin one id with the same source at the same moment both publish it', async t => {
  const { publish, kafka, jobs } = await bench(t, { partitions: 2, blockRows: 5 })
  atTheSameMoment(kafka, 2)
  assert.deepEqual(await Promise.all([publish(sourceOf(numbered(30))), publish(sourceOf(numbered(30)))]), [30, 30])
  const { state, total } = (await jobs.latest('j'))!
  assert.deepEqual([state, total], ['ended', 30])
})

test('a source with a digest is compared only by the digest', async t => {
  const { publish } = await bench(t, { partitions: 1, blockRows: 5 })
  const said: string[] = []
  const withDigest = (digest: string, identity = HEADER.identity) => ({
    ...HEADER,
    identity,
    options: [...HEADER.options, { name: 'sourceDigest', value: `sha256:${digest}` }],
  })
  await publish(sourceOf(numbered(3)), {}, withDigest('aa'))
  const moved = { name: 'moved.csv', size: 9, mtimeMs: 77 }
  await publish(sourceOf(numbered(3)), { say: message => said.push(message) }, withDigest('aa', moved))
  assert.deepEqual(said, ['job j is published already: 3 rows'])
  await assert.rejects(publish(sourceOf(numbered(3)), {}, withDigest('bb')), {
    code: 'JOB_EXISTS',
    message: /begun with in\.csv \(9 bytes, .*, sha256:aa\), and this is in\.csv \(9 bytes, .*, sha256:bb\)/,
  })
})

test('a job that fails elsewhere ends its publisher with the code and message of the failure', async t => {
  const { publish, jobs, pipeline, kafka, read } = await bench(t, { partitions: 2, blockRows: 5 })
  const sender = new PartitionSender(await kafka.producer(), silent)
  t.after(() => sender.close())
  const more = Promise.withResolvers<void>()
  const publishing = publish(sourceOf(numbered(30), { atEnd: () => more.promise }))
  const job = await jobs.until('j', () => true, new AbortController().signal)
  const error = new RowmillError('CLASSIFIER_FAILED', 'job j, row 3: ValueError: no')
  await failJob(sender, pipeline, job, { error, place: 'row 3', by: 'worker 1' })
  await jobs.until('j', ({ state }) => state === 'failed', new AbortController().signal)
  more.resolve()
  await assert.rejects(publishing, { code: 'CLASSIFIER_FAILED', message: 'job j, row 3: ValueError: no' })
  const [records] = await read(topicsOf(pipeline).jobs, 1)
  assert.deepEqual(
    records!.map(({ value }) => (value as Job).state),
    ['open', 'failed'],
  )
})

test('an interruption ends a publisher at once during an outage, and does not fail the job', async t => {
  const { publish, kafka, jobs } = await bench(t, { partitions: 2, blockRows: 5 })
  const stop = new AbortController()
  const again = Promise.withResolvers<void>()
  let tries = 0
  kafka.hold = async topic => {
    if (!topic.endsWith('.rows')) return
    if (++tries === 4) again.resolve() // two partitions, each for the second time
    throw new Error('the connection was closed')
  }
  const publishing = publish(sourceOf(numbered(30)), { signal: stop.signal })
  await again.promise
  stop.abort(new RowmillError('INTERRUPTED', 'interrupted'))
  await assert.rejects(publishing, { code: 'INTERRUPTED' })
  assert.equal((await jobs.latest('j'))!.state, 'open')
})
