const FIRST_PAUSE_MS = 100
export const LONGEST_PAUSE_MS = 1000

/** The pauses between retries: each is twice as long as the one before it, up to a second. */
export class Backoff {
  #pauseMs = FIRST_PAUSE_MS

  /** How long to wait before the next retry. */
  nextMs(): number {
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
    return pauseMs
  }

  /** The next pause is the first again. */
  reset(): void {
    this.#pauseMs = FIRST_PAUSE_MS
  }
}
