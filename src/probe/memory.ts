import type { BatchAnswer, BatchClassifier } from '../classifier/boundary.ts'
import type { Batch } from '../core/batcher.ts'
import type { Job } from '../model.ts'
import { type RowCut, SECOND_HALF_FIRST, WHOLE } from './cuts.ts'
import { afterEarlier, type Judgement, judge } from './judge.ts'
import type { Sample } from './sample.ts'
import type { TimedTrials } from './timed-trials.ts'
import type { Trial } from './trials.ts'

/** A classifier that takes longer to start and to classify these rows is not started again. */
const MOST_SECONDS = 10

/** A classifier that can be started again in a new process, where it remembers nothing. Never two of them at a time. */
export class FreshClassifier implements Pick<BatchClassifier, 'start' | 'classify' | 'close'> {
  readonly #open: () => BatchClassifier
  #classifier: BatchClassifier
  #startSeconds = 0

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

  async again(): Promise<void> {
    await this.#classifier.close()
    this.#classifier = this.#open()
    await this.start()
  }

  classify(batch: Batch, job: Job): Promise<BatchAnswer> {
    return this.#classifier.classify(batch, job)
  }

  close(): Promise<void> {
    return this.#classifier.close()
  }
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
