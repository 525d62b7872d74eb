import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { decoding } from '../../src/classifier/decoding.ts'
import type { Batch } from '../../src/core/batcher.ts'
import { type Layout, rowsInPartition } from '../../src/core/sequence.ts'
import { RowmillError } from '../../src/errors.ts'
import { type GroupMember, Kafka, type PartitionOffset, type Producer } from '../../src/kafka/index.ts'
import type { Job, Reject, Result, Rows } from '../../src/model.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { encodeEndOfInput, encodeJob, encodeRows } from '../../src/wire/codec.ts'
import type { WireRecord } from '../../src/wire/record.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { classified, Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { jobRecord, readTopic } from '../helpers/pipeline.ts'
import { type PipelineParts, RunningPipeline, runWorker } from '../helpers/running-pipeline.ts'
import { taken } from '../helpers/taken.ts'
import { until } from '../helpers/until.ts'

const silent = () => {}
const never = new AbortController().signal

/** A client whose requests and commits can be watched and held back. */
class WatchedKafka extends Kafka {
  readonly commits: PartitionOffset[] = []
  beforeSend: (topic: string, partition: number) => Promise<void> = async () => {}
  onSent: (topic: string) => void = silent
  onCommit: () => void = silent

  override async producer(): Promise<Producer> {
    const producer = await super.producer()
    const send = producer.send.bind(producer)
    producer.send = async (to, given, signal) => {
      const messages = await taken(given)
      await this.beforeSend(to.topic, to.partition)
      const offset = await send(to, messages, signal)
      setImmediate(() => this.onSent(to.topic)) // after what the acknowledgement sets off
      return offset
    }
    return producer
  }

  override async member(groupId: string, topics: readonly string[]): Promise<GroupMember> {
    const member = await super.member(groupId, topics)
    const commit = member.commit.bind(member)
    member.commit = async offsets => {
      this.commits.push(...offsets)
      await commit(offsets)
      this.onCommit()
    }
    return member
  }
}

class WatchedPipeline extends RunningPipeline<WatchedKafka> {
  readonly #t: TestContext

  constructor(t: TestContext, parts: PipelineParts<WatchedKafka>) {
    super(t, parts)
    this.#t = t
  }

  static async open(t: TestContext, layout: Layout): Promise<WatchedPipeline> {
    const { pipeline, admin } = await testPipeline(t)
    await ensureTopics(admin, pipeline, layout.partitions)
    const kafka = new WatchedKafka({ brokers: [await brokerAddress()], clientId: 'test' })
    return new WatchedPipeline(t, await RunningPipeline.parts(t, { kafka, pipeline, layout }))
  }

  /** Every record of a topic, by partition. */
  read(topic: string, partitions: number): Promise<WireRecord[][]> {
    return readTopic(this.kafka, topic, partitions)
  }

  readResults(): Promise<WireRecord[][]> {
    return this.read(topicsOf(this.pipeline).results, this.layout.partitions)
  }

  /** A job whose messages the test writes itself. */
  async byHand(job: string): Promise<ByHand> {
    const { rows: topic, jobs } = topicsOf(this.pipeline)
    const producer = await this.kafka.producer()
    this.#t.after(() => producer.close())
    const { partitions, blockRows } = this.layout
    const zeros = Array.from({ length: partitions }, () => 0)
    const record = jobRecord({
      id: job,
      columns: ['ID', 'TEXT'],
      partitions,
      blockRows,
      topic,
      rowsFrom: zeros,
      resultsFrom: zeros,
    })
    const send = (to: string, partition: number, value: Buffer) =>
      producer.send({ topic: to, partition }, [{ key: job, value }])
    return {
      open: () => send(jobs, 0, encodeJob(record)),
      rows: (partition, seq, count) => {
        const none = { line: null, lineSteps: null }
        const rows = numbered(count, seq)
        return send(topic, partition, encodeRows({ job, epoch: 0, from: 0, seq, count, rows, ...none }))
      },
      raw: (partition, value) => send(topic, partition, value),
      end: async total => {
        for (let partition = 0; partition < partitions; partition++) {
          const rows = rowsInPartition(partition, total, this.layout)
          const end = { job, epoch: 0, from: 0, attempt: 0, partition, rows, total }
          await send(topic, partition, encodeEndOfInput(end))
        }
      },
    }
  }
}

