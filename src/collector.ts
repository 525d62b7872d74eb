import { decode, isOfUnknownSchema, type WireRecord } from './codec.ts'
import type { JobSummary, Sink } from './connector.ts'
import { crashPoint } from './crash-point.ts'
import { type ErrorCode, RowmillError, toRowmillError } from './errors.ts'
import { endWithJob, hasFailed, type JobLog, jobFailure, tellFailure } from './jobs.ts'
import type { Kafka, Message } from './kafka.ts'
import { type KindsSeen, OutputKinds } from './kinds.ts'
import { LossWatch, type Wanted } from './loss-watch.ts'
import { type Job, optionOf, type Rejected, type Result } from './model.ts'
import type { Say } from './outage.ts'
import { PartitionFeed, type PartitionQueue } from './partition-feed.ts'
import { Reassembler, type ReassemblerPosition } from './reassembler.ts'
import { seqOf } from './sequence.ts'
import { topicsOf } from './topics.ts'

/** Rows handed to the sink in one call, unless the input goes dry before. */
const WRITE_ROWS = 1000
const CHECKPOINT_MS = 1000

export interface CollectOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly jobs: JobLog
  readonly job: string
  readonly sink: Sink
  readonly say: Say
  readonly signal: AbortSignal
  /** How much a collector that is killed does again at most. Default: 1 s. */
  readonly checkpointMs?: number
  /** Called now and then with the rows classified and written so far. */
  onProgress?(classified: number, written: number): void
}

export interface Collected extends JobSummary {
  readonly duplicates: number
  /** Worker to the rows it classified that count. */
  readonly rowsByWorker: ReadonlyMap<string, number>
}

/** The note in a checkpoint: where to go on, and what must be held against what comes. */
interface Note extends ReassemblerPosition {
  readonly job: string
  readonly pipeline: string
  /** Of the output. */
  readonly columns: readonly string[]
  readonly kinds: KindsSeen
}

/**
 * Reads the results of one job, puts them in order and hands them to the sink; goes on where the sink was left
 * by a collector of the same job. Ends when every row is there, counted: all P ends of input agree and rows + rejects =
 * total. Throws what the job failed with, ROW_GAP, ROW_MALFORMED,
 * KIND_DRIFT, CLASSIFIER_MIXED, REJECTS_OVER_BUDGET, or what the sink threw; the sink is closed in any case.
 */
export async function collect(options: CollectOptions): Promise<Collected> {
  const { jobs, sink, signal } = options
  const stop = new AbortController()
  try {
    const note = readNote(await sink.open(), options)
    const job = await jobs.until(options.job, () => true, signal)
    const feed = await PartitionFeed.open(options.kafka, [topicsOf(options.pipeline).results], options.say)
    let watch: LossWatch | null = null
    try {
      endWithJob(feed, jobs, { id: job.id, signal: AbortSignal.any([signal, stop.signal]) })
      const collection = new Collection(job, note, feed, options)
      watch = new LossWatch(
        options,
        () => collection.wanted,
        error => feed.interrupt(error),
      )
      return await collection.run()
    } catch (error) {
      throw await judge(job, error, options)
    } finally {
      await watch?.close()
      await feed.close()
    }
  } finally {
    stop.abort()
    await sink.close()
  }
}

function readNote(text: string | null, { job, pipeline, say }: CollectOptions): Note | null {
  if (text === null) return null
  const note = JSON.parse(text) as Note
  if (note.job !== job || note.pipeline !== pipeline) {
    const message = `the output holds an unfinished job, ${note.job} of pipeline ${note.pipeline}. Finish that one first, or throw it away with --restart`
    throw new RowmillError('OUTPUT_UNUSABLE', message, { job: note.job, pipeline: note.pipeline })
  }
  say(`going on at row ${note.seq} of job ${job}`)
  return note
}

