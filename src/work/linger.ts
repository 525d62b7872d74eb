import type { Time } from '../support/clock.ts'
import type { AssignedPartition } from './assigned-partition.ts'

/** How long results wait for further ones. */
const LINGER_MS = 200
/** So many bytes of results wait no longer. */
const LINGER_BYTES = 64 * 1024

export interface LingerOptions {
  readonly time: Time
  /** Whether the job has an end, so that nobody watches its rows one by one. */
  isBounded(job: string): boolean
  /** Sends what is ready in this partition. */
  send(held: AssignedPartition): void
}

/**
 * Keeps results back until there are several to send. The slower a classifier is, the fewer rows would a request carry
 * otherwise. Only results of jobs with an end wait, and only while their partition has more rows that are classified
 * next: the last ones are sent at once.
 */
export class Linger {
  readonly #options: LingerOptions
  readonly #waiting = new Set<AssignedPartition>()
  #stopClock = () => {}
  #closed = false

  constructor(options: LingerOptions) {
    this.#options = options
  }

  /** Sends what is ready in this partition, now or later. */
  ready(held: AssignedPartition): void {
    if (this.#closed || !held.mayLinger(this.#options.isBounded)) {
      this.#waiting.delete(held)
      this.#options.send(held)
      return
    }
    if (this.#waiting.size === 0) this.#stopClock = this.#options.time.after(LINGER_MS, () => this.flush())
    this.#waiting.add(held)
    const bytes = [...this.#waiting].reduce((sum, { readyBytes }) => sum + readyBytes, 0)
    if (bytes >= LINGER_BYTES) this.flush()
  }

  /** Sends everything that waits. */
  flush(): void {
    this.#stopClock()
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const held of waiting) this.#options.send(held)
  }

  /** From now on nothing waits. */
  close(): void {
    this.#closed = true
    this.flush()
  }
}
