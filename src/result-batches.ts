import { RowmillError } from './errors.ts'
import { JobLog } from './jobs.ts'
import { Kafka } from './kafka.ts'
import type { Job, Result, Values } from './model.ts'
import { OPTIONS } from './options.ts'
import { OrderedResults, type OrderedResultsOptions, type ReadPosition, staysRight } from './ordered-results.ts'
import type { Say } from './outage.ts'
import { isRow, placesOf, type Run, sameColumns } from './result-run.ts'
import { checkName, ensureTopics } from './topics.ts'
import { registerRecords, wireFormat } from './wire.ts'

/** Rows in one batch, where more are there already: it ends at the first run that reaches this. */
const BATCH_ROWS = 1000

/** Why a row has no result, and the values that it was sent with. */
export interface RejectedRow {
  readonly reason: string
  readonly detail: string
  readonly values: Values
}

/** A row of a job that was classified, or one that could not be: one of `values` and `rejected` is null. */
export type ClassifiedRow =
  | { readonly seq: number | null; readonly values: Values; readonly rejected: null }
  | { readonly seq: number | null; readonly values: null; readonly rejected: RejectedRow }

/** Where a batch ends. What is in it is nobody's business; it may be kept as JSON. */
export interface ResultsPosition {
  readonly pipeline: string
  readonly job: string
  readonly attempt: number
  readonly at: ReadPosition
}

/**
 * Rows that are next in the order of their job: all that had arrived when they were asked for, up to about 1,000.
 *
 * `columns` are those of the output, the label of the index first where it has an index, and `values` has one text for
 * each: a list and no object, because every name is legal in a CSV, twice or `__proto__` too. A batch without any
 * classified row may have none. Another classifier may give other columns: then another batch begins.
 */
export interface ResultBatch {
  readonly columns: readonly string[]
  readonly rows: readonly ClassifiedRow[]
  /** Give it as `after`, in another process too, to go on behind the last row of this batch. */
  readonly position: ResultsPosition
}

export interface ResultsRequest {
  readonly job: string
  /** The position of a batch that was dealt with: the row behind it comes first. */
  readonly after?: ResultsPosition | null
  /** Without `after`: the first row, or only what is classified from now on. Default: start. */
  readonly from?: 'start' | 'now'
}

export interface ResultsOptions extends ResultsRequest {
  /** `host:port` of one or more brokers. */
  readonly brokers: readonly string[]
  /** The pipeline of the job. Default: rowmill. */
  readonly pipeline?: string
  /** The URL of a schema registry, where messages are in Confluent wire format. */
  readonly schemaRegistry?: string | null
  /** How long to go on trying while the broker does not answer, in seconds. Default: 300. */
  readonly brokerTimeout?: number
  /** Told of outages, and where a job is begun later than with its first row. */
  readonly say?: Say
  /** Ends every wait with its reason. */
  readonly signal?: AbortSignal
}

/**
 * The classified rows of one job, in order and none twice, as they come: by seq, or as they arrive where the job has no
 * sequence. Waits for a job that is not published yet. Ends when a job has ended and all its rows were given. Nothing is
 * read while no batch is asked for, but for bounded queues; leaving the loop closes everything.
 *
 * A job that does not end, and whose first results retention has taken, is begun at the first row from which on all are
 * there. Throws what the job failed with; ROW_GAP, ROW_MALFORMED; USAGE for a position that is not of this job, or of an
 * attempt whose rejects a later one may have replaced: read that from the start. Others that read the job go on.
 */
export async function* results(options: ResultsOptions): AsyncGenerator<ResultBatch, void, undefined> {
  const { brokers, pipeline = OPTIONS.sharedPipeline.fallback, schemaRegistry = null, say = () => {} } = options
  const { brokerTimeout = OPTIONS.brokerTimeout.fallback, signal = new AbortController().signal } = options
  checkName('pipeline', pipeline)
  checkName('job', options.job)
  signal.throwIfAborted()
  const format = schemaRegistry === null ? null : wireFormat(await registerRecords(schemaRegistry))
  const brokerTimeoutMs = brokerTimeout * 1000
  const kafka = new Kafka({ brokers, clientId: 'rowmill-results', brokerTimeoutMs, format })
  const admin = await kafka.admin()
  try {
    await ensureTopics(admin, pipeline, null)
  } finally {
    await admin.close()
  }
  const jobs = await JobLog.open(kafka, pipeline, say)
  try {
    yield* resultBatches({ kafka, pipeline, jobs, say, signal }, options)
  } finally {
    await jobs.close()
  }
}

