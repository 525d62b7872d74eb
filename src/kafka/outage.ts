import { RowmillError } from '../errors.ts'
import { realTime, type Time } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { Backoff, LONGEST_PAUSE_MS } from './backoff.ts'
import { isNotAuthorized } from './errors.ts'
import { describeKafkaError } from './index.ts'

/**
 * The time from the first failed request of a connection to the next good one. An outage is reported once. It is fatal
 * after `timeoutMs`, or if a retry cannot help.
 */
export class Outage {
  readonly #what: string
  readonly #say: Say
  readonly #timeoutMs: number
  readonly #time: Time
  readonly #backoff = new Backoff()
  /** When the first request failed, or null if there is no outage. */
  #since: number | null = null
  #said = false

  /** `what` completes "cannot ...", as in "read from topic x". */
  constructor(what: string, say: Say, timeoutMs: number, time = realTime) {
    this.#what = what
    this.#say = say
    this.#timeoutMs = timeoutMs
    this.#time = time
  }

  over(): void {
    if (this.#said) this.#say(`the broker is back: can ${this.#what} again`)
    this.#since = null
    this.#backoff.reset()
    this.#said = false
  }

  /** Waits a little before the caller retries. Throws BROKER_UNREACHABLE, NOT_AUTHORIZED or TOPIC_UNUSABLE if a retry is no use. */
  async failed(error: unknown, signal: AbortSignal): Promise<void> {
    if (isNotAuthorized(error)) throw error
    const { text, retriable, type, code } = describeKafkaError(error)
    if (!retriable) throw new RowmillError(code, `cannot ${this.#what}: ${text}`, { type }, { cause: error })
    const now = this.#time.now()
    this.#since ??= now
    const outMs = now - this.#since
    if (outMs > this.#timeoutMs) {
      const seconds = Math.round(outMs / 1000)
      throw new RowmillError(
        'BROKER_UNREACHABLE',
        `cannot ${this.#what} for ${seconds} s: ${text}`,
        {},
        { cause: error },
      )
    }
    if (!this.#said && outMs > LONGEST_PAUSE_MS) {
      this.#said = true
      this.#say(`cannot ${this.#what}: ${text}. Trying again for --broker-timeout ${this.#timeoutMs / 1000} s.`)
    }
    await this.#time.sleep(this.#backoff.nextMs(), signal)
  }
}
