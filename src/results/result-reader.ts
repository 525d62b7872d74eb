import type { Attempt } from '../core/job.ts'
import { type AttemptLog, type AttemptMessage, MergedAttempts } from '../core/merged-attempts.ts'
import type { MessageOffset } from '../core/row-order.ts'
import { RowmillError, toRowmillError } from '../errors.ts'
import { type Message, TRACEPARENT } from '../kafka/index.ts'
import { type FeedOptions, PartitionFeed } from '../kafka/partition-feed.ts'
import type { PartitionQueue } from '../kafka/partition-queue.ts'
import type { Job, Result, Rows } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { freePart } from '../support/free-bytes.ts'
import type { Say } from '../support/say.ts'
import { isOfUnknownSchema } from '../wire/codec.ts'
import { decodePacked } from '../wire/packed-result.ts'
import type { WireRecord } from '../wire/record.ts'

/** How often a reader of a job without sequence looks for new partitions of `results`. */
const LOOK_FOR_PARTITIONS_MS = 2000

/** A result, an end of input, or a barrier, which is a rows message without rows. */
export type ResultsMessage = AttemptMessage | { readonly kind: 'rows'; readonly offset: number; readonly value: Rows }

interface PartitionResults {
  next(): ResultsMessage | undefined
  /** Rows that were dropped as copies. */
  readonly duplicates: number
}

/**
 * Reads the messages of one job in `results`, by partition. A single attempt is read in log order, with copies and
 * barriers. Several attempts have a feed each, and are merged in the order of positions.
 */
export class ResultReader {
  readonly #job: Job
  readonly #topic: string
  readonly #say: Say
  readonly #feeds: readonly PartitionFeed[]
  /** The offset where each partition starts. A job without sequence gets new partitions with `results`. */
  #from: readonly number[]
  #attempts: readonly Attempt[]
  /** By attempt and partition. */
  #queues: readonly (readonly PartitionQueue[])[] = []
  #partitions: PartitionResults[] = []
  /** By partition, the message that was peeked at and not taken. */
  readonly #heads = new Map<number, ResultsMessage>()
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

  /** The caller closes it. `pauseMs` is that of `FeedOptions`. */
  static async open(
    { kafka, pipeline, say }: PipelineContext,
    job: Job,
    { attempts, pauseMs = () => 0 }: { attempts: readonly Attempt[]; pauseMs?: FeedOptions['pauseMs'] | undefined },
  ): Promise<ResultReader> {
    const { results: topic } = topicsOf(pipeline)
    const feeds = await Promise.all(attempts.map(() => PartitionFeed.open(kafka, [topic], say, { pauseMs })))
    const there = job.sequenced ? 0 : await feeds[0]!.partitionsNow(topic).catch(() => 0) // KafkaJS reports outages
    return new ResultReader(job, attempts, { topic, say, feeds, count: Math.max(job.partitions, there) })
  }

  /** For each partition, the first offset that is left, or the end of the log. */
  async bounds(which: 'start' | 'end'): Promise<number[]> {
    const wanted = this.#from.map((_, partition) => ({ topic: this.#topic, partition }))
    const found = await this.#feeds[0]!.offsets(wanted, which)
    return found.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  }

  /** The offset where each partition starts. For a job without sequence it has all partitions of `results`. */
  get from(): readonly number[] {
    return this.#from
  }

  /** Starts to read the attempts at their offsets. Called once. `next` is the first wanted position of each partition. */
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

  /** Takes the next message of a partition; undefined if none has arrived. */
  take(partition: number): ResultsMessage | undefined {
    const head = this.#heads.get(partition)
    if (!head) return this.#partitions[partition]!.next()
    this.#heads.delete(partition)
    return head
  }

  /** Returns the next message without taking it. */
  peek(partition: number): ResultsMessage | undefined {
    const next = this.#heads.get(partition) ?? this.#partitions[partition]!.next()
    if (next) this.#heads.set(partition, next)
    return next
  }

  /** As `PartitionFeed.arrival`, for any attempt. */
  arrival(): Promise<void> {
    return this.#fault ? Promise.reject(this.#fault) : this.#arrived.promise
  }

