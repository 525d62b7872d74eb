import type { JobSummary, Sink } from '../connector.ts'
import { castsOf, type KindsSeen, OutputKinds } from '../core/output-kinds.ts'
import { RejectBudget } from '../core/reject-budget.ts'
import { type Run, rejectedOf, rowsOf, sameColumns } from '../core/result-run.ts'
import type { ReadPosition } from '../core/row-order.ts'
import { describeRows } from '../core/sequence.ts'
import { type ErrorFacts, RowmillError } from '../errors.ts'
import type { Job, Rejected, Result } from '../model.ts'
import { tellFailure } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { fitsJob, isFinal, OrderedResults, type ReadResult, staysRight } from '../results/ordered-results.ts'
import { crashPoint } from '../support/crash-point.ts'

/** Rows handed to the sink in one call, unless the input goes dry before. */
const WRITE_ROWS = 1000
const CHECKPOINT_MS = 1000

export interface CollectOptions {
  /** The id of the job. */
  readonly job: string
  readonly sink: Sink
  /** Whether the output of a job that does not end grows as its rows come; other jobs are refused then. Default: false. */
  readonly follow?: boolean
  /** How much a collector that is killed does again at most. Default: 1 s. */
  readonly checkpointMs?: number
  /** How often, without progress, it looks for what is lost. Default: 10 s. */
  readonly lookEveryMs?: number
  /** Called now and then with the rows classified and written so far. */
  onProgress?(classified: number, written: number): void
}

export interface Collected extends JobSummary {
  readonly duplicates: number
  /** The first of the rows that were rejected, at most 100 of those that came since the last checkpoint before. */
  readonly rejected: readonly Rejected[]
  /** Worker to the rows of the output that it classified. */
  readonly rowsByWorker: ReadonlyMap<string, number>
}

/** The note in a checkpoint: where to go on, and what must be held against what comes. */
type Note = ReadPosition & {
  readonly job: string
  readonly attempt: number
  readonly pipeline: string
  /** Of the output; null where it is not begun. */
  readonly columns: readonly string[] | null
  readonly kinds: KindsSeen
}

/**
 * Reads the results of one job, puts them in order and hands them to the sink; goes on where the sink was left
 * by a collector of the same job. Ends when every row is there, counted: all P ends of input agree and rows + rejects =
 * total. Throws what the job failed with, ROW_GAP, ROW_MALFORMED,
 * KIND_DRIFT, CLASSIFIER_MIXED, REJECTS_OVER_BUDGET, USAGE where the job is none to follow or none that ends, or what the
 * sink threw; the sink is closed in any case.
 */
export async function collect(context: PipelineContext, options: CollectOptions): Promise<Collected> {
  const { jobs, signal } = context
  const { sink, lookEveryMs } = options
  try {
    const before = readNote(await sink.open(), { pipeline: context.pipeline, job: options.job })
    const job = await jobs.found(options.job, signal)
    checkFollow(job, options)
    const note = await usable(context, before, { job, sink })
    const results = await OrderedResults.open(context, job, { position: note, lookEveryMs })
    try {
      return await new Collection(context, results, { ...options, note }).run()
    } catch (error) {
      throw await judge(context, results, error)
    } finally {
      await results.close()
    }
  } finally {
    await sink.close()
  }
}

function readNote(text: string | null, { job, pipeline }: { job: string; pipeline: string }): Note | null {
  if (text === null) return null
  const note = parse(text)
  if (note.job !== job || note.pipeline !== pipeline) {
    const message = `the output holds an unfinished job, ${note.job} of pipeline ${note.pipeline}. Finish that one first, or throw it away with --restart`
    throw new RowmillError('OUTPUT_UNUSABLE', message, { job: note.job, pipeline: note.pipeline })
  }
  const numbers = [...('seq' in note ? [note.seq] : []), ...Object.values(note.counts), ...note.offsets]
  if (numbers.every(Number.isSafeInteger)) return note
  throw changed()
}

/** What has all that a note has. */
function parse(text: string): Note {
  try {
    const note = JSON.parse(text)
    return { counts: {}, offsets: [], ...note }
  } catch {
    throw changed()
  }
}

