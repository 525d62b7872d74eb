import { isReject, outcomesOf, type ResultSlice, rowCount, sameColumns } from '../core/result-slice.ts'
import { RowmillError } from '../errors.ts'
import type { Job, JobOption, Result } from '../model.ts'
import { withoutMarks } from '../pandas/number-marks.ts'
import { marksNumbers } from '../pandas/to-csv.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import { fitsJob, OrderedResults, staysRight } from '../results/ordered-results.ts'
import type { ClassifiedRow, ResultBatch, ResultsCheckpoint, ResultsRequest } from './result-batch.ts'

/** The rows of one batch, if more have arrived: it ends with the slice that reaches this number. */
const BATCH_ROWS = 1000

/** As `results` (results.ts), with a connection that is open already. `lookEveryMs`: see OrderedResultsOptions. */
export async function* resultBatches(
  context: PipelineContext,
  { job: id, after = null, from = 'start', lookEveryMs }: ResultsRequest & { readonly lookEveryMs?: number },
): AsyncGenerator<ResultBatch, void, undefined> {
  const { jobs, pipeline, signal } = context
  if (after !== null) checkOrigin(after, { pipeline, job: id })
  const job = await jobs.found(id, signal)
  if (after !== null) checkAttempt(after, job, jobs)
  const results = await OrderedResults.open(context, job, { checkpoint: after?.at ?? null, from, lookEveryMs })
  const batch = new BufferedRows()
  const give = (): ResultBatch => ({
    ...batch.give(),
    checkpoint: { pipeline, job: id, attempt: job.attempt, at: results.checkpoint },
  })
  try {
    while (!results.complete) {
      signal.throwIfAborted() // rows may arrive so fast that nothing below ever waits
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
    if (batch.size > 0 && !signal.aborted) yield give() // the rows before a gap are right
    throw await results.reasonOf(error)
  } finally {
    await results.close()
  }
}

/** The batch without the marks that numbers have for a sink (number-marks.ts). */
export function unmarkedBatch<Batch extends ResultBatch>(batch: Batch, options: readonly JobOption[]): Batch {
  if (!marksNumbers({ options })) return batch
  const rows = batch.rows.map(row => (row.values === null ? row : { ...row, values: withoutMarks(row.values) }))
  return { ...batch, columns: withoutMarks(batch.columns), rows }
}

/** The rows that were taken and not given yet. */
class BufferedRows {
  #rows: ClassifiedRow[] = []
  /** The result whose columns these rows have. */
  #columnsOf: Result | null = null

  get size(): number {
    return this.#rows.length
  }

  /** Whether the rows of a result fit into this batch: they have the same columns. */
  takes(result: Result): boolean {
    return this.#columnsOf === null || sameColumns(this.#columnsOf, result)
  }

  add(slices: readonly ResultSlice[]): void {
    for (const slice of slices) {
      if (rowCount(slice.result) > 0) this.#columnsOf ??= slice.result
      const { traceparent } = slice.result
      const trace = traceparent === undefined ? {} : { traceparent }
      outcomesOf(slice).forEach((outcome, i) => {
        const seq = slice.seq === null ? null : slice.seq + i
        if (isReject(outcome)) {
          const { reason, detail, values } = outcome
          this.#rows.push({ seq, values: null, rejected: { reason, detail, values }, ...trace })
        } else for (const values of outcome) this.#rows.push({ seq, values, rejected: null, ...trace })
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

function checkOrigin(after: ResultsCheckpoint, { pipeline, job }: { pipeline: string; job: string }): void {
  if (after.pipeline === pipeline && after.job === job && Array.isArray(after.at?.offsets)) return
  const of =
    after.job === undefined ? 'not a checkpoint of results()' : `of job ${after.job} of pipeline ${after.pipeline}`
  const message = `after: it is ${of}, and these are the results of job ${job} of pipeline ${pipeline}`
  throw new RowmillError('USAGE', message, { job, pipeline })
}

function checkAttempt({ attempt, at }: ResultsCheckpoint, job: Job, jobs: JobLog): void {
  const fits = fitsJob(at.offsets, job) && 'seq' in at === job.sequenced
  if (!fits)
    throw new RowmillError(
      'USAGE',
      `after: it does not come from the results of job ${job.id}. Give the batch.checkpoint of a batch of this job`,
      { job: job.id },
    )
  if (staysRight({ attempt, counts: at.counts }, job, jobs)) return
  const message =
    `after: the checkpoint is of attempt ${attempt} of job ${job.id}, which was reopened for rows that were missing or ` +
    'wrong before it. Read the job from the start'
  throw new RowmillError('USAGE', message, { job: job.id, attempt })
}