  /** Rejects every `arrival`, open or future, with this error. */
  interrupt(fault: unknown): void {
    for (const feed of this.#feeds) feed.interrupt(fault)
  }

  /** The offset of the next message of the last attempt to take. It may be in the queue already. */
  offset(partition: number): number {
    const queue = this.#queues.at(-1)?.[partition]
    return (
      this.#heads.get(partition)?.offset ??
      queue?.peek()?.offset ??
      queue?.nextOffset ??
      this.#attempts.at(-1)!.resultsFrom[partition]!
    )
  }

  at(partition: number, offset: number): MessageOffset {
    return { topic: this.#topic, partition, offset }
  }

  /** Rows that were dropped as copies. */
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
    this.#looking ??= this.#addPartitions().then(over, over) // KafkaJS reports outages
  }

  /** Producers of a job without sequence send to every partition, also to new ones. */
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
    this.#announce() // messages may have arrived before the partitions were known here
  }

  #announce(): void {
    this.#arrived.resolve()
    this.#arrived = Promise.withResolvers<void>()
    this.#arrived.promise.catch(() => {})
  }

  /** Announces arrivals until the feed fails. Then all waiters get its error. */
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
    const next = (): AttemptMessage | undefined => {
      for (let found = this.#nextOf(index, partition); found; found = this.#nextOf(index, partition))
        if (found.kind !== 'rows') return found
      return undefined
    }
    return {
      next,
      get read() {
        return queue.peek()?.offset ?? queue.nextOffset
      },
    }
  }

  /** The next record of an attempt in a partition. */
  #nextOf(index: number, partition: number): ResultsMessage | undefined {
    const [feed, queue] = [this.#feeds[index]!, this.#queues[index]![partition]!]
    const { attempt } = this.#attempts[index]!
    for (let message = feed.take(queue); message; message = feed.take(queue)) {
      if (queue.lost && !this.#job.sequenced && message.offset >= queue.lost.end) throw this.#gap(queue)
      const record = this.#decode(message, partition)
      const isOurs = record !== null && this.#isOf(record, attempt)
      // Of all records, only results are still in the bytes of their message.
      if (message.value !== null && !(isOurs && record.kind === 'result')) freePart(message.value)
      if (isOurs && record.kind === 'result') noteTrace(record.value, message)
      if (isOurs) return { ...record, offset: message.offset }
    }
    return undefined
  }

  #isOf(record: WireRecord, attempt: number): record is Omit<ResultsMessage, 'offset'> & WireRecord {
    if (record.kind === 'rows') return record.value.job === this.#job.id && record.value.count === 0
    if (record.kind !== 'result' && record.kind !== 'end') return false
    return record.value.job === this.#job.id && record.value.attempt === attempt
  }

  /** Offsets are missing. Without a sequence, nobody can tell whether rows were there. */
  #gap({ partition, lost }: PartitionQueue): RowmillError {
    const { from, end } = lost!
    const job = this.#job.id
    const message =
      `job ${job}, ${this.#topic}[${partition}]: offsets ${from} to ${end - 1} were gone before they were read. ` +
      'Was the topic truncated by retention?'
    return new RowmillError('ROW_GAP', message, { job, partition, from, end })
  }

  /** Null if the message cannot be read: it may be of any job. If it was a result of this job, a gap will show it. */
  #decode({ offset, value }: Message, partition: number): WireRecord | null {
    try {
      return decodePacked(value)
    } catch (cause) {
      const where = `${this.#topic}[${partition}]@${offset}`
      const { code, message, facts } = toRowmillError(cause)
      const said = `job ${this.#job.id}, ${where}: ${message}`
      if (isOfUnknownSchema(cause)) throw new RowmillError(code, said, { ...facts, where }, { cause })
      if (this.#unread++ === 0)
        this.#say(`${said} It is skipped, and so are others like it`, {
          level: 'warn',
          code,
          ...{ job: this.#job.id, topic: this.#topic, partition, offset: Number(offset) },
        })
      return null
    }
  }
}

/** It copies nothing: the rows of a result go by its object (packed-result.ts). */
function noteTrace(result: Result, { headers }: Message): void {
  const traceparent = headers?.[TRACEPARENT]
  if (traceparent !== undefined) Object.assign(result, { traceparent })
}
