const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 1000

/** The pauses between retries: each is twice as long as the one before it, up to the longest. */
export class Backoff {
  readonly #firstMs: number
  readonly #longestMs: number
  #pauseMs: number

  constructor({ firstMs = FIRST_PAUSE_MS, longestMs = LONGEST_PAUSE_MS } = {}) {
    this.#firstMs = firstMs
    this.#longestMs = Math.max(firstMs, longestMs)
    this.#pauseMs = firstMs
  }

  /** How long to wait before the next retry. */
  nextMs(): number {
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(pauseMs * 2, this.#longestMs)
    return pauseMs
  }

  /** The next pause is the first again. */
  reset(): void {
    this.#pauseMs = this.#firstMs
  }
}
