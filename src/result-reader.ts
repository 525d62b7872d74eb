import { decode, isOfUnknownSchema, type WireRecord } from './codec.ts'
import { RowmillError, toRowmillError } from './errors.ts'
import type { Attempt } from './jobs.ts'
import type { Kafka, Message } from './kafka.ts'
import { type AttemptLog, type Found, MergedAttempts } from './merged-attempts.ts'
import type { Job } from './model.ts'
import type { Say } from './outage.ts'
import { PartitionFeed, type PartitionQueue } from './partition-feed.ts'
import type { MessagePlace } from './reassembler.ts'
import { topicsOf } from './topics.ts'

export interface ResultReaderOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly say: Say
}

/** The results of one job, by partition, in the order of positions; each attempt is read by a feed of its own. */
export class ResultReader {
  readonly #job: Job
  readonly #topic: string
  readonly #say: Say
  readonly #attempts: readonly Attempt[]
  readonly #feeds: readonly PartitionFeed[]
  /** By attempt and partition. */
  #queues: readonly (readonly PartitionQueue[])[] = []
  #partitions: readonly MergedAttempts[] = []
  #unread = 0
  #arrived = Promise.withResolvers<void>()
  #fault: unknown = null

  private constructor(
    job: Job,
    attempts: readonly Attempt[],
    { topic, say, feeds }: { topic: string; say: Say; feeds: readonly PartitionFeed[] },
  ) {
    this.#job = job
    this.#attempts = attempts
    this.#topic = topic
    this.#say = say
    this.#feeds = feeds
    for (const feed of feeds) void this.#follow(feed)
  }

  /** `attempts` says where each is to be read from. To be closed. */
  static async open(
    job: Job,
    attempts: readonly Attempt[],
    { kafka, pipeline, say }: ResultReaderOptions,
  ): Promise<ResultReader> {
    const { results: topic } = topicsOf(pipeline)
    const feeds = await Promise.all(attempts.map(() => PartitionFeed.open(kafka, [topic], say)))
    return new ResultReader(job, attempts, { topic, say, feeds })
  }

  /** Begins to read; called once. `next` is the first position wanted, by partition. */
  async read(next: readonly number[]): Promise<void> {
    const topic = this.#topic
    this.#queues = await Promise.all(
      this.#attempts.map(({ resultsFrom }, i) =>
        this.#feeds[i]!.assign(resultsFrom.map((offset, partition) => ({ topic, partition, offset }))),
      ),
    )
    this.#partitions = next.map(
      (position, partition) =>
        new MergedAttempts(
          this.#attempts.map((_, i) => this.#logOf(i, partition)),
          position,
        ),
    )
  }

  /** The next result of a partition, or its end of input; undefined where there is none by now. */
  take(partition: number): Found | undefined {
    return this.#partitions[partition]!.next()
  }

  /** As `PartitionFeed.arrival`, of any attempt. */
  arrival(): Promise<void> {
    return this.#fault ? Promise.reject(this.#fault) : this.#arrived.promise
  }

  /** Ends every wait for an arrival, open or to come, with this fault. */
  interrupt(fault: unknown): void {
    for (const feed of this.#feeds) feed.interrupt(fault)
  }

  /** The offset of the first message of the last attempt that was not taken yet: fetched it may be. */
  offset(partition: number): number {
    const queue = this.#queues.at(-1)?.[partition]
    return queue?.peek()?.offset ?? queue?.position ?? this.#attempts.at(-1)!.resultsFrom[partition]!
  }

  place(partition: number, offset: number): MessagePlace {
    return { topic: this.#topic, partition, offset }
  }

  /** Rows that came again. */
  get duplicates(): number {
    return this.#partitions.reduce((sum, { duplicates }) => sum + duplicates, 0)
  }

  async close(): Promise<void> {
    await Promise.all(this.#feeds.map(feed => feed.close()))
  }

  /** Ends with the feed, whose fault is thrown to whoever waits. */
  async #follow(feed: PartitionFeed): Promise<void> {
    this.#arrived.promise.catch(() => {})
    try {
      for (;;) {
        await feed.arrival()
        this.#arrived.resolve()
        this.#arrived = Promise.withResolvers<void>()
        this.#arrived.promise.catch(() => {})
      }
    } catch (fault) {
      this.#fault ??= fault
      this.#arrived.reject(this.#fault)
    }
  }

  #logOf(index: number, partition: number): AttemptLog {
    const [feed, queue] = [this.#feeds[index]!, this.#queues[index]![partition]!]
    const { attempt } = this.#attempts[index]!
    const next = (): Found | undefined => {
      for (let message = feed.take(queue); message; message = feed.take(queue)) {
        const record = this.#decode(message, partition)
        if (record?.kind !== 'result' && record?.kind !== 'end') continue
        if (record.value.job === this.#job.id && record.value.attempt === attempt)
          return { ...record, offset: message.offset }
      }
      return undefined
    }
    return {
      next,
      get read() {
        return queue.peek()?.offset ?? queue.position
      },
    }
  }

  /** Null for what is no record: nobody knows whose it is. If it was a result of this job, that is missing, and will be missed. */
  #decode({ offset, value }: Message, partition: number): WireRecord | null {
    try {
      return decode(value)
    } catch (cause) {
      const where = `${this.#topic}[${partition}]@${offset}`
      const { code, message, facts } = toRowmillError(cause)
      const said = `job ${this.#job.id}, ${where}: ${message}`
      if (isOfUnknownSchema(cause)) throw new RowmillError(code, said, { ...facts, where }, { cause })
      if (this.#unread++ === 0) this.#say(`${said}. It is passed over, as will be others`)
      return null
    }
  }
}
