import { decode, isOfUnknownSchema, type WireRecord } from './codec.ts'
import type { JobSummary, Sink } from './connector.ts'
import { type ErrorCode, RowmillError, toRowmillError } from './errors.ts'
import { endWithJob, failJob, hasFailed, type JobLog, jobFailure } from './jobs.ts'
import type { Kafka, Message } from './kafka.ts'
import { OutputKinds } from './kinds.ts'
import { type Job, optionOf, type Result } from './model.ts'
import type { Say } from './outage.ts'
import { PartitionFeed, type PartitionQueue } from './partition-feed.ts'
import { PartitionSender } from './partition-sender.ts'
import { Reassembler } from './reassembler.ts'
import { seqOf } from './sequence.ts'
import { topicsOf } from './topics.ts'

/** Rows handed to the sink in one call, unless the input goes dry before. */
const WRITE_ROWS = 1000

export interface CollectOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly jobs: JobLog
  readonly job: string
  readonly sink: Sink
  readonly say: Say
  readonly signal: AbortSignal
  /** Called now and then with the rows classified and written so far. */
  onProgress?(classified: number, written: number): void
}

export interface Collected extends JobSummary {
  readonly duplicates: number
  /** Worker to the rows it classified that count. */
  readonly rowsByWorker: ReadonlyMap<string, number>
}

/**
 * Reads the results of one job, puts them in order and hands them to the sink. Ends when every row is there, counted:
 * all P ends of input agree and rows + rejects = total. Throws what the job failed with, ROW_GAP, ROW_MALFORMED,
 * KIND_DRIFT, CLASSIFIER_MIXED, REJECTS_OVER_BUDGET, or what the sink threw; the sink is closed in any case.
 */
export async function collect(options: CollectOptions): Promise<Collected> {
  const { jobs, sink, signal } = options
  const stop = new AbortController()
  try {
    await sink.open(null)
    const job = await jobs.until(options.job, () => true, signal)
    const feed = await PartitionFeed.open(options.kafka, [topicsOf(options.pipeline).results], options.say)
    try {
      endWithJob(feed, jobs, { id: job.id, signal: AbortSignal.any([signal, stop.signal]) })
      return await new Collection(job, feed, options).run()
    } catch (error) {
      throw await judge(job, error, options)
    } finally {
      await feed.close()
    }
  } finally {
    stop.abort()
    await sink.close()
  }
}

/**
 * What the collector alone can see, and no attempt to collect again will cure, ends the job for everyone. It is not the
 * reason where the job had failed before: a failure leaves gaps, and whoever fails a job says so before it leaves one.
 */
async function judge(job: Job, error: unknown, { kafka, pipeline, jobs, say }: CollectOptions): Promise<unknown> {
  const final: ErrorCode[] = ['ROW_GAP', 'ROW_MALFORMED', 'KIND_DRIFT', 'CLASSIFIER_MIXED', 'REJECTS_OVER_BUDGET']
  if (!(error instanceof RowmillError) || !final.includes(error.code) || error.facts['told']) return error
  if (isOfUnknownSchema(error)) return error // a collector with the right schema registry can read it
  const now = await jobs.latest(job.id)
  if (now && hasFailed(now)) return jobFailure(now)
  const sender = new PartitionSender(await kafka.producer(), say)
  try {
    await failJob(sender, pipeline, job, { error, place: null, by: 'collector' })
  } finally {
    await sender.close()
  }
  return error
}

class Collection {
  readonly #job: Job
  readonly #feed: PartitionFeed
  readonly #options: CollectOptions
  readonly #reassembler: Reassembler
  readonly #kinds: OutputKinds
  readonly #rowsByWorker = new Map<string, number>()
  #begun = false
  #classified = 0

  constructor(job: Job, feed: PartitionFeed, options: CollectOptions) {
    this.#job = job
    this.#feed = feed
    this.#options = options
    this.#reassembler = new Reassembler(job.id, job)
    this.#kinds = new OutputKinds(job.id, castColumns(job))
  }

  async run(): Promise<Collected> {
    const { results: topic } = topicsOf(this.#options.pipeline)
    const positions = this.#job.resultsFrom.map((offset, partition) => ({ topic, partition, offset }))
    const queues = await this.#feed.assign(positions)
    while (!this.#reassembler.complete) {
      const queue = queues[this.#reassembler.wanted]!
      const message = this.#feed.take(queue)
      if (message) await this.#accept(queue, message)
      else await this.#feed.arrival()
    }
    return this.#finish()
  }

  async #accept({ topic, partition }: PartitionQueue, { offset, value }: Message): Promise<void> {
    const where = `${topic}[${partition}]@${offset}`
    const record = this.#decode(value, where)
    if (record.kind === 'end' && record.value.job === this.#job.id)
      this.#reassembler.end(partition, record.value, where)
    if (record.kind !== 'result' || record.value.job !== this.#job.id) return
    const result = record.value
    const firstCopies = this.#reassembler.offer(partition, result, where)
    if (firstCopies === 0 && result.count > 0) return // what a second copy says does not count
    this.#kinds.check(result, this.#describe(partition, result))
    this.#classified += firstCopies
    this.#rowsByWorker.set(result.by, (this.#rowsByWorker.get(result.by) ?? 0) + firstCopies)
    if (result.rejected.length > 0) throw overBudget(this.#job.id, result)
    if (!this.#begun) await this.#begin(result.columns)
    await this.#write()
  }

  #decode(value: Buffer | null, where: string): WireRecord {
    try {
      return decode(value)
    } catch (cause) {
      const { code, message, facts } = toRowmillError(cause)
      throw new RowmillError(code, `job ${this.#job.id}, ${where}: ${message}`, { ...facts, where }, { cause })
    }
  }

  async #write(): Promise<void> {
    const rows = this.#reassembler.take()
    for (let i = 0; i < rows.length; i += WRITE_ROWS) await this.#options.sink.write(rows.slice(i, i + WRITE_ROWS))
    this.#options.onProgress?.(this.#classified, this.#reassembler.counts.rows)
  }

  async #begin(columns: readonly string[] | null): Promise<void> {
    this.#begun = true
    await this.#options.sink.begin(columns && { columns, options: this.#job.options })
  }

  async #finish(): Promise<Collected> {
    if (!this.#begun) await this.#begin(null)
    const { rows, rejects, duplicates } = this.#reassembler.counts
    const summary = { job: this.#job.id, rows, rejects, refused: this.#reassembler.refused }
    this.#options.signal.throwIfAborted()
    await this.#options.sink.commit(summary)
    return { ...summary, duplicates, rowsByWorker: this.#rowsByWorker }
  }

  #describe(partition: number, { first, count }: Result): string {
    const from = seqOf({ partition, position: first }, this.#job)
    return count === 1
      ? `row ${from}`
      : `rows ${from} to ${seqOf({ partition, position: first + count - 1 }, this.#job)}`
  }
}

function castColumns({ options }: Job): string[] {
  const casts: [string, string][] = JSON.parse(optionOf(options, 'cast') ?? '[]')
  return casts.map(([column]) => column)
}

function overBudget(job: string, { rejected }: Result): RowmillError {
  const { seq, line, reason, detail } = rejected[0]!
  return new RowmillError(
    'REJECTS_OVER_BUDGET',
    `job ${job}: row ${seq}${line === null ? '' : ` (line ${line})`} was rejected: ${reason} ${detail}`,
    { job, seq, line },
  )
}