/** The same at a place that is open already. */
export async function* resultBatches(
  place: OrderedResultsOptions,
  { job: id, after = null, from = 'start' }: ResultsRequest,
): AsyncGenerator<ResultBatch, void, undefined> {
  const { jobs, pipeline, signal } = place
  if (after !== null) checkPosition(after, { pipeline, job: id })
  const job = await jobs.found(id, signal)
  if (after !== null) checkAttempt(after, job, jobs)
  const results = await OrderedResults.open(job, after?.at ?? null, { ...place, from })
  const batch = new Batch()
  const give = (): ResultBatch => ({
    ...batch.give(),
    position: { pipeline, job: id, attempt: job.attempt, at: results.position },
  })
  try {
    while (!results.complete) {
      signal.throwIfAborted() // a stream that never goes dry waits for nothing
      const isDry = results.read() === undefined
      for (let next = results.next; next; next = results.next) {
        if (!batch.takes(next)) yield give()
        batch.add(results.take())
      }
      if (batch.size > 0 && (isDry || batch.size >= BATCH_ROWS)) yield give()
      else if (isDry) await results.arrival()
    }
    if (batch.size > 0) yield give()
  } catch (error) {
    if (batch.size > 0 && !signal.aborted) yield give() // what lies before a gap is right
    throw await results.reasonOf(error)
  } finally {
    await results.close()
  }
}

/** The rows that were taken and not given yet. */
class Batch {
  #rows: ClassifiedRow[] = []
  /** Whose columns these rows have. */
  #columnsOf: Result | null = null

  get size(): number {
    return this.#rows.length
  }

  /** Whether the rows of a result can go into it: they have the same columns. */
  takes(result: Result): boolean {
    return this.#columnsOf === null || sameColumns(this.#columnsOf, result)
  }

  add(runs: readonly Run[]): void {
    for (const run of runs) {
      if (run.result.rows.length > 0) this.#columnsOf ??= run.result
      placesOf(run).forEach((place, i) => {
        const seq = run.seq === null ? null : run.seq + i
        if (isRow(place)) this.#rows.push({ seq, values: place, rejected: null })
        else {
          const { reason, detail, values } = place
          this.#rows.push({ seq, values: null, rejected: { reason, detail, values } })
        }
      })
    }
  }

  give(): Pick<ResultBatch, 'columns' | 'rows'> {
    const given = { columns: this.#columnsOf?.columns ?? [], rows: this.#rows }
    this.#rows = []
    this.#columnsOf = null
    return given
  }
}

function checkPosition(after: ResultsPosition, { pipeline, job }: { pipeline: string; job: string }): void {
  if (after.pipeline === pipeline && after.job === job && Array.isArray(after.at?.offsets)) return
  const of = after.job === undefined ? 'no position of results()' : `of job ${after.job} of pipeline ${after.pipeline}`
  throw new RowmillError(
    'USAGE',
    `after: it is ${of}, and these are the results of job ${job} of pipeline ${pipeline}`,
    {
      job,
      pipeline,
    },
  )
}

function checkAttempt({ attempt, at }: ResultsPosition, job: Job, jobs: JobLog): void {
  const fits = at.offsets.length === job.partitions && 'seq' in at === job.sequenced
  if (!fits) throw new RowmillError('USAGE', `after: it is no position of job ${job.id}`, { job: job.id })
  if (staysRight({ attempt, counts: at.counts }, job, jobs)) return
  const message =
    `after: the position is of attempt ${attempt} of job ${job.id}, which was opened again for rows that were missing or ` +
    'wrong before it. Read the job from the start'
  throw new RowmillError('USAGE', message, { job: job.id, attempt })
}
