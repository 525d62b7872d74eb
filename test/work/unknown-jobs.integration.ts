import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ClassifiedBatch, ClassifierBatch, RowsClassifier } from '../../src/classifier/boundary.ts'
import { decoding } from '../../src/classifier/decoding.ts'
import type { Kafka, KafkaAdmin, Producer } from '../../src/kafka/index.ts'
import type { Reject, Result } from '../../src/model.ts'
import { topicsOf, workersGroup } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { encodeJob } from '../../src/wire/codec.ts'
import { Worker } from '../../src/work/worker.ts'
import { testKafka, testPipeline } from '../helpers/broker.ts'
import { jobRecord, readTopic } from '../helpers/pipeline.ts'
import { until } from '../helpers/until.ts'

const PARTITIONS = 2

const classifier: RowsClassifier = {
  fingerprint: new Uint8Array(8),
  runtime: { versions: {}, quotesCarriageReturn: true },
  start: async () => {},
  classify: async ({ rows }: ClassifierBatch): Promise<ClassifiedBatch> => ({
    columns: ['ID'],
    kinds: ['text'],
    rows: rows.map(([id]) => [`${id}!`]),
  }),
  close: async () => {},
}

interface Parts {
  readonly kafka: Kafka
  readonly admin: KafkaAdmin
  readonly producer: Producer
  readonly pipeline: string
}

/** A pipeline with the open job `live`. The test writes its rows as JSON. */
class Bench {
  readonly topics: ReturnType<typeof topicsOf>
  readonly said: string[] = []
  readonly #t: TestContext
  readonly #parts: Parts

  private constructor(t: TestContext, parts: Parts) {
    this.#t = t
    this.#parts = parts
    this.topics = topicsOf(parts.pipeline)
  }

  static async open(t: TestContext): Promise<Bench> {
    const { pipeline, admin } = await testPipeline(t)
    await ensureTopics(admin, pipeline, PARTITIONS)
    const kafka = await testKafka()
    const producer = await kafka.producer()
    t.after(() => producer.close())
    const bench = new Bench(t, { kafka, admin, producer, pipeline })
    await bench.openJob('live')
    return bench
  }

  async openJob(id: string): Promise<void> {
    const zeros = [0, 0]
    const where = { topic: this.topics.rows, partitions: PARTITIONS, rowsFrom: zeros, resultsFrom: zeros }
    const value = encodeJob(jobRecord({ id, sequenced: false, bounded: false, ...where }))
    await this.#parts.producer.send({ topic: this.topics.jobs, partition: 0 }, [{ key: id, value }])
  }

  /** Appends a row of each of these jobs; its value is its place in the list. */
  async send(partition: number, jobs: readonly string[]): Promise<void> {
    const messages = jobs.map((job, i) => ({ key: job, value: Buffer.from(JSON.stringify({ job, values: [i] })) }))
    for (let i = 0; i < messages.length; i += 5000)
      await this.#parts.producer.send({ topic: this.topics.rows, partition }, messages.slice(i, i + 5000))
  }

  /** Starts a worker; returns a function that stops it. */
  async work(): Promise<() => Promise<void>> {
    const { kafka, pipeline } = this.#parts
    const say = (message: string) => void this.said.push(message)
    const boundary = decoding(classifier, 'w')
    const worker = await Worker.open({ kafka, pipeline, say }, { name: 'w', classifier: boundary, batchRows: 10 })
    const stop = new AbortController()
    const ended = worker.run(stop.signal).finally(() => worker.close())
    ended.catch(() => {})
    const drain = () => {
      stop.abort()
      return ended
    }
    this.#t.after(drain)
    return drain
  }

