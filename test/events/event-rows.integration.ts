import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ClassifiedBatch, ClassifierBatch, RowsClassifier } from '../../src/classifier/boundary.ts'
import { decoding } from '../../src/classifier/decoding.ts'
import { IsolatingClassifier } from '../../src/classifier/isolating.ts'
import { RowmillError } from '../../src/errors.ts'
import type { Kafka } from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import { takeUntil } from '../../src/kafka/read-now.ts'
import type { Job, Rows } from '../../src/model.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { decode, encodeEndOfInput, encodeJob, encodeRows } from '../../src/wire/codec.ts'
import type { WireRecord } from '../../src/wire/record.ts'
import { testKafka, testPipeline } from '../helpers/broker.ts'
import { jobRecord } from '../helpers/pipeline.ts'
import { runWorker } from '../helpers/running-pipeline.ts'

const PARTITIONS = 2
const ZEROS = [0, 0]

/** Appends an exclamation mark, and throws at the text `bad`. */
class Exclaimer implements RowsClassifier {
  readonly fingerprint = new Uint8Array(8)
  readonly runtime = { versions: {}, quotesCarriageReturn: true }
  readonly batches: ClassifierBatch[] = []

  async start(): Promise<void> {}

  async classify(batch: ClassifierBatch): Promise<ClassifiedBatch> {
    this.batches.push(batch)
    if (batch.rows.some(([, text]) => text === 'bad')) throw new RowmillError('CLASSIFIER_FAILED', 'bad text')
    const rows = batch.rows.map(([id, text]) => [id!, `${text}!`])
    return { columns: ['ID', 'TEXT'], kinds: ['integer', 'text'], rows }
  }

  async close(): Promise<void> {}
}

class EventRowsJob {
  readonly topics: ReturnType<typeof topicsOf>
  readonly classifier = new Exclaimer()
  readonly #t: TestContext
  readonly #kafka: Kafka
  readonly #pipeline: string
  readonly #send: (topic: string, partition: number, value: Buffer) => Promise<number>

  private constructor(t: TestContext, parts: { kafka: Kafka; pipeline: string; send: EventRowsJob['send'] }) {
    this.#t = t
    this.#kafka = parts.kafka
    this.#pipeline = parts.pipeline
    this.#send = parts.send
    this.topics = topicsOf(parts.pipeline)
  }

  static async open(t: TestContext): Promise<EventRowsJob> {
    const { pipeline, admin } = await testPipeline(t)
    await ensureTopics(admin, pipeline, PARTITIONS)
    const kafka = await testKafka()
    const producer = await kafka.producer()
    t.after(() => producer.close())
    const send = (topic: string, partition: number, value: Buffer) =>
      producer.send({ topic, partition }, [{ key: '', value }])
    return new EventRowsJob(t, { kafka, pipeline, send })
  }

  /** Appends a message; resolves with its offset. */
  send(topic: string, partition: number, value: Buffer): Promise<number> {
    return this.#send(topic, partition, value)
  }

  async openJob(more: Partial<Job>): Promise<Job> {
    const job = jobRecord({
      ...{ columns: ['ID', 'TEXT'], bounded: false, topic: this.topics.rows, partitions: PARTITIONS },
      ...{ rowsFrom: ZEROS, resultsFrom: ZEROS },
      ...more,
    })
    await this.send(this.topics.jobs, 0, encodeJob(job))
    return job
  }

