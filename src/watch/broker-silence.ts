import type { Time } from '../support/clock.ts'
import { unlessLate } from '../support/unless-late.ts'
import type { BrokerClock } from './broker-clock.ts'
import { isFinal } from './watch-errors.ts'

/** After so long without an answer, views say that no broker answers. */
const LATE_MS = 2500
/** How often a look that gets no answer is shown. */
const SHOWN_MS = 1000

/** How a look ended. `late`: it goes on. */
type LookEnd = 'done' | 'late' | 'failed'

/** From when on, and up to when, a report that had come would be known. In ms since 1970. */
export interface Hearing {
  /** When a broker began to answer again. Before that nobody could report. */
  readonly from: number
  readonly upTo: number
}

/** Whether a broker answers a watch. */
export class BrokerSilence {
  readonly #time: Time
  readonly #clock: BrokerClock
  /** When a broker last answered, by the clock of the view. */
  #answeredAt = 0
  /** Since when a look gets no answer, by the clock for durations. */
  #quietSince = 0
  #since: number | null = null
  /** When a broker began to answer again, in ms since 1970. */
  #backAt = Number.NEGATIVE_INFINITY
  /** Up to when all reports are read, by the clock for durations. */
  #readUpTo = Number.NEGATIVE_INFINITY

  constructor(time: Time, clock: BrokerClock) {
    this.#time = time
    this.#clock = clock
  }

  /** Since when no broker answers, in ms since 1970. Null: they answer. */
  get since(): number | null {
    return this.#since
  }

  /** Nobody is late who may have said something that nobody could hear. */
  get hearing(): Hearing {
    return { from: this.#backAt, upTo: this.#clock.now - (this.#time.now() - this.#readUpTo) }
  }

  /** A look begins. */
  asks(): void {
    this.#quietSince = this.#time.now()
  }

  /** A broker answers now. */
  answers(): void {
    if (this.#since !== null) this.#backAt = this.#clock.now
    this.#since = null
    this.#answeredAt = this.#clock.now
    this.#quietSince = this.#time.now()
  }

  /** All reports are read from before `time`, by our clock for durations. */
  hears(time: number): void {
    this.#readUpTo = time
  }

  /** Waits for a look, but not for long, and notes whether a broker answers. Throws an error that stays. */
  async untilLate(looking: Promise<void>, stopped: AbortSignal): Promise<void> {
    const how = await this.#endOf(looking, stopped)
    const isSilent = how === 'failed' || (how === 'late' && this.#time.now() - this.#quietSince >= LATE_MS)
    if (isSilent) this.#since ??= this.#answeredAt
  }

  async #endOf(looking: Promise<void>, stopped: AbortSignal): Promise<LookEnd> {
    const left = this.#quietSince + LATE_MS - this.#time.now()
    const done = looking.then(() => 'done' as const)
    try {
      return await unlessLate(done, left > 0 ? left : SHOWN_MS, this.#time, stopped)
    } catch (error) {
      if (stopped.aborted || !isFinal(error)) return 'failed'
      throw error
    }
  }
}
