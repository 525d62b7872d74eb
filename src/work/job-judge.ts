import type { BatchAnswer } from '../classifier/boundary.ts'
import type { Batch } from '../core/batcher.ts'
import type { RowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import type { MetKinds } from '../probe/kinds-met.ts'
import type { FirstRows } from './first-rows.ts'
import { KindsOfBatches } from './kinds-of-batches.ts'

/** Whether the classifier of a job of a file looks at other rows. Every promise resolves with the error that ends the job, or null. */
export interface JobJudge {
  /** Called with each classified batch of any job. */
  batch(batch: Batch, job: Job, answer: BatchAnswer): readonly Promise<RowmillError | null>[]
  /** Awaited before the end of input of a job is sent. Null: it is not a job of a file. */
  end(job: Job): Promise<RowmillError | null> | null
}

/** Asks the supervisor of the worker: about new kinds, or, with null, for the verdict on the job. */
export type Ask = (job: Job, met: MetKinds | null) => Promise<RowmillError | null>

/** Probes the first rows of a job, and the rows of batches that bring new kinds. */
export class ProbingJudge implements JobJudge {
  readonly #first: FirstRows
  readonly #ask: Ask
  readonly #kinds = new KindsOfBatches()

  constructor(first: FirstRows, ask: Ask) {
    this.#first = first
    this.#ask = ask
  }

  batch(batch: Batch, job: Job, answer: BatchAnswer): readonly Promise<RowmillError | null>[] {
    if (!job.bounded) return []
    const [part] = batch.parts
    const isFirst = part?.message.head.seq === 0 && part.skip === 0
    const met = this.#kinds.met(batch, job, answer).map(kinds => this.#ask(job, kinds))
    return isFirst ? [this.#first.judge(batch, job), ...met] : met
  }

  end(job: Job): Promise<RowmillError | null> | null {
    return job.bounded ? this.#ask(job, null) : null
  }
}
