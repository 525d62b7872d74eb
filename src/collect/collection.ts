import { castsOf, OutputKinds } from '../core/output-kinds.ts'
import { RejectBudget } from '../core/reject-budget.ts'
import { type ResultSlice, rejectedOf, rowCount, sameColumns } from '../core/result-slice.ts'
import { describeRows } from '../core/sequence.ts'
import { type CellChanges, CellRules, ChangedCells, WholeColumns } from '../core/whole-columns.ts'
import { RowmillError } from '../errors.ts'
import type { Job, Result } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import type { CollectingReport } from '../reports/report.ts'
import type { OrderedResults, ReadResult } from '../results/ordered-results.ts'
import { crashPoint } from '../support/crash-point.ts'
import { freeRows } from '../wire/packed-result.ts'
import type { Collected, CollectOptions } from './collect-options.ts'
import type { CollectorNote } from './note.ts'
import { pauseBetweenFetches } from './pause-between-fetches.ts'
import { writeRows } from './write-rows.ts'

const CHECKPOINT_MS = 1000

/** What one pass over the job needs. `changes`: those with which it writes all rows, because an earlier pass found them. */
export type PassOptions = CollectOptions & { readonly note: CollectorNote | null; readonly changes: CellChanges | null }

/** The changes for which the rows must be written again, which showed only with later rows. */
export interface NeededChanges {
  readonly changes: CellChanges
  readonly columns: readonly string[]
}

/** Reads the results of one job to their end and writes them, once. */
export class Collection {
  readonly #context: PipelineContext
  readonly #job: Job
  readonly #results: OrderedResults
  readonly #options: PassOptions
  readonly #kinds: OutputKinds
  readonly #budget: RejectBudget
  /** Null: the rows are as they must be, or the sink cannot take them back. */
  readonly #whole: WholeColumns | null
  /** Null: this is the first pass, which writes the cells as they came. */
  readonly #changed: ChangedCells | null
  readonly #rowsByWorker = new Map<string, number>()
  /** The columns of the output, once it has begun. */
  #columns: readonly string[] | null
  #classified: number
  /** The same when the collection began. */
  readonly #classifiedBefore: number
  readonly #began = performance.now()
  #checkpointedAt = performance.now()
  /** Whether rows were taken since the last checkpoint. */
  #ahead = false
  /** Since when nothing has come. Null: it is writing. */
  #waitsSince: number | null = null
  /** Since when there is no row that can be written next. Null: there is one. */
  #blockedSince: number | null = null

  constructor(context: PipelineContext, results: OrderedResults, options: PassOptions) {
    const { job } = results
    const { note, changes, sink } = options
    this.#context = context
    this.#job = job
    this.#results = results
    this.#options = options
    const { rewrites = false } = sink
    const rules = job.bounded ? new CellRules(job) : null
    this.#kinds = new OutputKinds(job.id, castsOf(job), { before: note?.kinds ?? null, rules, rewrites })
    this.#whole = rewrites && rules && !changes ? new WholeColumns(rules, note?.seen) : null
    this.#changed = rewrites && rules && changes ? new ChangedCells(rules, changes, note?.written) : null
    this.#budget = new RejectBudget(job, note?.counts.rejects ?? 0)
    this.#columns = note?.columns ?? null
    this.#classified = note ? note.counts.rows + note.counts.rejects : 0
    this.#classifiedBefore = this.#classified
  }

