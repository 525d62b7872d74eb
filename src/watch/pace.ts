import { realTime, type Time } from '../support/clock.ts'

/** How often a watch looks at which nobody looks. */
const REST_MS = 10_000
/** It rests when nobody has asked for so long. */
const REST_AFTER_MS = 30_000

export interface PaceOptions {
  /** Default: 1000. */
  readonly everyMs?: number
  /** Default: yes. */
  readonly rests?: boolean
  /** Default: real time. */
  readonly time?: Time
}

/** How often a watch looks: every second while somebody asks what it sees, and every 10 s when nobody has asked for 30 s. */
export class Pace {
  readonly #everyMs: number
  readonly #restAfterMs: number
  readonly #time: Time
  /** Those who look all the time. */
  #watching = 0
  #askedAt: number
  #woken = new AbortController()

  constructor({ everyMs = 1000, rests = true, time = realTime }: PaceOptions = {}) {
    this.#everyMs = everyMs
    this.#restAfterMs = rests ? REST_AFTER_MS : Number.POSITIVE_INFINITY
    this.#time = time
    this.#askedAt = time.now()
  }

  /** Somebody asks, once or until `left` aborts. A watch that rests looks at once. */
  asked(left?: AbortSignal): void {
    this.#askedAt = this.#time.now()
    this.#woken.abort()
    if (!left || left.aborted) return
    this.#watching++
    left.addEventListener('abort', () => this.#leave(), { once: true })
  }

  /** Resolves when the next look is due after one that began then, or when `signal` aborts. */
  async untilDue(began: number, signal: AbortSignal): Promise<void> {
    const left = (ms: number) => Math.max(0, ms - (this.#time.now() - began))
    await this.#time.sleep(left(this.#everyMs), signal)
    const rests = this.#watching === 0 && this.#time.now() - this.#askedAt >= this.#restAfterMs
    if (!rests || signal.aborted) return
    this.#woken = new AbortController()
    await this.#time.sleep(left(REST_MS), AbortSignal.any([signal, this.#woken.signal]))
  }

  #leave(): void {
    this.#watching--
    this.#askedAt = this.#time.now()
  }
}