  async work(): Promise<void> {
    const open = () => decoding(this.classifier, 'w')
    const classifier = new IsolatingClassifier({ open, timeoutMs: null, by: 'w', say: () => {} })
    const connection = { kafka: this.#kafka, pipeline: this.#pipeline, say: () => {} }
    const { drain } = await runWorker(connection, { name: 'w', classifier, batchRows: 10 })
    this.#t.after(drain)
  }

  /** The first records of a topic, as many as `counts` says by partition, or up to an end of input. */
  async read(topic: string, counts: readonly number[]): Promise<WireRecord[][]> {
    const feed = await PartitionFeed.open(this.#kafka, [topic], () => {})
    const found: WireRecord[][] = counts.map(() => [])
    try {
      const offsets = counts.map((_, partition) => ({ topic, partition, offset: 0 }))
      await takeUntil(feed, await feed.assign(offsets), ({ partition }, message) => {
        const here = found[partition]!
        if (message) here.push(decode(message.value))
        return here.length >= counts[partition]! || here.at(-1)?.kind === 'end'
      })
      return found
    } finally {
      await feed.close()
    }
  }
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const NO_LINE = { line: null, lineSteps: null }

function rows(more: Partial<Rows>): Buffer {
  return encodeRows({ job: 'j', epoch: 0, from: 0, seq: null, count: 1, ...NO_LINE, rows: [['1', 'a']], ...more })
}

/** The parts of a result that matter here. */
function told(record: WireRecord): unknown {
  if (record.kind === 'rows') return ['barrier', record.value.epoch]
  if (record.kind === 'end') return ['end', record.value.epoch, record.value.total]
  assert.equal(record.kind, 'result')
  const { first, epoch, from, rows: cells, rejected } = record.value
  return [first, epoch, from, cells.length > 0 ? cells.map(([id, text]) => `${id} ${text}`) : rejected[0]!.detail]
}

test('JSON and Avro rows come out one by one, placed by offset, each with its own error', async t => {
  const events = await EventRowsJob.open(t)
  const { topics } = events
  await events.openJob({ sequenced: false })
  const sent = [
    json({ job: 'j', values: { TEXT: 'a', ID: 1 } }),
    json({ job: 'j', values: ['2', 'b'] }),
    rows({ rows: [['3', 'c']] }),
    json({ job: 'j', values: { ID: 4 } }),
    rows({ rows: [['5']] }),
    json({ job: 'j', values: ['6', 'f'] }),
  ]
  for (const value of sent) await events.send(topics.rows, 1, value)
  await events.send(topics.rows, 0, json({ job: 'j', values: ['7', 'g'] }))
  await events.work()
  const [zero, one] = await events.read(topics.results, [1, 6])
  assert.deepEqual(zero!.map(told), [[0, 0, 0, ['7 g!']]])
  assert.deepEqual(one!.map(told), [
    [0, 0, 0, ['1 a!']],
    [1, 0, 0, ['2 b!']],
    [2, 0, 0, ['3 c!']],
    [3, 0, 0, 'column "TEXT" is missing: an empty value is "" or null'],
    [4, 0, 0, 'the row has 1 values, the job 2 columns'],
    [5, 0, 0, ['6 f!']],
  ])
  assert.ok(events.classifier.batches.every(({ seqs }) => seqs === null))
  const copies = (await events.read(topics.rejects, [2]))[0]!
  assert.deepEqual(
    copies.map(({ kind, value }) => (kind === 'reject' ? [value.job, value.reason] : null)),
    [
      ['j', 'ROW_MALFORMED'],
      ['j', 'ROW_MALFORMED'],
    ],
  )
})

test('rows too large for a reject, and terminal escapes, end nobody', async t => {
  const events = await EventRowsJob.open(t)
  const { topics } = events
  await events.openJob({ sequenced: false })
  await events.send(topics.rows, 1, rows({ rows: [['x'.repeat(16_600_000), 'bad']] }))
  await events.send(topics.rows, 1, json({ job: 'j', values: { ID: 'y'.repeat(16_700_000), TEXT: 'b' } }))
  await events.send(topics.rows, 1, rows({ job: 'evil\nrowmill: all is well \u001b[31m' }))
  await events.send(topics.rows, 1, json({ job: 'j', values: ['1', 'a'], [`\ud800${'z'.repeat(100_000)}`]: 1 }))
  await events.send(topics.rows, 1, json({ job: 'j', values: ['1', 'a'] }))
  await events.work()
  const [, results] = await events.read(topics.results, [0, 2])
  assert.match(String((told(results![0]!) as unknown[])[3]), /bad text\nIts values are too long to be shown/)
  assert.deepEqual(told(results![1]!), [4, 0, 0, ['1 a!']])
  const [copies] = await events.read(topics.rejects, [4])
  const details = copies!.flatMap(({ kind, value }) => (kind === 'reject' ? [value.detail] : []))
  assert.ok(details.some(detail => detail.includes('evil\\nrowmill: all is well \\u001b[31m')))
  assert.ok(details.some(detail => detail.includes('bytes, and a row in JSON may have 1048576')))
  assert.ok(details.every(detail => detail.length < 2000))
})

test('messages without a place are reported in rejects, and the rows after them come out', async t => {
  const events = await EventRowsJob.open(t)
  const { topics } = events
  await events.openJob({ sequenced: false })
  await events.openJob({ id: 'numbered' })
  await events.openJob({ id: 'narrow', partitions: 1, rowsFrom: [0], resultsFrom: [0] })
  await events.openJob({ id: 'elsewhere', sequenced: false, topic: topics.bulk })
  const flawed: [Buffer, RegExp][] = [
    [Buffer.from('{"job":"j"'), /begins as JSON/],
    [json({ job: 'numbered', values: ['1', 'a'] }), /has numbered rows/],
    [json({ job: 'narrow', values: ['1', 'a'] }), /has 1 partitions/],
    [json({ job: 'elsewhere', values: ['1', 'a'] }), /belong in \S+\.bulk/],
    [
      rows({
        count: 2,
        rows: [
          ['1', 'a'],
          ['2', 'b'],
        ],
      }),
      /holds one row without a seq/,
    ],
    [rows({ seq: 3 }), /holds one row without a seq/],
    [
      encodeEndOfInput({
        ...{ job: 'j', epoch: 0, from: 0, attempt: 0 },
        ...{ partition: 1, rows: 0, total: 0 },
      }),
      /has no end/,
    ],
    [json({ job: 'nobody', values: [] }), /no job nobody/],
  ] // prettier-ignore
  for (const [value] of flawed) await events.send(topics.rows, 1, value)
  const offset = await events.send(topics.rows, 1, json({ job: 'j', values: ['1', 'a'] }))
  await events.work()
  const [, results] = await events.read(topics.results, [0, 1])
  assert.deepEqual(results!.map(told), [[offset, 0, 0, ['1 a!']]])
  const [rejects] = await events.read(topics.rejects, [flawed.length])
  rejects!.forEach((record, i) => {
    assert.ok(record.kind === 'reject')
    assert.match(record.value.detail, flawed[i]![1])
    assert.equal(record.value.offset, i)
  })
})

test('a barrier is forwarded in its place, and after it older publishers are ignored', async t => {
  const events = await EventRowsJob.open(t)
  const { topics } = events
  await events.openJob({})
  const row = (epoch: number, seq: number) =>
    rows({ epoch, from: epoch === 0 ? 0 : 2, seq, rows: [[`${seq}`, `of ${epoch}`]] })
  const barrier = rows({ epoch: 1, count: 0, rows: [] })
  for (const value of [row(0, 0), row(0, 2), barrier, row(0, 4), row(1, 2), row(1, 4)])
    await events.send(topics.rows, 0, value)
  const end = { job: 'j', attempt: 0, partition: 0 }
  await events.send(topics.rows, 0, encodeEndOfInput({ ...end, epoch: 0, from: 0, rows: 2, total: 4 }))
  await events.send(topics.rows, 0, encodeEndOfInput({ ...end, epoch: 1, from: 2, rows: 3, total: 5 }))
  await events.work()
  const [results] = await events.read(topics.results, [100, 0])
  const cells = results!.flatMap(record => (record.kind === 'result' ? record.value.rows.map(([, text]) => text) : []))
  assert.deepEqual(cells, ['of 0!', 'of 0!', 'of 1!', 'of 1!'])
  const kinds = results!.map(({ kind, value }) => `${kind} ${'epoch' in value ? value.epoch : ''}`)
  assert.deepEqual([...new Set(kinds)], ['result 0', 'rows 1', 'result 1', 'end 1'])
})
