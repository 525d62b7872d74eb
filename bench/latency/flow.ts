import type { Kafka, PartitionOffset } from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import type { PartitionQueue } from '../../src/kafka/partition-queue.ts'
import type { Values } from '../../src/model.ts'
import { decode } from '../../src/wire/codec.ts'

export interface Row {
  readonly seq: number
  readonly values: Values
}

/** Rows go in one after the other and come out in order. The time in between is measured. */
export interface Flow {
  /** Sends the next row: seq 0, 1, 2, ...; resolves when it is safe. */
  send(values: Values): Promise<unknown>
  /** The rows in the order of their seq, as soon as they are visible. Call it once. Throws when `signal` aborts. */
  results(signal: AbortSignal): AsyncIterable<readonly Row[]>
  /** Resolves when everything sent is safe and nothing is left open. */
  close(): Promise<void>
}

/**
 * The rows messages of a topic in order, from these offsets on. A row is held back until all rows before it arrived,
 * as `results` of the SDK does it.
 */
export class OrderedRows {
  readonly #feed: PartitionFeed
  readonly #queues: readonly PartitionQueue[]
  readonly #held = new Map<number, Values>()
  #next = 0

  private constructor(feed: PartitionFeed, queues: readonly PartitionQueue[]) {
    this.#feed = feed
    this.#queues = queues
  }

  static async open(kafka: Kafka, offsets: readonly PartitionOffset[]): Promise<OrderedRows> {
    const feed = await PartitionFeed.open(kafka, [...new Set(offsets.map(({ topic }) => topic))], () => {})
    return new OrderedRows(feed, await feed.assign(offsets))
  }

  async *batches(signal: AbortSignal): AsyncGenerator<readonly Row[]> {
    signal.addEventListener('abort', () => this.#feed.interrupt(signal.reason), { once: true })
    for (;;) {
      const arrival = this.#feed.arrival()
      for (const queue of this.#queues) this.#take(queue)
      const rows = this.#inOrder()
      if (rows.length > 0) {
        arrival.catch(() => {})
        yield rows
      } else await arrival
    }
  }

  close(): Promise<void> {
    return this.#feed.close()
  }

  #take(queue: PartitionQueue): void {
    for (let message = this.#feed.take(queue); message; message = this.#feed.take(queue)) {
      const { kind, value } = decode(message.value)
      if (kind !== 'rows') continue
      value.rows.forEach((values, i) => {
        if (value.seq! + i >= this.#next) this.#held.set(value.seq! + i, values)
      })
    }
  }

  #inOrder(): Row[] {
    const rows: Row[] = []
    for (let values = this.#held.get(this.#next); values; values = this.#held.get(this.#next)) {
      this.#held.delete(this.#next)
      rows.push({ seq: this.#next++, values })
    }
    return rows
  }
}
