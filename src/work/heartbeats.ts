import { realTime, type Time } from '../support/clock.ts'

const EVERY_MS = 1000

/**
 * Finds processes that run but do nothing: stopped, swapped out, or with an event loop that blocks. Each is asked every
 * second. It counts unanswered questions and no seconds: if this process stood still itself, or the whole machine, then
 * nobody else is to blame.
 */
export class Heartbeats {
  readonly #most: number
  /** How many questions each has not answered. */
  readonly #open = new Map<string, number>()
  readonly #stop: () => void

  /** `silent` is called once for a name that has not answered for `patienceMs`. */
  constructor(
    { patienceMs, time = realTime }: { patienceMs: number; time?: Time },
    { ask, silent }: { ask(name: string): void; silent(name: string): void },
  ) {
    this.#most = Math.max(1, Math.round(patienceMs / EVERY_MS))
    this.#stop = time.every(EVERY_MS, () => {
      for (const [name, open] of [...this.#open]) {
        if (open >= this.#most) this.#open.delete(name)
        else this.#open.set(name, open + 1)
        if (open >= this.#most) silent(name)
        else ask(name)
      }
    })
  }

  /** Asks this one too from now on, and begins to count again. */
  answered(name: string): void {
    this.#open.set(name, 0)
  }

  forget(name: string): void {
    this.#open.delete(name)
  }

  close(): void {
    this.#stop()
  }
}
