import type { Time } from '../support/clock.ts'
import { bytesOf, type Fetched } from './index.ts'

/**
 * The pause between two fetches of a feed whose taker is in no hurry. While messages come one by one, each would otherwise
 * have a fetch of its own.
 */
export class FetchPause {
  readonly #pauseMs: (bytes: number) => number
  readonly #time: Time
  #over = new AbortController()

  /** `pauseMs` is asked after each answer that left nothing at the broker, with the bytes that it brought. */
  constructor(pauseMs: (bytes: number) => number, time: Time) {
    this.#pauseMs = pauseMs
    this.#time = time
  }

  /** Resolves when the next fetch may begin. */
  async after(fetched: readonly Fetched[]): Promise<void> {
    const bytes = fetched.reduce((sum, { messages }) => messages.reduce((all, each) => all + bytesOf(each), sum), 0)
    const hasAll = fetched.every(({ next, end }) => next >= end)
    const ms = hasAll ? this.#pauseMs(bytes) : 0
    if (ms > 0) await this.#time.sleep(ms, this.#over.signal)
  }

  /** Ends the pause under way. */
  end(): void {
    this.#over.abort()
    this.#over = new AbortController()
  }
}
