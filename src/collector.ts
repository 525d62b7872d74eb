import { isOfUnknownSchema } from './codec.ts'
import type { JobSummary, Sink } from './connector.ts'
import { crashPoint } from './crash-point.ts'
import { type ErrorCode, type ErrorFacts, RowmillError } from './errors.ts'
import { type Attempt, endWithJob, hasFailed, type JobLog, jobFailure, tellFailure } from './jobs.ts'
import type { Kafka } from './kafka.ts'
import { type KindsSeen, OutputKinds } from './kinds.ts'
import { LossWatch, type Wanted } from './loss-watch.ts'
import { type Job, optionOf, type Rejected, type Result } from './model.ts'
import type { Say } from './outage.ts'
import { Reassembler, type ReassemblerPosition } from './reassembler.ts'
import { ResultReader } from './result-reader.ts'
import { rowsInPartition, seqOf } from './sequence.ts'

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
  /** How often, without progress, it looks for what is lost. Default: 10 s. */
  readonly lookEveryMs?: number
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
  readonly attempt: number
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
    const before = readNote(await sink.open(), options)
    const job = await jobs.found(options.job, signal)
    const note = await usable(before, job, options)
    const reader = await ResultReader.open(job, placesOf(job, note, jobs.attemptsOf(job.id)), options)
    let watch: LossWatch | null = null
    try {
      endWithJob(reader, jobs, { id: job.id, signal: AbortSignal.any([signal, stop.signal]) })
      const collection = new Collection(job, note, reader, options)
      watch = new LossWatch(
        { ...options, attempt: job.attempt },
        () => collection.wanted,
        error => reader.interrupt(error),
      )
      return await collection.run()
    } catch (error) {
      throw await judge(job, error, options)
    } finally {
      await watch?.close()
      await reader.close()
    }
  } finally {
    stop.abort()
    await sink.close()
  }
}

function readNote(text: string | null, { job, pipeline }: CollectOptions): Note | null {
  if (text === null) return null
  const note = JSON.parse(text) as Note
  if (note.job === job && note.pipeline === pipeline) return note
  const message = `the output holds an unfinished job, ${note.job} of pipeline ${note.pipeline}. Finish that one first, or throw it away with --restart`
  throw new RowmillError('OUTPUT_UNUSABLE', message, { job: note.job, pipeline: note.pipeline })
}

/** A later attempt may give rows to the places that were left out: then the output begins anew. */
async function usable(note: Note | null, job: Job, { jobs, sink, say }: CollectOptions): Promise<Note | null> {
  if (note === null) return null
  const counts = jobs.attemptsOf(job.id).some(({ attempt }) => attempt === note.attempt)
  if (note.attempt === job.attempt || (counts && note.counts.rejects === 0)) {
    say(`going on at row ${note.seq} of job ${job.id}`)
    return note
  }
  say(`job ${job.id} was opened again for rows that are missing or wrong in the output so far: it begins anew`)
  await sink.restart()
  return null
}

/**
 * Where to read each attempt from, by partition. A checkpoint has one offset for a partition: where there are several
 * attempts all of them are read from their beginning, and what was written is passed over.
 */
function placesOf(job: Job, note: Note | null, attempts: readonly Attempt[]): readonly Attempt[] {
  const until = attempts.filter(({ attempt }) => attempt <= job.attempt)
  return note !== null && until.length === 1 ? [{ attempt: job.attempt, resultsFrom: note.offsets }] : until
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
  const { code, message, facts } = error
  return new RowmillError(code, message, { ...(facts as ErrorFacts), attempt: job.attempt }, { cause: error })
}

class Collection {
  readonly #job: Job
  readonly #reader: ResultReader
  readonly #options: CollectOptions
  readonly #reassembler: Reassembler
  readonly #kinds: OutputKinds
  readonly #rowsByWorker = new Map<string, number>()
  /** Of the output, once it is begun. */
  #columns: readonly string[] | null = null
  #classified: number
  /** Of those that were read, also ahead of what is written. */
  #rejects: number
  #firstReject: Rejected | null = null
  readonly #budget: RejectBudget
  #checkpointedAt = performance.now()

  constructor(job: Job, note: Note | null, reader: ResultReader, options: CollectOptions) {
    const first = { seq: 0, counts: { rows: 0, rejects: 0, duplicates: 0 }, offsets: job.resultsFrom }
    this.#job = job
    this.#reader = reader
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
    return { partition, offset: this.#reader.offset(partition), row: position.seq }
  }

  async run(): Promise<Collected> {
    if (this.#columns) await this.#begin(this.#columns)
    const { seq } = this.#reassembler.position
    await this.#reader.read(this.#job.rowsFrom.map((_, partition) => rowsInPartition(partition, seq, this.#job)))
    while (!this.#reassembler.complete) {
      const { wanted } = this.#reassembler
      const found = this.#reader.take(wanted)
      if (!found) await this.#reader.arrival()
      else if (found.kind === 'end') this.#reassembler.end(this.#reader.place(wanted, found.offset), found.value)
      else await this.#accept(wanted, found.offset, found.value)
    }
    return this.#finish()
  }

  async #accept(partition: number, offset: number, result: Result): Promise<void> {
    const firstCopies = this.#reassembler.offer(this.#reader.place(partition, offset), result)
    if (firstCopies === 0 && result.count > 0) return // what a second copy says does not count
    this.#kinds.check(result, this.#describe(partition, result))
    this.#classified += firstCopies
    this.#rowsByWorker.set(result.by, (this.#rowsByWorker.get(result.by) ?? 0) + firstCopies)
    this.#countRejects(result, firstCopies)
    if (!this.#columns && (result.count === 0 || result.rows.length > 0)) await this.#begin(result.columns)
    await this.#write()
  }

  async #write(): Promise<void> {
    const rows = this.#reassembler.take()
    for (let i = 0; i < rows.length; i += WRITE_ROWS) await this.#options.sink.write(rows.slice(i, i + WRITE_ROWS))
    this.#options.onProgress?.(this.#classified, this.#reassembler.counts.rows)
    crashPoint('rows-written')
    const { job, pipeline, checkpointMs = CHECKPOINT_MS } = this.#options
    if (performance.now() - this.#checkpointedAt < checkpointMs) return
    const { attempt } = this.#job
    const kinds = this.#kinds.seen
    const note: Note = { job, attempt, pipeline, ...this.#reassembler.position, columns: this.#columns!, kinds }
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
    const { rows, rejects } = this.#reassembler.counts
    const duplicates = this.#reassembler.counts.duplicates + this.#reader.duplicates
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