function changed(): RowmillError {
  const message = 'the checkpoint of the output was changed since. --restart begins again with the first row'
  return new RowmillError('OUTPUT_UNUSABLE', message)
}

function checkFollow({ id, bounded, sequenced }: Job, { follow = false }: CollectOptions): void {
  const refuse = (why: string) => new RowmillError('USAGE', `job ${id} ${why}`, { job: id })
  if (follow && bounded) throw refuse('ends by itself: leave out --follow, and the output appears when it is complete')
  if (!follow && !sequenced) throw refuse('never ends: give --follow, and the output grows as its rows come')
}

/** A later attempt may give rows to the places that were left out: then the output begins anew. */
async function usable(
  { jobs, say }: PipelineContext,
  note: Note | null,
  { job, sink }: { job: Job; sink: Sink },
): Promise<Note | null> {
  if (note === null) return null
  if (!fitsJob(note.offsets, job)) throw changed()
  if (staysRight(note, job, jobs)) {
    say('seq' in note ? `going on at row ${note.seq} of job ${job.id}` : `going on with job ${job.id}`)
    return note
  }
  say(`job ${job.id} was opened again for rows that are missing or wrong in the output so far: it begins anew`)
  await sink.restart()
  return null
}

/**
 * What the collector alone can see, and no attempt to collect again will cure, ends the job for everyone. It is not the
 * reason where the job had failed before: a failure leaves gaps, and whoever fails a job says so before it leaves one.
 * A job that does not end goes on for others who read it, unless its own budget says otherwise: what a reader that stood
 * still for longer than retention misses is no fault of the job.
 */
async function judge(context: PipelineContext, results: OrderedResults, error: unknown): Promise<unknown> {
  const reason = await results.reasonOf(error)
  const { job } = results
  if (!isFinal(reason) || !(job.bounded || reason.code === 'REJECTS_OVER_BUDGET')) return reason
  await tellFailure(context, job, { error: reason, place: null, by: 'collector' })
  const { code, message, facts } = reason
  return new RowmillError(code, message, { ...(facts as ErrorFacts), attempt: job.attempt }, { cause: reason })
}

class Collection {
  readonly #context: PipelineContext
  readonly #job: Job
  readonly #results: OrderedResults
  readonly #options: CollectOptions
  readonly #kinds: OutputKinds
  readonly #budget: RejectBudget
  readonly #rowsByWorker = new Map<string, number>()
  /** Of the output, once it is begun. */
  #columns: readonly string[] | null
  #classified: number
  #checkpointedAt = performance.now()
  /** Whether rows were taken since the last checkpoint. */
  #ahead = false

  constructor(
    context: PipelineContext,
    results: OrderedResults,
    { note, ...options }: CollectOptions & { note: Note | null },
  ) {
    const { job } = results
    this.#context = context
    this.#job = job
    this.#results = results
    this.#options = options
    this.#kinds = new OutputKinds(job.id, castsOf(job), note?.kinds)
    this.#budget = new RejectBudget(job, note?.counts.rejects ?? 0)
    this.#columns = note?.columns ?? null
    this.#classified = note ? note.counts.rows + note.counts.rejects : 0
  }

