import { setTimeout as sleep } from 'node:timers/promises'
import { type EventJob, openJob, type ResultBatch, results } from '../src/index.ts'

const EVERY_MS = 50

/** One job of live events: one row at a time, and the time of each from `send` to its result in a reader. */
export class LiveRows {
  readonly #job: EventJob
  readonly #sentAt: number[] = []
  readonly #latencies: number[] = []
  readonly #stop = new AbortController()
  readonly #sending: Promise<void>
  readonly #reading: Promise<void>

  private constructor(job: EventJob, batches: AsyncIterable<ResultBatch>) {
    this.#job = job
    this.#reading = this.#read(batches)
    this.#sending = this.#send()
  }

  /** Starts sending, one row every 50 ms. */
  static async start(broker: string, pipeline: string, id: string): Promise<LiveRows> {
    const place = { brokers: [broker], pipeline }
    const job = await openJob({ ...place, id, columns: ['SKU', 'TEXT'] })
    return new LiveRows(job, results({ ...place, job: id }))
  }

  /** Stops sending. Resolves with the milliseconds of every row, once each has its result. */
  async stop(): Promise<number[]> {
    this.#stop.abort()
    await this.#sending
    await this.#job.end()
    await this.#reading // it ends with the job
    await this.#job.close()
    return this.#latencies
  }

  async #send(): Promise<void> {
    const sent: Promise<number>[] = []
    while (!this.#stop.signal.aborted) {
      this.#sentAt.push(performance.now())
      sent.push(this.#job.send([`${sent.length}`, 'shoe']))
      await sleep(EVERY_MS, undefined, { signal: this.#stop.signal }).catch(() => {})
    }
    await Promise.all(sent)
  }

  async #read(batches: AsyncIterable<ResultBatch>): Promise<void> {
    for await (const { rows } of batches) {
      for (const { seq } of rows) this.#latencies.push(performance.now() - this.#sentAt[seq!]!)
    }
  }
}