/**
 * What the collector alone can see, and no attempt to collect again will cure, ends the job for everyone. It is not the
 * reason where the job had failed before: a failure leaves gaps, and whoever fails a job says so before it leaves one.
 */
async function judge(job: Job, error: unknown, options: CollectOptions): Promise<unknown> {
  const final: ErrorCode[] = ['ROW_GAP', 'ROW_MALFORMED', 'KIND_DRIFT', 'CLASSIFIER_MIXED', 'REJECTS_OVER_BUDGET']
  if (!(error instanceof RowmillError) || !final.includes(error.code) || error.facts['told']) return error
  if (isOfUnknownSchema(error)) return error // a collector with the right schema registry can read it
  const now = await options.jobs.latest(job.id).catch(() => undefined) // the topic may be what is lost
  if (now && hasFailed(now)) return jobFailure(now)
  await tellFailure(options, job, { error, place: null, by: 'collector' })
  return error
}

class Collection {
  readonly #job: Job
  readonly #feed: PartitionFeed
  readonly #options: CollectOptions
  readonly #reassembler: Reassembler
  readonly #kinds: OutputKinds
  readonly #rowsByWorker = new Map<string, number>()
  #queues: PartitionQueue[] = []
  #unread = 0
  /** Of the output, once it is begun. */
  #columns: readonly string[] | null = null
  #classified: number
  /** Of those that were read, also ahead of what is written. */
  #rejects: number
  #firstReject: Rejected | null = null
  readonly #budget: RejectBudget
  #checkpointedAt = performance.now()

  constructor(job: Job, note: Note | null, feed: PartitionFeed, options: CollectOptions) {
    const first = { seq: 0, counts: { rows: 0, rejects: 0, duplicates: 0 }, offsets: job.resultsFrom }
    this.#job = job
    this.#feed = feed
    this.#options = options
    this.#reassembler = new Reassembler(job.id, job, note ?? first)
    this.#kinds = new OutputKinds(job.id, castColumns(job), note?.kinds)
    this.#columns = note?.columns ?? null
    this.#classified = note?.seq ?? 0
    this.#rejects = note?.counts.rejects ?? 0
    this.#budget = new RejectBudget(optionOf(job.options, 'maxRejects') ?? '0')
  }

  get wanted(): Wanted {
    const { wanted: partition, position } = this.#reassembler
    const queue = this.#queues[partition]
    // What was fetched and not taken yet is there: a sink that takes its time loses nothing.
    const offset = queue?.peek()?.offset ?? queue?.position ?? position.offsets[partition]!
    return { partition, offset, row: position.seq }
  }