interface ByHand {
  open(): Promise<number>
  rows(partition: number, seq: number, count: number): Promise<number>
  raw(partition: number, value: Buffer): Promise<number>
  end(total: number): Promise<void>
}

/** A promise, and the function with which a test resolves it. */
function event(): { came: Promise<void>; now: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { came: promise, now: resolve }
}

test('a message stays until all its rows have acknowledged results, and then its memory is free', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 1, blockRows: 5 })
  const acked = event()
  running.kafka.onSent = topic => topic === topicsOf(running.pipeline).results && acked.now()
  const memories: ArrayBufferLike[] = []
  const inner = decoding(new Exclaimer(), 'worker')
  const classify = async (batch: Batch, job: Job) => {
    memories.push(...batch.parts.map(({ message }) => message.bytes.buffer))
    if (batch.first === 3) await acked.came // the first rows of the same message have a result
    return inner.classify(batch, job)
  }
  const options = { name: 'worker', classifier: { ...inner, classify }, batchRows: 3 }
  const job = await running.byHand('j')
  await job.open()
  await job.rows(0, 0, 5)
  const worker = await runWorker({ ...running, say: silent }, options)
  await acked.came
  await job.end(5) // only now: otherwise the end of input might need the same memory
  const { written } = await running.collect('j')
  assert.deepEqual(written, classified(numbered(5)))
  await worker.drain()
  assert.deepEqual(
    memories.map(({ byteLength }) => byteLength),
    [0, 0],
  )
})

for (const batchRows of [1, 7, 100]) {
  test(`rows come out once, in order and in batches of at most ${batchRows}`, async t => {
    const running = await WatchedPipeline.open(t, { partitions: 3, blockRows: 5 })
    const classifier = new Exclaimer()
    await running.work(classifier, { batchRows })
    const [rows, { written, ...collected }] = await Promise.all([
      running.publish('j', [numbered(203)]),
      running.collect('j'),
    ])
    assert.equal(rows, 203)
    assert.deepEqual(written, classified(numbered(203)))
    assert.deepEqual([collected.rows, collected.rejects, collected.duplicates], [203, 0, 0])
    assert.deepEqual([...collected.rowsByWorker], [['worker', 203]])
    for (const { rows: batch, seqs } of classifier.batches) {
      assert.ok(batch.length > 0 && batch.length <= batchRows)
      assert.deepEqual(
        seqs!.map(String),
        batch.map(([id]) => id),
      )
    }
  })
}

test('the end of input is after the last result in every partition, even in one without rows', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 3, blockRows: 5 })
  await running.work(new Exclaimer(), { batchRows: 2 })
  await Promise.all([running.publish('j', [numbered(9)]), running.collect('j')])
  const kinds = (await running.readResults()).map(records => records.map(({ kind }) => kind))
  assert.deepEqual(kinds, [['result', 'result', 'result', 'end'], ['result', 'result', 'end'], ['end']])
})

test('a job without rows asks the classifier for its columns once', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 3, blockRows: 5 })
  const classifier = new Exclaimer()
  await running.work(classifier)
  const [, { rows }] = await Promise.all([running.publish('j', []), running.collect('j')])
  assert.equal(rows, 0)
  assert.deepEqual(
    classifier.batches.map(batch => batch.rows),
    [[]],
  )
})

test('a second worker joins and leaves while rows flow, and every row comes out once', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 4, blockRows: 5 })
  await running.work(new Exclaimer(), { name: 'first', batchRows: 5 })
  const firstWorks = event()
  async function* flow() {
    let next = 0
    const run = () => {
      next += 20
      return numbered(20, next - 20)
    }
    yield run()
    // Its first batches may be rows whose results the first worker has in the log, uncommitted. Only the second worker
    // can classify the rows that are published after it has partitions.
    let ownFrom = Number.POSITIVE_INFINITY
    let ownRows = false
    const counting = new Exclaimer(async ({ rows }) => {
      if (ownFrom === Number.POSITIVE_INFINITY) ownFrom = next
      else if (Number(rows.at(-1)![0]) >= ownFrom) ownRows = true
    })
    const second = await running.work(counting, { name: 'second', batchRows: 5 })
    while (!ownRows || next < 1000) {
      yield run()
      await new Promise(resolve => setImmediate(resolve))
    }
    await second.drain()
    for (const end = next + 1000; next < end; ) yield run()
    firstWorks.now()
  }
  const [total, { written, rowsByWorker }] = await Promise.all([running.publish('j', flow()), running.collect('j')])
  await firstWorks.came
  assert.deepEqual(written, classified(numbered(total)))
  assert.deepEqual([...rowsByWorker.keys()].sort(), ['first', 'second'])
})

