import { batchDependent } from '../core/batch-dependent.ts'
import { attemptOf } from '../core/job.ts'
import { type RowmillError, toRowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import { KindsMet, type MetKinds } from '../probe/kinds-met.ts'
import { PATIENCE_MS, SAY_AFTER_MS, verdictWithin } from '../probe/patience.ts'
import type { Probe, ProbeCut } from '../probe/prober.ts'
import { type Sample, sampleOf } from '../probe/sample.ts'
import { counted } from '../support/counted.ts'
import { RecentlyUsed } from '../support/recently-used.ts'
import type { Say } from '../support/say.ts'
import type { FirstBatch } from './job-judge.ts'

/** So many jobs are remembered. An older one begins anew. */
const MOST_JOBS = 50

export interface JobProbeOptions {
  readonly say: Say
  /** A classifier beside the job. Asked for at each question. */
  readonly open: () => Probe
  /** Whether to end it after each question. */
  readonly closes: boolean
  /** Takes the first rows of a job instead, and judges them. Default: they are judged here. */
  readonly takesFirst?: (first: FirstBatch) => void
}

/** What is known of one attempt of a job. */
interface Known {
  met: KindsMet | null
  readonly since: number
  /** The verdict on all questions so far. */
  verdict: Promise<RowmillError | null>
  /** Whether its first rows were asked about. */
  hasFirst: boolean
  /** Whether new kinds came since the last question. */
  hasNew: boolean
  isTold: boolean
}

/**
 * Asks the classifier about the jobs of all workers of a supervisor, in a process beside them. The first rows of a job are
 * classified whole and in other cuts. Where no rule decides how two kinds in a column are written, rows that had them are
 * classified together and apart. A probe that fails ends nothing.
 */
export class JobProbe {
  readonly #options: JobProbeOptions
  readonly #jobs = new RecentlyUsed<Known>(MOST_JOBS, () => ({
    ...{ met: null, since: performance.now(), verdict: Promise.resolve(null) },
    ...{ hasFirst: false, hasNew: false, isTold: false },
  }))
  #probe: Probe | null = null
  #asking: Promise<unknown> = Promise.resolve()
  #gaveUp: string | null = null
  #closed = false

  constructor(options: JobProbeOptions) {
    this.#options = options
  }

  /** A worker classified the first rows of a job. Resolves with the error that ends the job, or null. Never rejects. */
  async first(job: Job, first: FirstBatch): Promise<RowmillError | null> {
    const known = this.#jobs.of(attemptOf(job))
    if (known.hasFirst) return null // they came again after a crash
    known.hasFirst = true
    const { takesFirst } = this.#options
    takesFirst?.(first)
    if (takesFirst || first.rows.length < 2) return null
    return this.#ask(known, () => this.#judge(job, sampleOf(first.rows), { cut: 'first', known: first.known }))
  }

  /** A worker met new kinds. Resolves with the error that ends the job, or null. Never rejects. */
  async meet(job: Job, met: MetKinds): Promise<RowmillError | null> {
    const known = this.#jobs.of(attemptOf(job))
    known.met ??= new KindsMet(job)
    if (!known.met.add(met)) return null
    known.hasNew = true
    return this.#ask(known, async () => {
      if (!known.hasNew) return null // an earlier question had these rows too
      known.hasNew = false
      const { sample, batches } = known.met!.question
      return await this.#judge(job, sample, { cut: 'kinds', batches })
    })
  }

  /** The verdict on a job. All its rows are classified. If the verdict does not come in time, the probe ends. Never rejects. */
  async end(job: Job): Promise<RowmillError | null> {
    const known = this.#jobs.of(attemptOf(job))
    const patienceMs = Math.max(PATIENCE_MS, performance.now() - known.since)
    const telling = setTimeout(() => this.#tell(job, known), SAY_AFTER_MS)
    try {
      return await verdictWithin(known.verdict, patienceMs, why => {
        this.#gaveUp = why
        void this.#probe?.close()
      })
    } finally {
      clearTimeout(telling)
    }
  }

  /** Ends the probe, and tells `why` if a job loses its verdict by that. */
  async close(why: string | null = null): Promise<void> {
    this.#closed = true
    this.#gaveUp = why
    await this.#probe?.close()
  }

  /** Questions are answered one after the other. */
  #ask(known: Known, question: () => Promise<RowmillError | null>): Promise<RowmillError | null> {
    const asked = this.#asking.then(question)
    this.#asking = asked
    known.verdict = Promise.all([known.verdict, asked]).then(([before, now]) => before ?? now)
    return known.verdict
  }

  async #judge(job: Job, sample: Sample, how: ProbeCut): Promise<RowmillError | null> {
    if (this.#closed) return null
    this.#probe ??= this.#options.open()
    try {
      const { fault, unstable } = await this.#probe.judge(job, sample, how)
      for (const column of unstable)
        this.#options.say(`job ${job.id}: column ${column} differs even between two calls with the same rows`, {
          level: 'warn',
          job: job.id,
        })
      if (fault === null) return null
      const { message, seq, line, column } = fault
      return batchDependent(`in a probe of ${counted(sample.rows.length, 'row')}, ${message}`, { seq, line, column })
    } catch (error) {
      const why = this.#gaveUp ?? toRowmillError(error).message.split('\n', 1)[0]!
      if (!this.#closed || this.#gaveUp !== null)
        this.#options.say(`the probe of job ${job.id} ended without a verdict, and the job continues: ${why}`, {
          level: 'warn',
          job: job.id,
        })
      return null
    } finally {
      this.#gaveUp = null
      if (this.#options.closes) await this.#probe.close()
      this.#probe = null
    }
  }

  #tell(job: Job, known: Known): void {
    if (!known.isTold)
      this.#options.say(`job ${job.id}: every row is classified; the job ends after the probe (--probe)`, {
        job: job.id,
      })
    known.isTold = true
  }
}
