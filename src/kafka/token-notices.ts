import { type Clock, monotonicMs } from '../support/clock.ts'
import type { Say } from '../support/say.ts'

/** A longer time without a token is logged. */
const LOGGED_AFTER_MS = 1000

/**
 * What a client tells about its tokens. KafkaJS itself repeats a login that has no token, so the connections may learn of it
 * late, or never. A time without a token is told once, and so is its end. Before the first token nothing is told: the command
 * then ends with the error.
 */
export class TokenNotices {
  readonly #say: Say
  readonly #how: string
  readonly #now: Clock
  #hasBegun = false
  /** When the first token was asked for in vain, or null. */
  #since: number | null = null
  #isTold = false

  constructor(say: Say, { timeoutMs, now = monotonicMs }: { timeoutMs: number; now?: Clock }) {
    this.#say = say
    this.#how = `Retrying for --broker-timeout ${timeoutMs / 1000} s.`
    this.#now = now
  }

  /** Whether the user knows that there is no token now. */
  get isTold(): boolean {
    return this.#isTold
  }

  /** There is no token, for a reason that a retry may cure. `askedAt`: when it was asked for. */
  failed({ message }: Error, askedAt: number): void {
    this.#since ??= askedAt
    if (!this.#hasBegun || this.#isTold || this.#now() - this.#since < LOGGED_AFTER_MS) return
    this.#isTold = true
    this.#say(`${message}. ${this.#how}`, { level: 'warn' })
  }

  got(): void {
    if (this.#isTold) this.#say('there are tokens again')
    this.#hasBegun = true
    this.#since = null
    this.#isTold = false
  }
}