test('a worker that drains leaves nothing to repeat', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 2, blockRows: 5 })
  const [busy, go] = [event(), event()]
  const slow = new Exclaimer(async (_, number) => {
    if (number === 4) busy.now()
    if (number >= 4) await go.came
  })
  const first = await running.work(slow, { name: 'first', batchRows: 5 })
  const collecting = running.collect('j')
  await running.publish('j', [numbered(100)])
  await busy.came
  const drained = first.drain()
  go.now()
  await drained
  assert.ok(slow.batches.length < 8, 'a worker that drains begins nothing new')
  await running.work(new Exclaimer(), { name: 'second', batchRows: 5 })
  const { written, duplicates } = await collecting
  assert.deepEqual(written, classified(numbered(100)))
  assert.equal(duplicates, 0)
})

test('nothing is committed before its result is acknowledged', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 2, blockRows: 5 })
  const { results } = topicsOf(running.pipeline)
  const [release, other, all] = [event(), event(), event()]
  running.kafka.beforeSend = async (topic, partition) => {
    if (topic === results && partition === 0) await release.came
  }
  const ends = new Map<number, number>()
  running.kafka.onCommit = () => {
    for (const { partition, offset } of running.kafka.commits) ends.set(partition, offset)
    if (ends.get(1) === 11) other.now()
    if (ends.get(0) === 11 && ends.get(1) === 11) all.now()
  }
  await running.publish('j', [numbered(100)])
  await running.work(new Exclaimer(), { batchRows: 5 })
  await other.came
  assert.deepEqual(
    running.kafka.commits.filter(({ partition, offset }) => partition === 0 && offset > 0),
    [],
  )
  release.now()
  await all.came
  assert.deepEqual((await running.collect('j')).written, classified(numbered(100)))
})

/** A worker in its own process that never commits and prints a line for each acknowledged result. */
const DEATHLY = `
import { Kafka } from '${new URL('../../src/kafka/index.ts', import.meta.url)}'
import { Worker } from '${new URL('../../src/work/worker.ts', import.meta.url)}'
import { decoding } from '${new URL('../../src/classifier/decoding.ts', import.meta.url)}'
import { taken } from '${new URL('../helpers/taken.ts', import.meta.url)}'

class NoCommits extends Kafka {
  async member(...args) {
    const member = await super.member(...args)
    member.commit = async () => {}
    return member
  }
  async producer() {
    const producer = await super.producer()
    const send = producer.send.bind(producer)
    producer.send = async (to, given) => {
      const messages = await taken(given)
      await send(to, messages)
      for (const _ of messages) console.log('acknowledged')
    }
    return producer
  }
}
const [address, pipeline] = process.argv.slice(1)
const classify = async ({ rows }) => {
  return { columns: ['ID', 'TEXT'], kinds: ['integer', 'text'], rows: rows.map(([id, text]) => [id, text + '!']) }
}
const rowsClassifier = { fingerprint: new Uint8Array(8), start: async () => {}, close: async () => {}, classify }
const classifier = decoding(rowsClassifier, 'deathly')
const kafka = new NoCommits({ brokers: [address], clientId: 'deathly' })
const options = { name: 'deathly', classifier, batchRows: 5 }
await (await Worker.open({ kafka, pipeline, say() {} }, options)).run(new AbortController().signal)
`

async function startDeathly(t: TestContext, pipeline: string): Promise<ChildProcess> {
  const args = ['--input-type=module-typescript', '--eval', DEATHLY, await brokerAddress(), pipeline]
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  return child
}

test('a worker killed after results were acknowledged and before a commit leaves every row once', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 2, blockRows: 5 })
  const deathly = await startDeathly(t, running.pipeline)
  let lines = 0
  createInterface({ input: deathly.stdout! }).on('line', () => {
    if (++lines === 5) deathly.kill('SIGKILL')
  })
  const died = once(deathly, 'exit')
  async function* flow() {
    yield numbered(100)
    await died
    yield numbered(100, 100)
  }
  const publishing = running.publish('j', flow())
  const collecting = running.collect('j')
  await died
  await running.work(new Exclaimer(), { name: 'heir', batchRows: 5 })
  const { written, rowsByWorker, duplicates } = await collecting
  assert.equal(await publishing, 200)
  assert.deepEqual(written, classified(numbered(200)))
  assert.ok(duplicates >= 5, `${duplicates} rows were classified twice`)
  assert.ok((rowsByWorker.get('deathly') ?? 0) >= 5, 'results that the killed worker had sent count')
})

