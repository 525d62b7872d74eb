import { openClassifier } from '../classifier/open.ts'
import type { Job } from '../model.ts'
import { APART, byKinds } from './cuts.ts'
import { type Judgement, judge } from './judge.ts'
import { FreshClassifier, judgeFirst } from './memory.ts'
import type { Sample } from './sample.ts'
import { Trials } from './trials.ts'

export interface ProbeArguments {
  /** `FILE[:NAME]` or `package.module:name`. */
  readonly target: string
  readonly python: string
  /** How long a classifier call may take, in seconds. */
  readonly batchTimeout: number
  /** How much memory the classifier may use, in MB. Null: no limit. */
  readonly classifierMemory: number | null
}

/** What to do with a sample. It is plain JSON. */
export type ProbeCut =
  /** These are the first rows of a job. `known`: what a worker made of them and of the rows after them at once, as messages in base64. */
  | { readonly cut: 'first'; readonly known: readonly string[] | null }
  | { readonly cut: 'apart' }
  /** Compare these batches, as places among the rows, with all rows at once. */
  | { readonly cut: 'kinds'; readonly batches: readonly (readonly number[])[] }

/** What came out, and what it took. */
export interface Judged extends Judgement {
  /** How often the classifier was called. */
  readonly calls: number
  readonly seconds: number
  /** How long a row took in these calls, on average. */
  readonly rowSeconds: number
}

/** A classifier beside a job that shows whether the result of a row depends on its batch. It answers one question after the other. */
export interface Probe {
  /** Tries the rows. Rejects if that cannot be done. */
  judge(job: Job, sample: Sample, how: ProbeCut): Promise<Judged>
  /** Ends the classifier and everything that it started. Twice is fine. Calls that wait reject. */
  close(): Promise<void>
}

/**
 * A probe in this process. Its classifier is in a process or thread of its own, which starts at once. What it prints goes nowhere:
 * the workers print the same.
 */
export class Prober implements Probe {
  readonly #timeoutMs: number
  readonly #classifier: FreshClassifier
  readonly #started: Promise<void>
  #last: Promise<unknown> = Promise.resolve()

  constructor({ target, python, batchTimeout, classifierMemory }: ProbeArguments) {
    const opening = { target, python, by: 'probe', memoryMB: classifierMemory, onOutput: () => {} }
    this.#timeoutMs = batchTimeout * 1000
    this.#classifier = new FreshClassifier(() => openClassifier(opening))
    this.#started = this.#classifier.start()
    this.#started.catch(() => {}) // thrown where the first question is answered
  }

  judge(job: Job, sample: Sample, how: ProbeCut): Promise<Judged> {
    const judged = this.#last.then(() => this.#judge(job, sample, how))
    this.#last = judged.catch(() => {})
    return judged
  }

  close(): Promise<void> {
    return this.#classifier.close()
  }

  async #judge(job: Job, sample: Sample, how: ProbeCut): Promise<Judged> {
    const classifier = this.#classifier
    await this.#started
    const trials = new Trials({ classifier, job, timeoutMs: this.#timeoutMs })
    const startedAt = performance.now()
    const judgement = await this.#judgement(trials, { job, sample, how })
    const { calls, rowSeconds } = trials
    return { ...judgement, calls, seconds: (performance.now() - startedAt) / 1000, rowSeconds }
  }

  #judgement(trials: Trials, { job, sample, how }: { job: Job; sample: Sample; how: ProbeCut }): Promise<Judgement> {
    if (how.cut !== 'first')
      return judge(trials, { job, sample, cuts: [how.cut === 'apart' ? APART : byKinds(how.batches)] })
    const known = how.known?.map(text => Buffer.from(text, 'base64')) ?? null
    return judgeFirst({ classifier: this.#classifier, trials, job, sample, known })
  }
}
