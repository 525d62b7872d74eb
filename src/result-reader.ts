import { decode, isOfUnknownSchema, type WireRecord } from './codec.ts'
import { RowmillError, toRowmillError } from './errors.ts'
import type { Attempt } from './jobs.ts'
import type { Kafka, Message } from './kafka.ts'
import { type AttemptLog, type Found, MergedAttempts } from './merged-attempts.ts'
import type { Job, Rows } from './model.ts'
import type { Say } from './outage.ts'
import { PartitionFeed, type PartitionQueue } from './partition-feed.ts'
import type { MessagePlace } from './reassembler.ts'
import { topicsOf } from './topics.ts'

export interface ResultReaderOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly say: Say
}

/** A result, an end of input, or the barrier of an epoch, which is a rows message without rows. */
export type Arrived = Found | { readonly kind: 'rows'; readonly offset: number; readonly value: Rows }

interface PartitionResults {
  next(): Arrived | undefined
  /** Rows that came again and were dropped. */
  readonly duplicates: number
}

/**
 * What `results` holds of one job, by partition: of several attempts, each read by a feed of its own, merged in the order
 * of positions; of a single one everything in log order, copies and barriers too.
 */
export class ResultReader {
  readonly #job: Job
  readonly #topic: string
  readonly #say: Say
  readonly #feeds: readonly PartitionFeed[]
  #attempts: readonly Attempt[]
  /** By attempt and partition. */
  #queues: readonly (readonly PartitionQueue[])[] = []
  #partitions: readonly PartitionResults[] = []
  /** By partition, what was looked at and not taken. */
  readonly #heads = new Map<number, Arrived>()
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

  /** To be closed. */
  static async open(
    job: Job,
    attempts: readonly Attempt[],
    { kafka, pipeline, say }: ResultReaderOptions,
  ): Promise<ResultReader> {
    const { results: topic } = topicsOf(pipeline)
    const feeds = await Promise.all(attempts.map(() => PartitionFeed.open(kafka, [topic], say)))
    return new ResultReader(job, attempts, { topic, say, feeds })
  }

  /** For each partition the first offset that is still there, or the one behind the last message. */
  async bounds(which: 'start' | 'end'): Promise<number[]> {
    const wanted = this.#job.rowsFrom.map((_, partition) => ({ topic: this.#topic, partition }))
    const found = await this.#feeds[0]!.offsets(wanted, which)
    return found.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  }

  /** Begins to read the attempts where they say; called once. `next` is the first position wanted, by partition. */
  async read(attempts: readonly Attempt[], next: readonly number[]): Promise<void> {
    const topic = this.#topic
    this.#attempts = attempts
    this.#queues = await Promise.all(
      attempts.map(({ resultsFrom }, i) =>
        this.#feeds[i]!.assign(resultsFrom.map((offset, partition) => ({ topic, partition, offset }))),
      ),
    )
    this.#partitions = next.map((position, partition) => {
      const logs = attempts.map((_, i) => this.#logOf(i, partition))
      return logs.length === 1
        ? { next: () => this.#nextOf(0, partition), duplicates: 0 }
        : new MergedAttempts(logs, position)
    })
  }

  /** What comes next in a partition; undefined where there is nothing by now. */
  take(partition: number): Arrived | undefined {
    const head = this.#heads.get(partition)
    if (!head) return this.#partitions[partition]!.next()
    this.#heads.delete(partition)
    return head
  }

  /** The same without taking it. */
  peek(partition: number): Arrived | undefined {
    const next = this.#heads.get(partition) ?? this.#partitions[partition]!.next()
    if (next) this.#heads.set(partition, next)
    return next
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
    return (
      this.#heads.get(partition)?.offset ??
      queue?.peek()?.offset ??
      queue?.position ??
      this.#attempts.at(-1)!.resultsFrom[partition]!
    )
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
    const queue = this.#queues[index]![partition]!
    const next = (): Found | undefined => {
      for (let found = this.#nextOf(index, partition); found; found = this.#nextOf(index, partition))
        if (found.kind !== 'rows') return found
      return undefined
    }
    return {
      next,
      get read() {
        return queue.peek()?.offset ?? queue.position
      },
    }
  }

  /** The next record of an attempt in a partition. */
  #nextOf(index: number, partition: number): Arrived | undefined {
    const [feed, queue] = [this.#feeds[index]!, this.#queues[index]![partition]!]
    const { attempt } = this.#attempts[index]!
    for (let message = feed.take(queue); message; message = feed.take(queue)) {
      if (queue.lost && !this.#job.sequenced && message.offset >= queue.lost.behind) throw this.#gap(queue)
      const record = this.#decode(message, partition)
      if (record?.kind === 'rows') {
        if (record.value.job === this.#job.id && record.value.count === 0) return { ...record, offset: message.offset }
      } else if (record?.kind === 'result' || record?.kind === 'end') {
        const { value } = record
        if (value.job === this.#job.id && value.attempt === attempt) return { ...record, offset: message.offset }
      }
    }
    return undefined
  }

  /** Whether a row is missing nobody can say where rows have no sequence: what may have been one is missing. */
  #gap({ partition, lost }: PartitionQueue): RowmillError {
    const { from, behind } = lost!
    const job = this.#job.id
    const message =
      `job ${job}, ${this.#topic}[${partition}]: offsets ${from} to ${behind - 1} were gone before they were read. ` +
      'Was the topic truncated by retention?'
    return new RowmillError('ROW_GAP', message, { job, partition, from, behind })
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