test('messages that are in the topic twice are classified once, even after the end of input', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 2, blockRows: 3 })
  const hand = await running.byHand('j')
  await hand.open()
  await hand.rows(0, 0, 3)
  await hand.rows(1, 3, 2)
  await hand.rows(0, 0, 3)
  await hand.rows(1, 3, 3)
  await hand.rows(0, 6, 1)
  await hand.rows(0, 0, 2)
  await hand.rows(0, 6, 3)
  await hand.end(9)
  await hand.rows(0, 6, 3)
  await hand.end(9)
  await running.work(new Exclaimer(), { batchRows: 100 })
  const { written, duplicates } = await running.collect('j')
  assert.deepEqual(written, classified(numbered(9)))
  assert.equal(duplicates, 0)
})

test('a row above the end of input, or another end, fails the job with its place; others continue', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 2, blockRows: 3 })
  await running.work(new Exclaimer(), { batchRows: 100 })
  for (const [job, says] of [
    ['above', /rows up to position 8 follow the end of input, which says that there are 6$/],
    ['other', /the end of input says 4 of 7 rows, and an earlier one says 6 of 9$/],
  ] as const) {
    const hand = await running.byHand(job)
    await hand.open()
    await hand.rows(0, 0, 3)
    await hand.rows(0, 6, 3)
    await hand.end(9)
    if (job === 'above') await hand.rows(0, 12, 3)
    else await hand.end(7)
    const { reason } = await running.jobs.until(job, ({ state }) => state === 'failed', never)
    assert.equal(reason!.code, 'ROW_MALFORMED')
    assert.match(reason!.place!, /\.rows\[0\]@\d+$/)
    assert.match(reason!.message, says)
  }
  await running.publish('good', [numbered(20)])
  assert.deepEqual((await running.collect('good')).written, classified(numbered(20)))
})

test('jobs that share the pipeline come out separately, though their rows are mixed', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 2, blockRows: 5 })
  await running.work(new Exclaimer(), { batchRows: 7 })
  const ids = ['j1', 'j2', 'j3']
  function* flow(first: number) {
    for (let next = first; next < first + 200; next += 4) yield numbered(4, next)
  }
  const publishing = ids.map((id, i) => running.publish(id, flow(i * 1000)))
  const collected = await Promise.all(ids.map(id => running.collect(id)))
  assert.deepEqual(await Promise.all(publishing), [200, 200, 200])
  assert.deepEqual(
    collected.map(({ written }) => written),
    ids.map((_, i) => classified(numbered(200, i * 1000))),
  )
})

test('a message without a place goes to the rejects, with its offset, and all others continue', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 2, blockRows: 5 })
  const { rejects, rows } = topicsOf(running.pipeline)
  const [hand, stranger] = [await running.byHand('j'), await running.byHand('stranger')]
  await hand.open()
  await hand.raw(0, Buffer.from('garbage'))
  await stranger.rows(0, 0, 1)
  await stranger.rows(0, 1, 1)
  await hand.rows(0, 5, 5) // of partition 1
  await hand.rows(0, 0, 7) // of two blocks
  await hand.raw(0, encodeJob({ ...(await running.jobs.get('j'))! }))
  await hand.rows(0, 0, 5)
  await hand.rows(1, 5, 5)
  await hand.end(10)
  const worker = await running.work(new Exclaimer())
  assert.deepEqual((await running.collect('j')).written, classified(numbered(10)))
  await until('all six are in the rejects', async () => (await running.read(rejects, 1))[0]!.length >= 6)
  const [records] = await running.read(rejects, 1)
  const told = records!.map(({ value }) => value as Reject).sort((a, b) => a.offset - b.offset)
  assert.deepEqual(
    told.map(({ topic, partition, offset, reason, by }) => ({ topic, partition, offset, reason, by })),
    ['MALFORMED', 'UNKNOWN_JOB', 'UNKNOWN_JOB', 'MALFORMED', 'MALFORMED', 'MALFORMED'].map((reason, offset) => {
      return { topic: rows, partition: 0, offset, reason, by: 'worker' }
    }),
  )
  assert.equal(Buffer.from(told[0]!.raw!).toString(), 'garbage')
  assert.match(told[3]!.detail, /row 5 belongs to partition 1/)
  assert.match(told[4]!.detail, /rows 0 to 6 are not of one block/)
  assert.match(told[5]!.detail, /a job record does not belong in/)
  await worker.drain()
  const end = running.kafka.commits.filter(({ partition }) => partition === 0).at(-1)
  assert.equal(end!.offset, 8)
})

