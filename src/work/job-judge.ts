import type { BatchAnswer } from '../classifier/boundary.ts'
import type { Batch } from '../core/batcher.ts'
import type { RowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import type { MetKinds } from '../probe/kinds-met.ts'
import type { KeptRow } from '../probe/sample.ts'
import { KindsOfBatches, rowsAt } from './kinds-of-batches.ts'

/** Whether the classifier of a job of a file looks at other rows. Every promise resolves with the error that ends the job, or null. */
export interface JobJudge {
  /** Called with each classified batch of any job. */
  batch(batch: Batch, job: Job, answer: BatchAnswer): readonly Promise<RowmillError | null>[]
  /** Awaited before the end of input of a job is sent. Null: it is not a job of a file. */
  end(job: Job): Promise<RowmillError | null> | null
}

/** The first rows of a job that a worker classified. */
export interface FirstBatch {
  readonly rows: readonly KeptRow[]
  /** What it made of them and of the rows after them in its batch, as messages in base64. */
  readonly known: readonly string[]
}

/** What a worker asks its supervisor about a job: its first rows, new kinds, or, with null, the verdict on all of them. */
export type Question = { readonly first: FirstBatch } | { readonly met: MetKinds } | null
export type Ask = (job: Job, question: Question) => Promise<RowmillError | null>

export interface ProbingOptions {
  readonly ask: Ask
  /** At most how many of the first rows of a job to ask about. 0: none. */
  readonly most: number
  readonly batchRows: number
}

/**
 * Has the supervisor probe the first rows of a job, and the rows of batches that bring new kinds. Only the worker that
 * classified row 0 asks about the first rows, so a job is probed once, however many machines serve it.
 */
export class ProbingJudge implements JobJudge {
  readonly #options: ProbingOptions
  readonly #kinds = new KindsOfBatches()

  constructor(options: ProbingOptions) {
    this.#options = options
  }

  batch(batch: Batch, job: Job, answer: BatchAnswer): readonly Promise<RowmillError | null>[] {
    if (!job.bounded) return []
    const { ask } = this.#options
    const first = this.#firstBatch(batch, job, answer)
    const questions: Question[] = this.#kinds.met(batch, job, answer).map(met => ({ met }))
    return [...(first ? [{ first }] : []), ...questions].map(question => ask(job, question))
  }

  end(job: Job): Promise<RowmillError | null> | null {
    return job.bounded ? this.#options.ask(job, null) : null
  }

  /** The rows of the first batch of a job. A classifier that gets the whole job in one batch sees what it saw in the original job. */
  #firstBatch(batch: Batch, job: Job, { results }: BatchAnswer): FirstBatch | null {
    const { most, batchRows } = this.#options
    const [part] = batch.parts
    const isFirst = part?.message.head.seq === 0 && part.skip === 0
    const isOneBatch = job.total !== null && job.total <= Math.min(batchRows, job.blockRows)
    if (most === 0 || !isFirst || isOneBatch || job.attempt > 0) return null
    const rows = rowsAt(batch, [...Array(Math.min(batch.count, most)).keys()])
    return { rows, known: results.map(message => message.toString('base64')) }
  }
}
