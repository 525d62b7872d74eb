import type { Source, SourceHeader } from '../connector.ts'
import { batchDependent } from '../core/batch-dependent.ts'
import { toRowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import { tellFailure } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import type { Fault } from '../probe/judge.ts'
import { PATIENCE_MS, SAY_AFTER_MS, verdictWithin } from '../probe/patience.ts'
import { type Judged, Probe } from '../probe/probe.ts'
import { AT_ONCE_ROWS, type Sample } from '../probe/sample.ts'
import { SampledSource } from '../probe/sampled-source.ts'
import { unlessAborted } from '../support/abort.ts'
import { counted } from '../support/counted.ts'
import type { Say } from '../support/say.ts'
import { JobProbe } from '../work/job-probe.ts'
import type { ProbeReport, RunOptions, RunSettings } from './run-options.ts'

/** A file whose rows take no more than this travels in one message. */
const ONE_MESSAGE_BYTES = 128 * 1024
/** After its first rows, the probe has as long as the job took for the others, but at least so long. */
const REST_PATIENCE_MS = 10_000

type Options = RunSettings & Pick<RunOptions, 'source' | 'classifier'>

/**
 * The probe of a run: beside the job, a classifier of its own gets some of the rows, whole and cut in other ways. It starts
 * after the workers have classified their first rows. If the results depend on the cut, the job fails with BATCH_DEPENDENT.
 * It is in `run` because only `run` has the whole input and the classifier. A probe that fails ends nothing.
 */
export class RunProbe {
  readonly #options: Options
  readonly #sampled: SampledSource | null
  /** What the workers ask about kinds goes to the same classifier. Null: they ask nobody. */
  readonly ofWorkers: JobProbe | null
  readonly #begun = Promise.withResolvers<void>()
  readonly #firstJudged = Promise.withResolvers<void>()
  readonly #startedAt = performance.now()
  #probe: Probe | null = null
  #judging: Promise<ProbeReport | null> = Promise.resolve(null)
  /** Why the probe gives no verdict, where that is not an error of its classifier. */
  #gaveUp: string | null = null
  #closed = false

  constructor(options: Options) {
    const { say } = options
    this.#options = options
    this.ofWorkers = options.probe > 0 ? new JobProbe({ say, open: () => this.#classifier, closes: false }) : null
    this.#sampled = options.probe > 0 ? new SampledSource(options.source, { most: options.probe }) : null
  }

  /** The source of the run. The probe keeps some of the rows that pass. */
  get source(): Source {
    return this.#sampled ?? this.#options.source
  }

  get #classifier(): Probe {
    const { classifier: target, python, batchTimeout, classifierMemory } = this.#options
    this.#probe ??= new Probe({ target, python, batchTimeout, classifierMemory })
    return this.#probe
  }

  /** The workers have classified rows. */
  begin(): void {
    this.#begun.resolve()
  }

  /** Judges the job. Resolves with what that took, or with null if there was nothing to judge. Throws BATCH_DEPENDENT. */
  judge(context: PipelineContext, id: string, header: SourceHeader): Promise<ProbeReport | null> {
    const sampled = this.#sampled
    if (sampled === null || isOneBatch(header, this.#options)) return Promise.resolve(null)
    this.#judging = unlessAborted(this.#judge(context, id, sampled), context.signal)
    this.#judging.catch(() => {})
    return this.#judging
  }

  /** Waits for the verdict when all rows are written. If it does not come in time, ends the probe. Throws BATCH_DEPENDENT. */
  async verdict(say: Say): Promise<void> {
    this.begin() // a run that resumes may have nothing left to classify
    const jobMs = performance.now() - this.#startedAt
    const telling = setTimeout(
      () => say('every row is written; OUT gets its name after the probe (--probe)'),
      SAY_AFTER_MS,
    )
    try {
      await this.#within(Promise.race([this.#firstJudged.promise, this.#judging]), Math.max(PATIENCE_MS, jobMs))
      await this.#within(this.#judging, Math.max(REST_PATIENCE_MS, jobMs))
    } finally {
      clearTimeout(telling)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.ofWorkers?.close(), this.#probe?.close()])
  }

  /** Ends the probe after so long. Then `judged` settles too. */
  #within(judged: Promise<unknown>, patienceMs: number): Promise<unknown> {
    return verdictWithin(judged, patienceMs, why => {
      this.#gaveUp = why
      void this.#probe?.close()
    })
  }

  async #judge(context: PipelineContext, id: string, sampled: SampledSource): Promise<ProbeReport | null> {
    await this.#begun.promise
    const job = await context.jobs.found(id, context.signal)
    let report: ProbeReport = { rows: 0, calls: 0, seconds: 0, unstable: [], failure: null }
    for (const stage of sampled.planned > AT_ONCE_ROWS ? [sampled.first, sampled.all] : [sampled.all]) {
      const sample = await stage
      const { rows } = sample
      if (rows.length < 2 || rows.length === report.rows || this.#closed) continue
      const judged = await this.#try(job, sample, { say: context.say, tried: report.rows })
      if (typeof judged === 'string') return { ...report, failure: judged }
      const { calls, seconds, unstable, fault } = judged
      if (fault !== null) throw await failed(context, job, fault)
      const told = new Set(report.unstable)
      for (const column of unstable) if (!told.has(column)) context.say(unstableColumn(column))
      report = {
        rows: rows.length,
        calls: report.calls + calls,
        seconds: Math.round((report.seconds + seconds) * 1000) / 1000,
        unstable: [...new Set([...report.unstable, ...unstable])],
        failure: null,
      }
      this.#firstJudged.resolve()
    }
    return report
  }

  /** What the trials of these rows showed, or why there is no verdict. */
  async #try(job: Job, sample: Sample, { say, tried }: { say: Say; tried: number }): Promise<Judged | string> {
    try {
      return await this.#classifier.judge(job, sample)
    } catch (error) {
      const { code, message } = toRowmillError(error)
      const why = this.#gaveUp ?? message.split('\n', 1)[0]!
      const what = tried > 0 ? `after ${counted(tried, 'row')}, which came out alike` : 'without a verdict'
      if (!this.#closed) say(`the probe of the classifier ended ${what}, and the job continues: ${why}`)
      return this.#gaveUp === null ? code : 'TIMEOUT'
    }
  }
}

/** A classifier that sees all rows of the file in one call sees what it saw in the original job. */
function isOneBatch({ total, longestBytes }: SourceHeader, { batchRows }: Options): boolean {
  if (total === null || longestBytes === undefined) return false
  return total <= batchRows && total * longestBytes <= ONE_MESSAGE_BYTES
}

/** The error, after `jobs` has it: then publisher, workers and collectors of the job end too. */
async function failed(context: PipelineContext, job: Job, { message, seq, line, column }: Fault): Promise<Error> {
  const facts = { job: job.id, attempt: job.attempt, seq, line, column, told: true }
  const error = batchDependent(`job ${job.id}, in the probe: ${message}`, facts)
  const place = seq === null ? null : `row ${seq}`
  await tellFailure(context, job, { error, place, by: 'run' }).catch(() => {}) // then this command alone knows
  return error
}

function unstableColumn(column: string): string {
  return (
    `column ${column} differs even between two calls with the same rows (random numbers, the time, a counter, a memory of earlier rows?). ` +
    'The probe cannot judge it, and OUT may have other bytes there than the original job writes'
  )
}