const refusal = () => new RowmillError('CLASSIFIER_FAILED', 'ValueError: no such word')

test('a classifier that throws fails the job for publisher and collector; the worker serves the next', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 4, blockRows: 10 })
  const classifier = new Exclaimer(async ({ job, seqs }) => {
    if (job.id === 'bad' && seqs!.includes(57)) throw refusal()
  })
  await running.work(classifier, { batchRows: 10 })
  const failed = event()
  async function* flow() {
    for (let next = 0; next < 2000; next += 100) yield numbered(100, next)
    await failed.came
    yield numbered(100, 2000)
  }
  const publishing = running.publish('bad', flow())
  const says = { code: 'CLASSIFIER_FAILED', message: /^job bad, rows 50 to 59 .*ValueError: no such word$/ }
  const collecting = assert.rejects(running.collect('bad'), says)
  const { reason } = await running.jobs.until('bad', ({ state }) => state === 'failed', never)
  assert.match(reason!.place!, /^rows 50 to 59 \(from line 52 to 61\)$/)
  failed.now()
  await Promise.all([collecting, assert.rejects(publishing, says)])
  await Promise.all([
    running.publish('good', [numbered(200)]),
    running.collect('good').then(({ written }) => assert.deepEqual(written, classified(numbered(200)))),
  ])
})

test('waiting rows of a failed job delay no later job', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 3, blockRows: 10 })
  await running.publish('bad', [numbered(900)])
  const waiting = running.publish('good', [numbered(90)])
  await waiting
  const full = event()
  const classifier = new Exclaimer(async ({ job }, number) => {
    if (job.id !== 'bad') return
    if (number === 2) setTimeout(full.now, 100) // the queues after the classifier fill up
    await full.came
    throw refusal()
  })
  await running.work(classifier, { batchRows: 10 })
  assert.deepEqual((await running.collect('good')).written, classified(numbered(90)))
})

test('after a failed batch no result and no end of input of its job is sent', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 1, blockRows: 10 })
  await running.publish('bad', [numbered(30)])
  const both = event()
  const classifier = new Exclaimer(async ({ job }, number) => {
    if (job.id !== 'bad') return
    if (number === 3) both.now() // the one that fails, and the last one, with the end of input after it
    if (number >= 2) await both.came
    if (number === 2) throw refusal()
  })
  await running.work(classifier, { batchRows: 10 })
  await running.jobs.until('bad', ({ state }) => state === 'failed', never)
  await Promise.all([running.publish('good', [numbered(20)]), running.collect('good')])
  const [records] = await running.readResults()
  const ofBad = records!.filter(({ value }) => (value as Result | Rows).job === 'bad')
  assert.deepEqual(
    ofBad.map(({ kind, value }) => [kind, (value as Result).first]),
    [['result', 0]],
  )
})

test('a classifier that cannot restart ends its worker, which hands over to another at once', async t => {
  const running = await WatchedPipeline.open(t, { partitions: 2, blockRows: 5 })
  const dying = new Exclaimer(async (_, number) => {
    if (number === 3) throw new RowmillError('PYTHON_UNUSABLE', 'no such program')
  })
  const patient = { sessionTimeoutMs: 120_000, rebalanceTimeoutMs: 120_000 }
  const worker = await running.work(dying, { name: 'dying', batchRows: 5, kafka: await testKafka({ limits: patient }) })
  const collecting = running.collect('j')
  await running.publish('j', [numbered(100)])
  await assert.rejects(worker.ended, { code: 'PYTHON_UNUSABLE' })
  const began = performance.now()
  await running.work(new Exclaimer(), { name: 'heir', batchRows: 5 })
  const { written } = await collecting
  assert.deepEqual(written, classified(numbered(100)))
  assert.ok(
    performance.now() - began < patient.sessionTimeoutMs / 2,
    'the successor does not wait for the session of the dead worker to expire',
  )
})
