import { type RowCut, SINGLE_ROWS, WHOLE } from './cuts.ts'
import type { Sample } from './sample.ts'
import type { Trial, Trials } from './trials.ts'

/** How often a call is timed, if it is short. The middle one counts. */
const TIMED = 3
const SHORT_SECONDS = 1

/** Trials that remember how long they took. */
export class TimedTrials implements Pick<Trials, 'classify'> {
  readonly #trials: Trials
  readonly #seen: { readonly rows: Sample['rows']; readonly trial: Trial }[] = []
  readonly #first = Promise.withResolvers<Trial>()
  #rowAlone: number | null = null

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
    if (cut === SINGLE_ROWS) this.#rowAlone = trial.seconds / sample.rows.length
    if (cut === WHOLE) this.#seen.push({ rows: sample.rows, trial })
    return trial
  }

  /** What a call with one row took on average, in the last trial with single rows. Null: there was none. */
  get rowAloneSeconds(): number | null {
    return this.#rowAlone
  }

  /** The trial of these rows at once that took neither the shortest nor the longest time. */
  async whole(sample: Sample): Promise<Trial> {
    const before = () => this.#seen.filter(({ rows }) => rows === sample.rows).map(({ trial }) => trial)
    while (before().length < TIMED && before().every(({ seconds }) => seconds < SHORT_SECONDS))
      await this.classify(sample, WHOLE)
    const sorted = before().sort((a, b) => a.seconds - b.seconds)
    return sorted[Math.floor((sorted.length - 1) / 2)]!
  }
}