  /** How long results may stay at the broker after an answer with so many bytes. */
  pauseMs(bytes: number): number {
    if (!this.#job.bounded) return 0
    const { total } = this.#context.jobs.peek(this.#job.id) ?? this.#job
    return pauseBetweenFetches({
      bytes,
      classified: this.#classified - this.#classifiedBefore,
      left: total === null ? null : total - this.#classified,
      ms: performance.now() - this.#began,
    })
  }

  get report(): CollectingReport {
    const { counts, wanted } = this.#results
    const { rows: written, rejects: rejected, duplicates } = counts
    const seconds = (performance.now() - (this.#waitsSince ?? 0)) / 1000
    const waiting = wanted && this.#waitsSince !== null ? { ...wanted, seconds: Math.round(seconds * 10) / 10 } : null
    return { job: this.#job.id, written, rejected, duplicates, waiting }
  }

  async run(): Promise<Collected | NeededChanges> {
    const { signal } = this.#context
    if (this.#columns) await this.#begin(this.#columns)
    try {
      while (!this.#results.complete) {
        signal.throwIfAborted() // a stream with rows always ready never waits
        const read = this.#results.read()
        if (!read) {
          this.#waitsSince ??= performance.now()
          await this.#wait()
          continue
        }
        this.#waitsSince = null
        await this.#accept(read)
      }
    } catch (error) {
      if (this.#ahead && this.#isOfReading(error)) await this.#checkpoint()
      throw error
    }
    return this.#finish()
  }

  async #accept({ result, partition, firstCopies }: ReadResult): Promise<void> {
    if (firstCopies === 0 && result.count > 0) return // a second copy does not count
    if (this.#job.bounded) {
      const { first: position, count } = result
      this.#kinds.check(result, describeRows({ partition, position }, count, this.#job))
    }
    this.#classified += firstCopies
    this.#options.onArrival?.(this.#classified)
    if (result.count === 0 && !this.#columns) await this.#begin(result.columns) // the job has no rows
    for (let { next } = this.#results; next; { next } = this.#results) {
      if (!this.#job.bounded) this.#checkColumns(next)
      await this.#write(this.#results.take())
    }
    const { rows, rejects } = this.#results.counts
    this.#options.onProgress?.(this.#classified, rows, rejects)
    crashPoint('rows-written')
    if (this.#ahead && this.#checkpointDueMs <= 0) await this.#checkpoint()
  }

  /** Writes slices that have the same columns. */
  async #write(slices: readonly ResultSlice[]): Promise<void> {
    this.#ahead = true
    if (this.#blockedSince !== null) this.#options.onWaited?.((performance.now() - this.#blockedSince) / 1000)
    this.#blockedSince = null
    for (const slice of slices) this.#count(slice)
    const first = slices.find(({ result }) => rowCount(result) > 0)
    if (!first) return
    if (!this.#columns) await this.#begin(first.result.columns)
    const writing = { sink: this.#options.sink, whole: this.#whole, changed: this.#changed }
    for (const slice of slices) {
      await writeRows(slice, writing)
      const { result, index, count } = slice
      if (index + count === result.count) freeRows(result)
    }
  }

  #count(slice: ResultSlice): void {
    const { by } = slice.result
    const rejected = rejectedOf(slice)
    this.#rowsByWorker.set(by, (this.#rowsByWorker.get(by) ?? 0) + slice.count - rejected.length)
    if (rejected.length === 0) return
    this.#options.onRejected?.(rejected)
    this.#budget.add(rejected, this.#context.jobs.peek(this.#job.id)?.total ?? null)
  }

  /** Waits for more results, or until the next checkpoint is due: nothing more may come for a long time. */
  async #wait(): Promise<void> {
    const { sink, follow = false } = this.#options
    this.#blockedSince ??= performance.now()
    if (!follow) return this.#results.arrival()
    const arrival = this.#results.arrival()
    arrival.catch(() => {}) // the next call throws it
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
    const note: CollectorNote = {
      ...{ job, attempt, pipeline, ...this.#results.checkpoint, columns: this.#columns, kinds: this.#kinds.seen },
      ...{ seen: this.#whole?.seen ?? null, changes: this.#options.changes, written: this.#changed?.rows ?? 0 },
    }
    await this.#options.sink.checkpoint(JSON.stringify(note))
    crashPoint('checkpointed')
    this.#checkpointedAt = performance.now()
    this.#ahead = false
  }

  async #begin(columns: readonly string[] | null): Promise<void> {
    this.#columns = columns
    await this.#options.sink.begin(columns && { columns, options: this.#job.options })
  }

  /** Called before the rows are taken, so that the rows before them can still be checkpointed. */
  #checkColumns(result: Result): void {
    if (this.#columns === null || sameColumns(result, { ...result, columns: this.#columns })) return
    const [now, before] = [result.columns, this.#columns].map(names =>
      names.map(name => JSON.stringify(name)).join(', '),
    )
    const { checkpoint } = this.#results
    const from = 'seq' in checkpoint ? ` from row ${checkpoint.seq} on` : ' from now on'
    const message =
      `job ${this.#job.id}: the columns are ${now}${from}, but ${before} in the output so far, which has one line of column ` +
      'names. Make the classifier return those again, or use rowmill tail, which takes any columns'
    throw new RowmillError('KIND_DRIFT', message, { job: this.#job.id })
  }

  /** Whether reading failed and the sink did not, so that the written rows can be checkpointed. */
  #isOfReading(error: unknown): boolean {
    const { follow = false } = this.#options
    return (
      error === this.#context.signal.reason ||
      (follow && error instanceof RowmillError && !error.code.startsWith('OUTPUT_'))
    )
  }

  async #finish(): Promise<Collected | NeededChanges> {
    const { rows, rejects, duplicates, rowsOut = rows } = this.#results.counts
    this.#budget.check(rows + rejects)
    if (this.#job.bounded) this.#kinds.finish()
    const changes = this.#whole?.changes(this.#kinds.kinds)
    if (changes) return { changes, columns: this.#columns! }
    if (!this.#columns) await this.#begin(this.#kinds.seen.columnsWithoutRows ?? null)
    const summary = { job: this.#job.id, rows, rejects, rowsOut }
    await this.#options.mayCommit?.()
    this.#context.signal.throwIfAborted()
    await this.#options.sink.commit(summary, this.#context.signal)
    crashPoint('output-named')
    return { ...summary, duplicates, rejected: this.#budget.kept, rowsByWorker: this.#rowsByWorker }
  }
}
