import { type RowCut, WHOLE } from './cuts.ts'
import type { Sample } from './sample.ts'
import type { Trial, Trials } from './trials.ts'

/** How often a call is timed, if it is short. The fastest counts: others may have waited for a core. */
const TIMED = 3
const SHORT_SECONDS = 1

/** Trials that remember the first one of all, and those with all rows at once. */
export class TimedTrials implements Pick<Trials, 'classify'> {
  readonly #trials: Trials
  readonly #seen: { readonly rows: Sample['rows']; readonly trial: Trial }[] = []
  readonly #first = Promise.withResolvers<Trial>()

  constructor(trials: Trials) {
    this.#trials = trials
  }

  get calls(): number {
    return this.#trials.calls
  }

  /** Of a judgement it is the trial with all rows at once, in a process that has seen no row before. */
  get first(): Promise<Trial> {
    return this.#first.promise
  }

  async classify(sample: Sample, cut: RowCut): Promise<Trial> {
    const trial = await this.#trials.classify(sample, cut)
    this.#first.resolve(trial)
    if (cut === WHOLE) this.#seen.push({ rows: sample.rows, trial })
    return trial
  }

  /** The fastest trial of these rows at once. */
  async whole(sample: Sample): Promise<Trial> {
    const before = () => this.#seen.filter(({ rows }) => rows === sample.rows).map(({ trial }) => trial)
    while (before().length < TIMED && before().every(({ seconds }) => seconds < SHORT_SECONDS))
      await this.classify(sample, WHOLE)
    return before().reduce((best, trial) => (trial.seconds < best.seconds ? trial : best))
  }
}
