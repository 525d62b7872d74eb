import { RowmillError } from '../errors.ts'
import { realTime, type Time } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { Backoff } from './backoff.ts'
import { isStopped, silentMsOf } from './contact.ts'
import { isNotAuthorized } from './errors.ts'
import { describeKafkaError } from './index.ts'
import type { Patience } from './limits.ts'
import { OutageNotices } from './outage-notices.ts'
import { isTokenUnavailable } from './tokens.ts'

/** A longer outage is logged. */
const LOGGED_AFTER_MS = 1000

/**
 * The time from the first failed request of a connection to the next good one. An outage is reported once. It is fatal
 * when the patience is over, or if a retry cannot help.
 */
export class Outage {
  readonly #what: string
  readonly #say: Say
  readonly #patience: Patience
  readonly #time: Time
  readonly #backoff: Backoff
  readonly #notices: OutageNotices
  #failures = 0
  /** When the first request failed, or null if there is no outage. */
  #since: number | null = null
  /** How long there was no answer before that. */
  #beforeMs = 0
  #said = false

  /** `what` completes "cannot ...", as in "read from topic x". */
  constructor(what: string, say: Say, patience: Patience, time = realTime) {
    this.#what = what
    this.#say = say
    this.#patience = patience
    this.#backoff = new Backoff(patience.pauses)
    this.#time = time
    this.#notices = patience.notices ?? new OutageNotices()
  }

  over(): void {
    if (this.#said) this.#notices.in(this.#what, 'works', this.#say)
    this.#since = null
    this.#failures = 0
    this.#backoff.reset()
    this.#said = false
  }

  /** Nothing is asked over this connection any more. */
  close(): void {
    if (this.#said) this.#notices.in(this.#what, 'given up', this.#say)
    this.#said = false
  }

  /** Waits a little before the caller retries. Throws BROKER_UNREACHABLE, NOT_AUTHORIZED or TOPIC_UNUSABLE if a retry is no use. */
  async failed(error: unknown, signal: AbortSignal): Promise<void> {
    if (isNotAuthorized(error)) throw error
    const { text, retriable, type, code } = describeKafkaError(error)
    if (!retriable) throw new RowmillError(code, `cannot ${this.#what}: ${text}`, { type }, { cause: error })
    const now = this.#time.now()
    if (this.#since === null) this.#beforeMs = silentMsOf(error) // KafkaJS itself may have retried for long
    this.#since ??= now
    const outMs = now - this.#since
    const silentMs = this.#beforeMs + outMs
    const { timeoutMs, retries = Number.POSITIVE_INFINITY } = this.#patience
    this.#failures++
    if (silentMs >= timeoutMs) throw this.#over(`for ${Math.round(silentMs / 1000)} s`, text, error)
    if (this.#failures > retries)
      throw this.#over(`after ${retries} ${retries === 1 ? 'retry' : 'retries'}`, text, error)
    const isTold = isStopped(error) || (isTokenUnavailable(error) && this.#patience.tokens?.isTold)
    if (!this.#said && outMs > LOGGED_AFTER_MS && !isTold) {
      this.#said = true
      const how = `Retrying for --broker-timeout ${timeoutMs / 1000} s.`
      this.#notices.out(this.#what, { text, how }, this.#say)
    }
    await this.#time.sleep(this.#backoff.nextMs(), signal)
  }

  #over(how: string, text: string, cause: unknown): RowmillError {
    return new RowmillError('BROKER_UNREACHABLE', `cannot ${this.#what} ${how}: ${text}`, {}, { cause })
  }
}
