import { batchDependent } from '../core/batch-dependent.ts'
import type { Batch } from '../core/batcher.ts'
import { type RowmillError, toRowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import { Probe, type ProbeArguments } from '../probe/probe.ts'
import { sampleOf } from '../probe/sample.ts'
import { counted } from '../support/counted.ts'
import type { Say } from '../support/say.ts'
import { rowsAt } from './kinds-of-batches.ts'

export interface FirstRowsOptions extends ProbeArguments {
  /** At most how many rows of a job to try. 0: none. */
  readonly most: number
  readonly batchRows: number
  readonly say: Say
}

/**
 * Probes the first batch of each job of a file, in a process beside the worker. Only the worker that classified the first row
 * of the job does it, so a job is probed once, however many machines serve it.
 */
export class FirstRows {
  readonly #options: FirstRowsOptions
  /** The probes that run. */
  readonly #probes = new Set<Probe>()

  constructor(options: FirstRowsOptions) {
    this.#options = options
  }

  /** The error for a job whose results depend on the batch. Null: they do not, or nobody knows. Never rejects. */
  async judge(batch: Batch, job: Job): Promise<RowmillError | null> {
    const { most, batchRows, say, ...args } = this.#options
    const isOneBatch = job.total !== null && job.total <= Math.min(batchRows, job.blockRows)
    const sample = sampleOf(rowsAt(batch, [...Array(Math.min(batch.count, most)).keys()]))
    if (!job.bounded || job.attempt > 0 || isOneBatch || sample.rows.length < 2) return null
    const probe = new Probe(args)
    this.#probes.add(probe)
    try {
      const { fault, unstable } = await probe.judge(job, sample)
      for (const column of unstable)
        say(`job ${job.id}: column ${column} differs even between two calls with the same rows`)
      if (fault === null) return null
      const { message, seq, line, column } = fault
      return batchDependent(`in a probe of ${counted(sample.rows.length, 'row')}, ${message}`, { seq, line, column })
    } catch (error) {
      const [why] = toRowmillError(error).message.split('\n', 1)
      say(`the probe of job ${job.id} ended without a verdict, and the job continues: ${why}`)
      return null
    } finally {
      this.#probes.delete(probe)
      await probe.close()
    }
  }

  /** Ends the probes that run. */
  async close(): Promise<void> {
    const probes = [...this.#probes]
    this.#probes.clear()
    await Promise.all(probes.map(probe => probe.close()))
  }
}
