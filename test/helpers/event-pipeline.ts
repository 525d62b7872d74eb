import type { TestContext } from 'node:test'
import type { ClassifiedBatch, ClassifierBatch, RowsClassifier } from '../../src/classifier/boundary.ts'
import { decoding } from '../../src/classifier/decoding.ts'
import type { Kafka, KafkaAdmin, Producer } from '../../src/kafka/index.ts'
import type { Reject, Result } from '../../src/model.ts'
import { topicsOf, workersGroup } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { encodeJob } from '../../src/wire/codec.ts'
import { testKafka, testPipeline } from './broker.ts'
import type { ManualTime } from './manual-time.ts'
import { jobRecord, readTopic } from './pipeline.ts'
import { runWorker } from './running-pipeline.ts'
import { until } from './until.ts'

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

/** A pipeline of two partitions on the real broker. The job `live` is open, and the test writes its rows as JSON. */
export class EventPipeline {
  readonly topics: ReturnType<typeof topicsOf>
  readonly said: string[] = []
  readonly #t: TestContext
  readonly #parts: Parts
  readonly #time: ManualTime | undefined

  private constructor(t: TestContext, parts: Parts, time: ManualTime | undefined) {
    this.#t = t
    this.#parts = parts
    this.#time = time
    this.topics = topicsOf(parts.pipeline)
  }

  /** `time`: the clock of its workers. Default: real time. */
  static async open(t: TestContext, time?: ManualTime): Promise<EventPipeline> {
    const { pipeline, admin } = await testPipeline(t)
    await ensureTopics(admin, pipeline, PARTITIONS)
    const kafka = await testKafka()
    const producer = await kafka.producer()
    t.after(() => producer.close())
    const events = new EventPipeline(t, { kafka, admin, producer, pipeline }, time)
    await events.openJob('live')
    return events
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

  /** Appends batches of `count` messages that are no record, each batch in one request. */
  async sendJunk(partition: number, counts: readonly number[]): Promise<void> {
    for (const count of counts) {
      const messages = Array.from({ length: count }, () => ({ key: '', value: Buffer.from('x') }))
      await this.#parts.producer.send({ topic: this.topics.rows, partition }, messages)
    }
  }

  /** Starts a worker; what it returns stops it. */
  async work(): Promise<() => Promise<void>> {
    const { kafka, pipeline } = this.#parts
    const say = (message: string) => void this.said.push(message)
    const boundary = decoding(classifier, 'w')
    const time = this.#time ? { time: this.#time } : {}
    const options = { name: 'w', classifier: boundary, batchRows: 10, ...time }
    const { drain } = await runWorker({ kafka, pipeline, say }, options)
    this.#t.after(drain)
    return drain
  }

  /** Waits until this holds. A manual clock moves on by `passMs` before each look: by default hardly at all. */
  async until(what: string, holds: () => Promise<boolean> | boolean, passMs = 1): Promise<void> {
    await until(what, async () => {
      await this.#time?.pass(passMs)
      return holds()
    })
  }

  /** Waits until the workers have committed this offset of each partition. They do that every second. */
  untilCommitted(...offsets: readonly number[]): Promise<void> {
    const isCommitted = async (offset: number, partition: number) => (await this.committed(partition)) === offset
    const all = async () => (await Promise.all(offsets.map(isCommitted))).every(is => is)
    return this.until(`${offsets} are committed`, all, 250)
  }

  /** Waits until a partition of the results holds so many rows of a job, and returns their cells. */
  async results(partition: number, job: string, count: number): Promise<string[]> {
    let found: string[] = []
    await this.until(`${count} results of ${job}`, async () => {
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
    await this.until(`${count} rejects`, async () => (await this.rejected()) >= count)
    const [records] = await readTopic(this.#parts.kafka, this.topics.rejects, 1)
    return records!.map(({ value }) => value as Reject)
  }

  async committed(partition: number): Promise<number> {
    const { admin, pipeline } = this.#parts
    return Math.max(0, await admin.committed(workersGroup(pipeline), this.topics.rows, partition))
  }
}
