import { realTime, type Time } from './clock.ts'
import type { LogFacts, Say } from './say.ts'

const WINDOW_MS = 1000

/** Logs at most so many lines a second, then how many it left out. */
export class RateBound {
  readonly #say: Say
  readonly #most: number
  readonly #time: Time
  #lines = 0
  #stopTimer: (() => void) | null = null

  constructor(say: Say, most: number, time = realTime) {
    this.#say = say
    this.#most = most
    this.#time = time
  }

  /** `leftOut` is the noun of the lines that are counted only. */
  say(message: string, facts: LogFacts, leftOut: string): void {
    this.#stopTimer ??= this.#time.every(WINDOW_MS, () => this.#endWindow(facts, leftOut))
    if (this.#lines++ < this.#most) this.#say(message, facts)
  }

  #endWindow(facts: LogFacts, leftOut: string): void {
    const more = this.#lines - this.#most
    if (more > 0) this.#say(`... and ${more.toLocaleString('en-US')} more ${leftOut} in this second`, facts)
    if (this.#lines === 0) {
      this.#stopTimer?.()
      this.#stopTimer = null
    }
    this.#lines = 0
  }
}