  /** Waits until a partition of the results has this many rows of a job, and returns their cells. */
  async results(partition: number, job: string, count: number): Promise<string[]> {
    let found: string[] = []
    await until(`${count} results of ${job}`, async () => {
      const [records = []] = (await readTopic(this.#parts.kafka, this.topics.results, PARTITIONS)).slice(partition)
      const results = records.map(({ value }) => value as Result).filter(value => value.job === job)
      found = results.map(({ rows }) => rows[0]![0]!)
      return found.length >= count
    })
    return found
  }

  async rejected(): Promise<number> {
    return (await this.#parts.admin.bounds(this.topics.rejects, 0)).end
  }

  async rejects(count: number): Promise<Reject[]> {
    await until(`${count} rejects`, async () => (await this.rejected()) >= count)
    const [records] = await readTopic(this.#parts.kafka, this.topics.rejects, 1)
    return records!.map(({ value }) => value as Reject)
  }

  async committed(partition: number): Promise<number> {
    const { admin, pipeline } = this.#parts
    return Math.max(0, await admin.committed(workersGroup(pipeline), this.topics.rows, partition))
  }
}

const strangers = (count: number) => Array.from({ length: count }, (_, i) => `stranger-${i}`)

test('rows after messages of unknown jobs do not wait for them, and all unknown jobs wait together', async t => {
  const bench = await Bench.open(t)
  const jobs = strangers(8)
  await bench.send(0, [...jobs, 'live'])
  await bench.send(1, [...jobs, 'live'])
  const began = performance.now()
  await bench.work()
  assert.deepEqual([await bench.results(0, 'live', 1), await bench.results(1, 'live', 1)], [['8!'], ['8!']])
  assert.equal(await bench.rejected(), 0, 'the unknown jobs still wait')
  const rejects = await bench.rejects(16)
  assert.ok(performance.now() - began < 10_000, 'eight jobs in two partitions wait only once')
  const places = rejects.map(({ partition, offset, reason }) => `${partition}@${offset} ${reason}`).sort()
  assert.deepEqual(
    places,
    [0, 1].flatMap(partition => jobs.map((_, offset) => `${partition}@${offset} UNKNOWN_JOB`)),
  )
  await until(
    'everything is committed',
    async () => (await bench.committed(0)) === 9 && (await bench.committed(1)) === 9,
  )
  const said = [0, 1].map(partition => bench.said.filter(line => line.includes(`rows[${partition}]`)))
  for (const lines of said) {
    assert.match(lines[0]!, /@0: UNKNOWN_JOB no job stranger-0 in /)
    assert.equal(lines.length, 5)
  }
  await until(
    'the others are counted',
    () => bench.said.filter(line => line.includes('and 3 more UNKNOWN_JOB')).length === 2,
  )
})

test('rows whose job record comes while they wait are classified in their order', async t => {
  const bench = await Bench.open(t)
  await bench.send(0, ['early', 'live', 'early', 'stranger', 'early', 'live'])
  await bench.work()
  assert.deepEqual(await bench.results(0, 'live', 2), ['1!', '5!'])
  await bench.openJob('early')
  await bench.send(0, ['early'])
  assert.deepEqual(await bench.results(0, 'early', 4), ['0!', '2!', '4!', '0!'])
  const rejects = await bench.rejects(1)
  assert.deepEqual([rejects.length, rejects[0]!.offset], [1, 3])
})

test('a message that waits for its job is not committed: the next worker reads it again', async t => {
  const bench = await Bench.open(t)
  await bench.send(0, ['live', 'early', 'live', 'live'])
  const drain = await bench.work()
  await bench.results(0, 'live', 3)
  await drain()
  assert.ok((await bench.committed(0)) <= 1)
  await bench.openJob('early')
  await bench.work()
  assert.deepEqual(await bench.results(0, 'early', 1), ['1!'])
  await until('everything is committed', async () => (await bench.committed(0)) === 4)
})

test('a flood of unknown jobs is rejected without a wait once the waiting room is full', async t => {
  const bench = await Bench.open(t)
  const jobs = strangers(30_000)
  await bench.send(0, [...jobs, 'live'])
  await bench.work()
  assert.deepEqual(await bench.results(0, 'live', 1), ['30000!'])
  assert.ok((await bench.rejected()) >= 26_000, 'at most 4,000 wait')
  const rejects = await bench.rejects(jobs.length)
  const offsets = new Set(rejects.map(({ offset }) => offset))
  assert.deepEqual([rejects.length, offsets.size, Math.max(...offsets)], [30_000, 30_000, 29_999])
  assert.ok(bench.said.length < 100, `${bench.said.length} lines`)
})
