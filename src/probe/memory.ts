import type { BatchAnswer, BatchClassifier } from '../classifier/boundary.ts'
import type { Batch } from '../core/batcher.ts'
import { RowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import { APART, type RowCut, SECOND_HALF_FIRST, WHOLE } from './cuts.ts'
import { afterEarlier, type Judgement, judge } from './judge.ts'
import type { Sample } from './sample.ts'
import { TimedTrials } from './timed-trials.ts'
import { areAlike, type Trial, type Trials, trialOf } from './trials.ts'

/** A classifier that takes longer to start and to classify these rows is not started again. */
const MOST_SECONDS = 10

/** A classifier that can be started again in a new process, where it remembers nothing. Never two of them at a time. */
export class FreshClassifier implements Pick<BatchClassifier, 'start' | 'classify' | 'close'> {
  readonly #open: () => BatchClassifier
  #classifier: BatchClassifier
  #startSeconds = 0
  #isUsed = false
  #closed = false

  constructor(open: () => BatchClassifier) {
    this.#open = open
    this.#classifier = open()
  }

  get startSeconds(): number {
    return this.#startSeconds
  }

  async start(): Promise<void> {
    const startedAt = performance.now()
    await this.#classifier.start()
    this.#startSeconds = (performance.now() - startedAt) / 1000
  }

  /** Starts it again if it has seen rows. */
  async forget(): Promise<void> {
    if (this.#isUsed && this.#startSeconds <= MOST_SECONDS) await this.again()
  }

  async again(): Promise<void> {
    this.#isUsed = false
    await this.#classifier.close()
    if (this.#closed) throw new RowmillError('CLASSIFIER_DIED', 'it was closed')
    this.#classifier = this.#open()
    await this.start()
  }

  classify(batch: Batch, job: Job): Promise<BatchAnswer> {
    this.#isUsed = true
    return this.#classifier.classify(batch, job)
  }

  close(): Promise<void> {
    this.#closed = true
    return this.#classifier.close()
  }
}

/** What is needed to judge the first rows of a job. */
export interface FirstTrial {
  readonly classifier: FreshClassifier
  readonly trials: Trials
  readonly job: Job
  readonly sample: Sample
  /** What a worker made of these rows, and perhaps of some more, at once. As it sent them. Null: nobody knows. */
  readonly known: readonly Uint8Array[] | null
}

/**
 * Judges the first rows of a job. A worker has classified them at once, in another process. If a process that has seen no
 * row before makes the same of them in smaller batches, the second half first, nothing is wrong. If not, only trials in
 * processes of our own can tell why.
 */
export async function judgeFirst({ classifier, trials, job, sample, known }: FirstTrial): Promise<Judgement> {
  await classifier.forget()
  const whole = known && trialOf(job, known, sample.rows.length)
  if (whole && areAlike(whole, await trials.classify(sample, APART, whole))) return { fault: null, unstable: [] }
  await classifier.forget()
  const timed = new TimedTrials(trials)
  return judgeMemory(await judge(timed, { job, sample }), { classifier, trials: timed, job, sample })
}

/**
 * Whether the results depend on the rows that came before, as where a function numbers the names it meets. Each worker meets
 * others. `before` is what the first trials showed: its fault counts, and its unstable columns are left out.
 */
export async function judgeMemory(
  before: Judgement,
  { classifier, trials, job, sample }: { classifier: FreshClassifier; trials: TimedTrials; job: Job; sample: Sample },
): Promise<Judgement> {
  let first: Trial | null = await trials.first
  if (before.fault !== null || classifier.startSeconds + first.seconds > MOST_SECONDS) return before
  const fresh = {
    classify: async (rows: Sample, cut: RowCut) => {
      const known = cut === WHOLE ? first : null
      first = null
      if (known) return known
      await classifier.again()
      return await trials.classify(rows, cut)
    },
  }
  return afterEarlier(before, await judge(fresh, { job, sample, cuts: [SECOND_HALF_FIRST], leftOut: before.unstable }))
}
