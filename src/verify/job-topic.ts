import { toRowmillError } from '../errors.ts'
import type { Message, PartitionOffset } from '../kafka/index.ts'
import { PartitionFeed } from '../kafka/partition-feed.ts'
import type { PartitionQueue } from '../kafka/partition-queue.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { decode } from '../wire/codec.ts'
import type { WireRecord } from '../wire/record.ts'
import { Tally } from './tally.ts'

/** The offsets of one partition that may hold messages of a job: [start, end). */
interface Span {
  readonly topic: string
  readonly partition: number
  /** Where the log ended when the job began. */
  readonly from: number
  readonly start: number
  readonly end: number
}

/** One message of the job, and where it is. */
export interface JobMessage {
  readonly record: WireRecord
  readonly where: string
}

/** Messages that break the wire format or the job record: their number, and a description of the first. */
export interface Malformed {
  count: number
  first: string | null
}

/** What to read. */
export interface JobTopicOptions {
  readonly topic: string
  readonly job: string
  /** Where each partition ended when the job began. */
  readonly from: readonly number[]
  /** The attempt whose end of input counts. Omitted if one end of input serves all attempts. */
  readonly attempt?: number
}

/** One partition of a topic of the job. It is read once, to the job's end of input or the end of the log at the start. */
export interface PartitionReadings {
  readonly partition: number
  readonly tally: Tally
  readonly malformed: Malformed
  readonly name: string
  /** A description of what the log has lost since the job began, or null. */
  readonly loss: string | null
  /** The next message of the job. Null after its end of input and at the end of the log. */
  next(): Promise<JobMessage | null>
  /** Counts a malformed message, and keeps the description of the first one. */
  refuse(where: string, flaw: string): void
}

/** The counts of one topic of the job. */
export class TopicReadings<P extends PartitionReadings = PartitionReadings> {
  readonly topic: string
  readonly partitions: readonly P[]

  constructor(topic: string, partitions: readonly P[]) {
    this.topic = topic
    this.partitions = partitions
  }

  count(what: 'rows' | 'duplicates' | 'missing'): number {
    return this.partitions.reduce((sum, { tally }) => sum + tally[what], 0)
  }

  get malformed(): Malformed {
    const all = this.partitions.map(({ malformed }) => malformed)
    return {
      count: all.reduce((sum, { count }) => sum + count, 0),
      first: all.find(({ first }) => first !== null)?.first ?? null,
    }
  }

  /** How many partitions have their end of input. */
  get ended(): number {
    return this.partitions.filter(({ tally }) => tally.end !== null).length
  }
}

/** One topic of one job, as of the moment it was opened: later messages are not read. The caller must close it. */
export class JobTopic extends TopicReadings<JobPartition> {
  readonly #feed: PartitionFeed
  readonly #signal: AbortSignal
  readonly #stop: () => void

  private constructor(
    { signal }: PipelineContext,
    options: JobTopicOptions,
    { feed, spans }: { feed: PartitionFeed; spans: readonly Span[] },
  ) {
    super(
      options.topic,
      spans.map(span => new JobPartition(options, span, feed)),
    )
    this.#feed = feed
    this.#signal = signal
    this.#stop = () => feed.interrupt(signal.reason)
    signal.addEventListener('abort', this.#stop, { once: true })
  }

  static async open(context: PipelineContext, options: JobTopicOptions): Promise<JobTopic> {
    const { kafka, say } = context
    const feed = await PartitionFeed.open(kafka, [options.topic], say)
    try {
      return new JobTopic(context, options, { feed, spans: await findSpans(feed, options) })
    } catch (error) {
      await feed.close()
      throw error
    }
  }

  /** Starts reading. Called once, before the first `next` of a partition. */
  async read(): Promise<readonly JobPartition[]> {
    const queues = await this.#feed.assign(this.partitions.map(({ nextOffset }) => nextOffset))
    for (const [i, partition] of this.partitions.entries()) partition.readFrom(queues[i]!)
    return this.partitions
  }

  /** Drops what was fetched. The counts stay. */
  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#stop)
    await this.#feed.close()
    await this.#feed.assign([])
    for (const partition of this.partitions) partition.readFrom(null)
  }
}

export class JobPartition implements PartitionReadings {
  readonly partition: number
  readonly tally = new Tally()
  readonly malformed: Malformed = { count: 0, first: null }
  readonly #job: Pick<JobTopicOptions, 'job' | 'attempt'>
  readonly #span: Span
  readonly #feed: PartitionFeed
  #queue: PartitionQueue | null = null

  constructor(job: Pick<JobTopicOptions, 'job' | 'attempt'>, span: Span, feed: PartitionFeed) {
    this.#job = job
    this.#span = span
    this.#feed = feed
    this.partition = span.partition
  }

  get nextOffset(): PartitionOffset {
    const { topic, partition, start } = this.#span
    return { topic, partition, offset: start }
  }

  readFrom(queue: PartitionQueue | null): void {
    this.#queue = queue
  }

  get name(): string {
    return `${this.#span.topic}[${this.partition}]`
  }

  get loss(): string | null {
    const { from, start, end } = this.#span
    if (start > from) {
      return `${this.name} now begins at offset ${start}, but the job began at ${from}: retention deleted the messages between`
    }
    return end < from
      ? `${this.name} ends at offset ${end}, but the job began at ${from}: the topic was created again`
      : null
  }

  async next(): Promise<JobMessage | null> {
    while (!this.tally.end) {
      const message = await this.#message()
      if (!message) return null
      const where = `${this.name}@${message.offset}`
      const record = this.#decode(message, where)
      if (!record || record.kind === 'job' || record.value.job !== this.#job.job) continue
      if (record.kind !== 'end') return { record, where }
      if (record.value.attempt === (this.#job.attempt ?? record.value.attempt)) this.tally.close(record.value, where)
    }
    return null
  }

  refuse(where: string, flaw: string): void {
    this.malformed.count++
    this.malformed.first ??= `${where}: ${flaw}`
  }

  async #message(): Promise<Message | null> {
    const queue = this.#queue
    if (!queue || this.#span.start >= this.#span.end) return null
    for (;;) {
      const message = this.#feed.take(queue)
      if (message) return message.offset < this.#span.end ? message : null
      // There may be offsets without a message after the last one: the queue passes them.
      if (queue.nextOffset >= this.#span.end) return null
      await this.#feed.arrival()
    }
  }

  #decode({ value }: Message, where: string): WireRecord | null {
    try {
      return decode(value)
    } catch (error) {
      this.refuse(where, toRowmillError(error).message)
      return null
    }
  }
}

async function findSpans(feed: PartitionFeed, { topic, from }: JobTopicOptions): Promise<Span[]> {
  const wanted = from.map((_, partition) => ({ topic, partition }))
  const offsets = async (which: 'start' | 'end') => {
    const offsets = await feed.offsets(wanted, which)
    return new Map(offsets.map(({ partition, offset }) => [partition, offset]))
  }
  const [starts, ends] = await Promise.all([offsets('start'), offsets('end')])
  return from.map((offset, partition) => {
    const start = Math.max(offset, starts.get(partition)!)
    return { topic, partition, from: offset, start, end: ends.get(partition)! }
  })
}