  async run(): Promise<Collected> {
    if (this.#columns) await this.#begin(this.#columns)
    const { results: topic } = topicsOf(this.#options.pipeline)
    const { offsets } = this.#reassembler.position
    this.#queues = await this.#feed.assign(offsets.map((offset, partition) => ({ topic, partition, offset })))
    while (!this.#reassembler.complete) {
      const queue = this.#queues[this.#reassembler.wanted]!
      const message = this.#feed.take(queue)
      if (message) await this.#accept(queue, message)
      else await this.#feed.arrival()
    }
    return this.#finish()
  }

  async #accept({ topic, partition }: PartitionQueue, { offset, value }: Message): Promise<void> {
    const place = { topic, partition, offset }
    const record = this.#decode(value, `${topic}[${partition}]@${offset}`)
    if (!record) return
    if (record.kind === 'end' && record.value.job === this.#job.id) this.#reassembler.end(place, record.value)
    if (record.kind !== 'result' || record.value.job !== this.#job.id) return
    const result = record.value
    const firstCopies = this.#reassembler.offer(place, result)
    if (firstCopies === 0 && result.count > 0) return // what a second copy says does not count
    this.#kinds.check(result, this.#describe(partition, result))
    this.#classified += firstCopies
    this.#rowsByWorker.set(result.by, (this.#rowsByWorker.get(result.by) ?? 0) + firstCopies)
    this.#countRejects(result, firstCopies)
    if (!this.#columns && (result.count === 0 || result.rows.length > 0)) await this.#begin(result.columns)
    await this.#write()
  }

  /** Null for what is no record: nobody knows whose it is. If it was a result of this job, that is missing, and will be missed. */
  #decode(value: Buffer | null, where: string): WireRecord | null {
    try {
      return decode(value)
    } catch (cause) {
      const { code, message, facts } = toRowmillError(cause)
      const said = `job ${this.#job.id}, ${where}: ${message}`
      if (isOfUnknownSchema(cause)) throw new RowmillError(code, said, { ...facts, where }, { cause })
      if (this.#unread++ === 0) this.#options.say(`${said}. It is passed over, as will be others`)
      return null
    }
  }

  async #write(): Promise<void> {
    const rows = this.#reassembler.take()
    for (let i = 0; i < rows.length; i += WRITE_ROWS) await this.#options.sink.write(rows.slice(i, i + WRITE_ROWS))
    this.#options.onProgress?.(this.#classified, this.#reassembler.counts.rows)
    crashPoint('rows-written')
    const { job, pipeline, checkpointMs = CHECKPOINT_MS } = this.#options
    if (performance.now() - this.#checkpointedAt < checkpointMs) return
    const kinds = this.#kinds.seen
    const note: Note = { job, pipeline, ...this.#reassembler.position, columns: this.#columns!, kinds }
    await this.#options.sink.checkpoint(JSON.stringify(note))
    crashPoint('checkpointed')
    this.#checkpointedAt = performance.now()
  }

  async #begin(columns: readonly string[] | null): Promise<void> {
    this.#columns = columns
    await this.#options.sink.begin(columns && { columns, options: this.#job.options })
  }

  /** Positions that were there before come first in a result that overlaps them. */
  #countRejects({ rejected, count }: Result, firstCopies: number): void {
    const news = rejected.filter(({ index }) => index >= count - firstCopies)
    if (news.length === 0) return
    this.#rejects += news.length
    this.#firstReject ??= news[0]!
    const total = this.#options.jobs.peek(this.#job.id)?.total ?? null
    const budget = this.#budget.of(total)
    if (budget !== null && this.#rejects > budget) throw this.#overBudget(budget)
  }

  #overBudget(budget: number): RowmillError {
    const many = `${this.#rejects} rows have no result, and the budget is ${budget}`
    if (!this.#firstReject) return new RowmillError('REJECTS_OVER_BUDGET', `job ${this.#job.id}: ${many}`)
    const { seq, line, reason, detail } = this.#firstReject
    const row = `row ${seq}${line === null ? '' : ` (line ${line})`}`
    const which = budget === 0 ? row : `${many}. The first, ${row},`
    const message = `job ${this.#job.id}: ${which} was rejected: ${reason} ${detail}`
    return new RowmillError('REJECTS_OVER_BUDGET', message, { job: this.#job.id, seq, line })
  }

  async #finish(): Promise<Collected> {
    const budget = this.#budget.of(this.#reassembler.position.seq)!
    if (this.#rejects > budget) throw this.#overBudget(budget)
    if (!this.#columns) await this.#begin(null)
    const { rows, rejects, duplicates } = this.#reassembler.counts
    const summary = { job: this.#job.id, rows, rejects, refused: this.#reassembler.refused }
    this.#options.signal.throwIfAborted()
    await this.#options.sink.commit(summary)
    crashPoint('output-named')
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

/** How many rows of a job may be without a result: a number, or `P%` of all rows. */
class RejectBudget {
  readonly #given: string

  constructor(given: string) {
    this.#given = given
  }

  /** In rows; null for a part of a whole that is not known yet. */
  of(total: number | null): number | null {
    if (!this.#given.endsWith('%')) return Number(this.#given)
    return total === null ? null : Math.floor((total * Number(this.#given.slice(0, -1))) / 100)
  }
}
