import type { Source, SourceHeader } from '../connector.ts'
import { batchDependent } from '../core/batch-dependent.ts'
import { toRowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import type { Fault } from '../probe/judge.ts'
import { PATIENCE_MS, SAY_AFTER_MS, verdictWithin } from '../probe/patience.ts'
import { openProbe } from '../probe/probe.ts'
import type { Judged, Probe, ProbeCut } from '../probe/prober.ts'
import { fewerOf, type Sample, sampleOf } from '../probe/sample.ts'
import { SampledSource } from '../probe/sampled-source.ts'
import { unlessAborted } from '../support/abort.ts'
import { counted } from '../support/counted.ts'
import type { Say } from '../support/say.ts'
import type { FirstBatch } from '../work/job-judge.ts'
import { JobProbe } from '../work/job-probe.ts'
import type { ProbeReport, RunOptions, RunSettings } from './run-options.ts'

/** A file whose rows take no more than this travels in one message. */
const ONE_MESSAGE_BYTES = 128 * 1024
/** After its first rows, the probe has as long as the job took for the others, but at least so long. */
const REST_PATIENCE_MS = 10_000
/** A function that takes longer for a row gets fewer rows. */
const SLOW_ROW_SECONDS = 0.05
/** What was tried before there was anything to try. */
const NOTHING: ProbeReport = { rows: 0, calls: 0, seconds: 0, unstable: [], failure: null }

type Options = RunSettings & Pick<RunOptions, 'source' | 'classifier' | 'unfinished'>

/**
 * The probe of a run: beside the job, a classifier of its own gets some of the rows in other batches. First it gets those that a
 * worker classified first, and its results are compared with that worker's. At the end of the input it gets some rows of all
 * parts, at once and in other batches. If the results depend on the batch, the job fails with BATCH_DEPENDENT. The probe is in `run`
 * because only `run` has the whole input and the classifier. A probe that fails ends nothing.
 */
export class RunProbe {
  readonly #options: Options
  readonly #sampled: SampledSource | null
  /** What the workers ask about kinds goes to the same classifier. Null: they ask nobody. */
  readonly ofWorkers: JobProbe | null
  readonly #begun = Promise.withResolvers<FirstBatch | null>()
  readonly #firstJudged = Promise.withResolvers<void>()
  readonly #startedAt = performance.now()
  #probe: Probe | null = null
  /** How long a row of the first ones took on average. */
  #rowSeconds = 0
  #judging: Promise<ProbeReport | null> = Promise.resolve(null)
  /** Why the probe gives no verdict, where that is not an error of its classifier. */
  #gaveUp: string | null = null
  #closed = false

  constructor(options: Options) {
    const { say } = options
    this.#options = options
    const takesFirst = (first: FirstBatch) => this.#begun.resolve(first)
    this.ofWorkers =
      options.probe > 0 ? new JobProbe({ say, open: () => this.#open(), closes: false, takesFirst }) : null
    this.#sampled = options.probe > 0 ? new SampledSource(options.source, { most: options.probe }) : null
  }

  /** The source of the run. The probe keeps some of the rows that pass. */
  get source(): Source {
    return this.#sampled ?? this.#options.source
  }

  #open(): Probe {
    const { classifier: target, python, batchTimeout, classifierMemory } = this.#options
    this.#probe ??= openProbe({ target, python, batchTimeout, classifierMemory })
    return this.#probe
  }

  /** Starts the classifier of the probe, if it will be needed. It is ready then when the first rows are classified. */
  start(header: SourceHeader): void {
    const isNeeded = this.#sampled !== null && !this.#options.unfinished && !isOneBatch(header, this.#options)
    if (isNeeded && !this.#closed) this.#open()
  }

  /** The workers have classified rows. In a run that resumes, row 0 may not be among them, and nobody tells what became of it. */
  begin(): void {
    if (this.#options.unfinished) this.#begun.resolve(null)
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
    this.#begun.resolve(null) // a run that resumes may have nothing left to classify
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
    const first = await this.#begun.promise
    const job = await context.jobs.found(id, context.signal)
    const isKnown = first !== null && first.rows.length > 1
    const firstRows = isKnown ? sampleOf(first.rows) : await sampled.first
    const before = await this.#stage(context, job, {
      sample: firstRows,
      how: { cut: 'first', known: isKnown ? first.known : null },
    })
    this.#firstJudged.resolve()
    if (before.failure !== null) return before
    const all = await sampled.all
    const sample = this.#rowSeconds > SLOW_ROW_SECONDS ? fewerOf(all, sampled.total) : all
    if (sampled.total <= before.rows) return before
    return this.#stage(context, job, { sample, how: { cut: 'apart' }, before })
  }

  /** Tries these rows, and adds to the report what that took. Throws BATCH_DEPENDENT. */
  async #stage(
    context: PipelineContext,
    job: Job,
    { sample, how, before = NOTHING }: { sample: Sample; how: ProbeCut; before?: ProbeReport },
  ): Promise<ProbeReport> {
    if (sample.rows.length < 2 || this.#closed) return before
    const judged = await this.#try(job, sample, { how, tried: before.rows })
    if (typeof judged === 'string') return { ...before, failure: judged }
    const { calls, seconds, unstable, fault, rowSeconds } = judged
    if (fault !== null) throw await failed(context, job, fault)
    const told = new Set(before.unstable)
    for (const column of unstable) if (!told.has(column)) context.say(unstableColumn(column), { level: 'warn' })
    this.#rowSeconds = rowSeconds
    return {
      rows: sample.rows.length,
      calls: before.calls + calls,
      seconds: Math.round((before.seconds + seconds) * 1000) / 1000,
      unstable: [...new Set([...before.unstable, ...unstable])],
      failure: null,
    }
  }

  /** What the trials of these rows showed, or why there is no verdict. */
  async #try(job: Job, sample: Sample, { how, tried }: { how: ProbeCut; tried: number }): Promise<Judged | string> {
    const { say } = this.#options
    try {
      return await this.#open().judge(job, sample, how)
    } catch (error) {
      const { code, message } = toRowmillError(error)
      const why = this.#gaveUp ?? message.split('\n', 1)[0]!
      const what = tried > 0 ? `after ${counted(tried, 'row')}, which came out alike` : 'without a verdict'
      if (!this.#closed)
        say(`the probe of the classifier ended ${what}, and the job continues: ${why}`, { level: 'warn', code })
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
  const { tellFailure } = await import('../pipeline/append-job.ts')
  await tellFailure(context, job, { error, place, by: 'run' }).catch(() => {}) // then this command alone knows
  return error
}

function unstableColumn(column: string): string {
  return (
    `column ${column} differs even between two calls with the same rows (random numbers, the time, a counter, a memory of earlier rows?). ` +
    'The probe cannot judge it, and OUT may have other bytes there than the original job writes'
  )
}