  async run(): Promise<Collected> {
    const { signal } = this.#context
    if (this.#columns) await this.#begin(this.#columns)
    try {
      while (!this.#results.complete) {
        signal.throwIfAborted() // a stream that never goes dry waits for nothing
        const read = this.#results.read()
        if (!read) await this.#wait()
        else await this.#accept(read)
      }
    } catch (error) {
      if (this.#ahead && this.#isOfReading(error)) await this.#checkpoint()
      throw error
    }
    return this.#finish()
  }

  async #accept({ result, partition, firstCopies }: ReadResult): Promise<void> {
    if (firstCopies === 0 && result.count > 0) return // what a second copy says does not count
    if (this.#job.bounded) {
      const { first: position, count } = result
      this.#kinds.check(result, describeRows({ partition, position }, count, this.#job))
    }
    this.#classified += firstCopies
    if (result.count === 0 && !this.#columns) await this.#begin(result.columns) // of a job without rows
    for (let { next } = this.#results; next; { next } = this.#results) {
      if (!this.#job.bounded) this.#checkColumns(next)
      await this.#write(this.#results.take())
    }
    this.#options.onProgress?.(this.#classified, this.#results.counts.rows)
    crashPoint('rows-written')
    if (this.#ahead && this.#checkpointDueMs <= 0) await this.#checkpoint()
  }

  /** The runs have the same columns. */
  async #write(runs: readonly Run[]): Promise<void> {
    this.#ahead = true
    for (const run of runs) this.#count(run)
    const first = runs.find(({ result }) => result.rows.length > 0)
    if (!first) return
    if (!this.#columns) await this.#begin(first.result.columns)
    const rows = runs.flatMap(rowsOf)
    for (let i = 0; i < rows.length; i += WRITE_ROWS) await this.#options.sink.write(rows.slice(i, i + WRITE_ROWS))
  }

  #count(run: Run): void {
    const { by } = run.result
    const rejected = rejectedOf(run)
    this.#rowsByWorker.set(by, (this.#rowsByWorker.get(by) ?? 0) + run.count - rejected.length)
    if (rejected.length > 0) this.#budget.add(rejected, this.#context.jobs.peek(this.#job.id)?.total ?? null)
  }

  /** For something to arrive, or until what was written is to be safe: nothing more may come for long. */
  async #wait(): Promise<void> {
    const { sink, follow = false } = this.#options
    if (!follow) return this.#results.arrival()
    const arrival = this.#results.arrival()
    arrival.catch(() => {}) // it is thrown at the next one
    await sink.flush?.()
    crashPoint('rows-flushed')
    if (!this.#ahead) return arrival
    const due = Promise.withResolvers<void>()
    const timer = setTimeout(due.resolve, Math.max(0, this.#checkpointDueMs))
    await Promise.race([arrival, due.promise]).finally(() => clearTimeout(timer))
    if (this.#checkpointDueMs <= 0) await this.#checkpoint()
  }

  get #checkpointDueMs(): number {
    const { checkpointMs = CHECKPOINT_MS } = this.#options
    return this.#checkpointedAt + checkpointMs - performance.now()
  }

  async #checkpoint(): Promise<void> {
    const { pipeline } = this.#context
    const { id: job, attempt } = this.#job
    const kinds = this.#kinds.seen
    const note: Note = { job, attempt, pipeline, ...this.#results.position, columns: this.#columns, kinds }
    await this.#options.sink.checkpoint(JSON.stringify(note))
    crashPoint('checkpointed')
    this.#checkpointedAt = performance.now()
    this.#ahead = false
  }

  async #begin(columns: readonly string[] | null): Promise<void> {
    this.#columns = columns
    await this.#options.sink.begin(columns && { columns, options: this.#job.options })
  }

  /** Before the rows are taken: those before them can be made safe. */
  #checkColumns(result: Result): void {
    if (this.#columns === null || sameColumns(result, { ...result, columns: this.#columns })) return
    const [now, before] = [result.columns, this.#columns].map(names =>
      names.map(name => JSON.stringify(name)).join(', '),
    )
    const { position } = this.#results
    const from = 'seq' in position ? ` from row ${position.seq} on` : ' from now on'
    const message =
      `job ${this.#job.id}: the columns are ${now}${from}, and ${before} in the output so far, which has one line of column ` +
      'names. Let the classifier return those again; rowmill tail takes any'
    throw new RowmillError('KIND_DRIFT', message, { job: this.#job.id })
  }

  /** Whether reading ended and the sink is as it should be, so that what was written can be made safe. */
  #isOfReading(error: unknown): boolean {
    const { follow = false } = this.#options
    return (
      error === this.#context.signal.reason ||
      (follow && error instanceof RowmillError && !error.code.startsWith('OUTPUT_'))
    )
  }

  async #finish(): Promise<Collected> {
    const { rows, rejects, duplicates } = this.#results.counts
    this.#budget.check(rows + rejects)
    if (!this.#columns) await this.#begin(null)
    const summary = { job: this.#job.id, rows, rejects }
    const { signal } = this.#context
    signal.throwIfAborted()
    await this.#options.sink.commit(summary, signal)
    crashPoint('output-named')
    return { ...summary, duplicates, rejected: this.#budget.kept, rowsByWorker: this.#rowsByWorker }
  }
}
