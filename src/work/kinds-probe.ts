import { batchDependent } from '../core/batch-dependent.ts'
import { attemptOf } from '../core/job.ts'
import { type RowmillError, toRowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import { KindsMet, type MetKinds } from '../probe/kinds-met.ts'
import type { Probe } from '../probe/probe.ts'
import { counted } from '../support/counted.ts'
import { RecentlyUsed } from '../support/recently-used.ts'
import type { Say } from '../support/say.ts'

/** So many jobs are remembered. An older one begins anew. */
const MOST_JOBS = 50
/** When all rows of a job are classified, its end waits as long as the job took, but at least so long. */
const PATIENCE_MS = 60_000
/** After this long we log that the job waits for the probe. */
const SAY_AFTER_MS = 1000

export interface KindsProbeOptions {
  readonly say: Say
  /** A classifier beside the job. Asked for at each question. */
  readonly open: () => Pick<Probe, 'judge' | 'close'>
  /** Whether to end it after each question. */
  readonly closes: boolean
}

/** What is known of one attempt of a job. */
interface JobKinds {
  met: KindsMet | null
  readonly since: number
  /** The verdict on all kinds so far. */
  verdict: Promise<RowmillError | null>
  /** Whether new kinds came since the last question. */
  hasNew: boolean
  isTold: boolean
}

/**
 * Asks the classifier where no rule decides how two kinds in a column are written, for all workers of a supervisor: rows that
 * had them are classified together and apart, beside the job. A probe that fails ends nothing.
 */
export class KindsProbe {
  readonly #options: KindsProbeOptions
  readonly #jobs = new RecentlyUsed<JobKinds>(MOST_JOBS, () => ({
    ...{ met: null, since: performance.now(), verdict: Promise.resolve(null), hasNew: false, isTold: false },
  }))
  #probe: Pick<Probe, 'judge' | 'close'> | null = null
  #asking: Promise<unknown> = Promise.resolve()
  #gaveUp: string | null = null
  #closed = false

  constructor(options: KindsProbeOptions) {
    this.#options = options
  }

  /** A worker met new kinds. Resolves with the error that ends the job, or null. Never rejects. */
  async meet(job: Job, met: MetKinds): Promise<RowmillError | null> {
    const kinds = this.#jobs.of(attemptOf(job))
    kinds.met ??= new KindsMet(job)
    if (!kinds.met.add(met)) return null
    kinds.hasNew = true
    const before = kinds.verdict
    const asked = this.#asking.then(() => this.#judge(job, kinds))
    this.#asking = asked
    kinds.verdict = Promise.all([before, asked]).then(([first, second]) => first ?? second)
    return kinds.verdict
  }

  /** The verdict on a job, all of whose rows are classified. If it does not come in time, ends the probe. Never rejects. */
  async end(job: Job): Promise<RowmillError | null> {
    const kinds = this.#jobs.of(attemptOf(job))
    const patienceMs = Math.max(PATIENCE_MS, performance.now() - kinds.since)
    const timers = [
      setTimeout(() => this.#tell(job, kinds), SAY_AFTER_MS),
      setTimeout(() => {
        this.#gaveUp = `it took longer than ${Math.round(patienceMs / 1000)} s after the last row`
        void this.#probe?.close()
      }, patienceMs),
    ]
    try {
      return await kinds.verdict
    } finally {
      for (const timer of timers) clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#probe?.close()
  }

  async #judge(job: Job, kinds: JobKinds): Promise<RowmillError | null> {
    if (!kinds.hasNew || this.#closed) return null // an earlier question had these rows too
    kinds.hasNew = false
    const { sample, batches } = kinds.met!.question
    this.#probe ??= this.#options.open()
    try {
      const { fault, unstable } = await this.#probe.judge(job, sample, batches)
      for (const column of unstable)
        this.#options.say(`job ${job.id}: column ${column} differs even between two calls with the same rows`)
      if (fault === null) return null
      const { message, seq, line, column } = fault
      return batchDependent(`in a probe of ${counted(sample.rows.length, 'row')}, ${message}`, { seq, line, column })
    } catch (error) {
      const why = this.#gaveUp ?? toRowmillError(error).message.split('\n', 1)[0]!
      if (!this.#closed)
        this.#options.say(
          `the probe of the kinds of job ${job.id} ended without a verdict, and the job continues: ${why}`,
        )
      return null
    } finally {
      this.#gaveUp = null
      if (this.#options.closes) await this.#probe.close()
      this.#probe = null
    }
  }

  #tell(job: Job, kinds: JobKinds): void {
    if (!kinds.isTold)
      this.#options.say(`job ${job.id}: every row is classified; the job ends after the probe (--probe)`)
    kinds.isTold = true
  }
}
