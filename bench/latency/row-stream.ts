import { setTimeout as sleep } from 'node:timers/promises'
import type { Flow } from './flow.ts'

/** Missing rows are lost after this long without any other row. */
const LOST_AFTER_MS = 15_000
const TEXT = 'a text as long as those of a shop are, with some words on what it is, who made it, and why it is so good'

/**
 * Rows on their way through a flow. Each has the moment when `send` was called and the moment when its result was seen,
 * both in milliseconds of one clock. Each is sent at its time, whether or not earlier ones have come.
 */
export class RowStream {
  readonly sentAt: number[] = []
  readonly seenAt: number[] = []
  /** Rows that arrived differently from how they were sent, in words. */
  fault: string | null = null
  readonly #flow: Flow
  readonly #stop = new AbortController()
  readonly #reading: Promise<void>
  #seen = Promise.withResolvers<void>()
  #late: NodeJS.Timeout | null = null

  constructor(flow: Flow) {
    this.#flow = flow
    this.#reading = this.#read()
  }

  /** Sends this many rows a second until there are `rows` more, or `signal` aborts. */
  async send(
    rowsPerSecond: number,
    { rows = Infinity, signal }: { rows?: number; signal?: AbortSignal },
  ): Promise<void> {
    const stepMs = 1000 / rowsPerSecond
    const started = performance.now()
    for (let sent = 0; sent < rows && !signal?.aborted; ) {
      for (; sent < rows && started + sent * stepMs <= performance.now(); sent++) this.#sendOne()
      const restMs = started + sent * stepMs - performance.now()
      await sleep(Math.max(0, restMs))
    }
  }

  /** Resolves with the number of missing rows when all are seen, or none has come for a while. */
  async settled(): Promise<number> {
    const missing = () => this.sentAt.length - this.seenAt.length
    while (missing() > 0 && this.fault === null) {
      const before = this.seenAt.length
      this.#late = setTimeout(() => this.#announce(), LOST_AFTER_MS)
      await this.#seen.promise
      clearTimeout(this.#late)
      if (before === this.seenAt.length) break
    }
    return missing()
  }

  /** Ends the reading, and the flow. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#reading
    await this.#flow.close()
  }

  #sendOne(): void {
    const id = String(this.sentAt.length)
    this.sentAt.push(performance.now())
    this.#flow.send([id, 'SKU-1234', TEXT]).catch(error => this.#fail(`row ${id} was not sent: ${error}`))
  }

  async #read(): Promise<void> {
    try {
      for await (const batch of this.#flow.results(this.#stop.signal)) {
        const now = performance.now()
        for (const { seq, values } of batch) {
          const wanted = this.seenAt.length
          if (seq !== wanted || values[0] !== String(wanted))
            this.#fail(`row ${seq} (${values[0]}) came instead of ${wanted}`)
          this.seenAt.push(now)
        }
        this.#announce()
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#fail(`the results end: ${(error as Error).stack}`)
    }
  }

  #fail(fault: string): void {
    this.fault ??= fault
    this.#announce()
  }

  #announce(): void {
    this.#seen.resolve()
    this.#seen = Promise.withResolvers<void>()
  }
}
