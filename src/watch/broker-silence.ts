import type { Time } from '../support/clock.ts'
import type { BrokerClock } from './broker-clock.ts'

/** After so long without an answer, views say that no broker answers. */
export const LATE_MS = 3000

/** How a look ended. `late`: it goes on. */
export type LookEnd = 'done' | 'late' | 'failed'

/** Whether a broker answers a watch. */
export class BrokerSilence {
  readonly #time: Time
  readonly #clock: BrokerClock
  /** When a broker last answered: by the clock of the view, and by that for durations. */
  #answered = { at: 0, time: 0 }
  #since: number | null = null

  constructor(time: Time, clock: BrokerClock) {
    this.#time = time
    this.#clock = clock
  }

  /** Since when no broker answers, in ms since 1970. Null: they answer. */
  get since(): number | null {
    return this.#since
  }

  /** A broker answers now. */
  answers(): void {
    this.#answered = { at: this.#clock.now, time: this.#time.now() }
  }

  looked(how: LookEnd): void {
    const isSilent = how === 'failed' || (how === 'late' && this.#time.now() - this.#answered.time >= LATE_MS)
    if (how === 'done') this.#since = null
    else if (isSilent) this.#since ??= this.#answered.at
  }
}
