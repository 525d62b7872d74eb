import type { TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Time } from '../../src/support/clock.ts'

interface Timer {
  at: number
  readonly every: number | null
  readonly call: () => void
}

/** Time that passes only when a test says so. It begins at an arbitrary value, as monotonic clocks do. */
export class ManualTime implements Time {
  #now = 5_000
  #due: Timer[] = []

  now = (): number => this.#now

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.after(ms, resolve)
    signal?.addEventListener('abort', () => resolve(), { once: true })
    await promise
  }

  after(ms: number, call: () => void): () => void {
    return this.#add({ at: this.#now + ms, every: null, call })
  }

  every(ms: number, call: () => void): () => void {
    return this.#add({ at: this.#now + ms, every: ms, call })
  }

  /** Lets time pass by itself, `stepMs` in each of a few real ones, until the test is over. */
  runs(t: Pick<TestContext, 'after'>, stepMs = 250): this {
    const timer = setInterval(() => void this.pass(stepMs), 2)
    t.after(() => clearInterval(timer))
    return this
  }

  /** Lets this much time pass: due timers fire in order, each with everything that follows from it. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await turn()
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#now = next.at
      if (next.every === null) this.#due = this.#due.filter(other => other !== next)
      else next.at += next.every
      next.call()
    }
    this.#now = end
  }

  #add(timer: Timer): () => void {
    this.#due.push(timer)
    return () => {
      this.#due = this.#due.filter(other => other !== timer)
    }
  }
}
