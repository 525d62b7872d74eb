import type { Attempt } from '../core/job.ts'
import { type AttemptLog, type Found, MergedAttempts } from '../core/merged-attempts.ts'
import type { MessageOffset } from '../core/row-order.ts'
import { RowmillError, toRowmillError } from '../errors.ts'
import type { Message } from '../kafka/index.ts'
import { PartitionFeed } from '../kafka/partition-feed.ts'
import type { PartitionQueue } from '../kafka/partition-queue.ts'
import type { Job, Rows } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import type { Say } from '../support/say.ts'
import { decode, isOfUnknownSchema } from '../wire/codec.ts'
import type { WireRecord } from '../wire/record.ts'

/** How often a reader of a job without sequence asks whether `results` has more partitions. */
const LOOK_FOR_PARTITIONS_MS = 2000

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
  /** Where each partition is read from. Those of a job without sequence become more when `results` gets more. */
  #from: readonly number[]
  #attempts: readonly Attempt[]
  /** By attempt and partition. */
  #queues: readonly (readonly PartitionQueue[])[] = []
  #partitions: PartitionResults[] = []
  /** By partition, what was looked at and not taken. */
  readonly #heads = new Map<number, Arrived>()
  #unread = 0
  #lookForPartitions: NodeJS.Timeout | undefined
  #looking: Promise<void> | null = null
  #arrived = Promise.withResolvers<void>()
  #fault: unknown = null

  private constructor(
    job: Job,
    attempts: readonly Attempt[],
    { topic, say, feeds, count }: { topic: string; say: Say; feeds: readonly PartitionFeed[]; count: number },
  ) {
    this.#job = job
    this.#attempts = attempts
    this.#topic = topic
    this.#say = say
    this.#feeds = feeds
    this.#from = Array.from({ length: count }, (_, partition) => job.resultsFrom[partition] ?? 0)
    for (const feed of feeds) void this.#follow(feed)
  }

  /** To be closed. */
  static async open(
    { kafka, pipeline, say }: PipelineContext,
    job: Job,
    attempts: readonly Attempt[],
  ): Promise<ResultReader> {
    const { results: topic } = topicsOf(pipeline)
    const feeds = await Promise.all(attempts.map(() => PartitionFeed.open(kafka, [topic], say)))
    const there = job.sequenced ? 0 : await feeds[0]!.partitionsNow(topic).catch(() => 0) // an outage says so itself
    return new ResultReader(job, attempts, { topic, say, feeds, count: Math.max(job.partitions, there) })
  }

  /** For each partition the first offset that is still there, or the one behind the last message. */
  async bounds(which: 'start' | 'end'): Promise<number[]> {
    const wanted = this.#from.map((_, partition) => ({ topic: this.#topic, partition }))
    const found = await this.#feeds[0]!.offsets(wanted, which)
    return found.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  }

  /**
   * Where each partition is read from. Of a job without sequence these are all partitions of `results`; new ones are read
   * from their begin.
   */
  get from(): readonly number[] {
    return this.#from
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
    this.#from = attempts.at(-1)!.resultsFrom
    if (this.#job.sequenced) return
    this.#lookForPartitions = setInterval(() => this.#look(), LOOK_FOR_PARTITIONS_MS).unref()
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

  at(partition: number, offset: number): MessageOffset {
    return { topic: this.#topic, partition, offset }
  }

  /** Rows that came again. */
  get duplicates(): number {
    return this.#partitions.reduce((sum, { duplicates }) => sum + duplicates, 0)
  }

  async close(): Promise<void> {
    clearInterval(this.#lookForPartitions)
    await Promise.all(this.#feeds.map(feed => feed.close()))
  }

  #look(): void {
    const over = () => {
      this.#looking = null
    }
    this.#looking ??= this.#addPartitions().then(over, over) // an outage says so itself
  }

  /** A job without sequence has rows wherever somebody sends them, also in partitions that came after it. */
  async #addPartitions(): Promise<void> {
    const [feed, topic, known] = [this.#feeds[0]!, this.#topic, this.#from.length]
    const length = Math.max(0, (await feed.partitionsNow(topic)) - known)
    if (length === 0) return
    const added = Array.from({ length }, (_, i) => ({ topic, partition: known + i }))
    const starts = (await feed.offsets(added, 'start')).sort((a, b) => a.partition - b.partition)
    const queues = await feed.add(starts)
    this.#queues = [[...this.#queues[0]!, ...queues]]
    for (const { partition } of queues) this.#partitions.push({ next: () => this.#nextOf(0, partition), duplicates: 0 })
    this.#from = [...this.#from, ...starts.map(({ offset }) => offset)]
    this.#announce() // something may have arrived before anybody knew where
  }

  #announce(): void {
    this.#arrived.resolve()
    this.#arrived = Promise.withResolvers<void>()
    this.#arrived.promise.catch(() => {})
  }

  /** Ends with the feed, whose fault is thrown to whoever waits. */
  async #follow(feed: PartitionFeed): Promise<void> {
    this.#arrived.promise.catch(() => {})
    try {
      for (;;) {
        await feed.arrival()
        this.#announce()
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
