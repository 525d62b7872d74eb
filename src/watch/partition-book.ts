import type { PartitionOffset } from '../kafka/index.ts'
import { keyOf } from '../kafka/topic-partition.ts'
import type { PartitionFacts } from './facts.ts'

/** Where the log of a partition of rows ends, and what a group of workers committed. */
export interface CommittedPartition extends PartitionOffset {
  readonly committed: number
}

/** A message that waits longer may be behind an open transaction. */
const HELD_UP_MS = 3000

/** What is known of partitions that rows travel in, as one group of workers has them. */
export class PartitionBook {
  readonly #facts = new Map<string, PartitionFacts>()
  /** Rows of a later attempt have waited since that was opened. */
  readonly #notBefore: number

  constructor(notBefore = 0) {
    this.#notBefore = notBefore
  }

  /** By `keyOf`. */
  get facts(): ReadonlyMap<string, PartitionFacts> {
    return this.#facts
  }

  at(topic: string, partition: number): PartitionFacts | null {
    return this.#facts.get(keyOf({ topic, partition })) ?? null
  }

  /** Notes where everything is now. `timestampsAt`: when the messages at some offsets were appended. */
  async note(
    rows: readonly CommittedPartition[],
    now: number,
    timestampsAt: (offsets: readonly PartitionOffset[]) => Promise<readonly (number | null)[]>,
  ): Promise<void> {
    const asked = rows.filter(({ topic, partition, offset, committed }) => {
      const before = this.at(topic, partition)
      return committed < offset && (before?.committed !== committed || before.oldestAt === null)
    })
    const timestamps = await timestampsAt(asked.map(({ committed, ...at }) => ({ ...at, offset: committed })))
    const oldest = new Map(asked.map((at, i) => [keyOf(at), this.#since(timestamps[i]!)]))
    for (const at of rows) {
      const { offset: end, committed } = at
      const key = keyOf(at)
      const before = this.#facts.get(key)
      const oldestAt = committed >= end ? null : oldest.has(key) ? oldest.get(key)! : (before?.oldestAt ?? null)
      const grewAt = before && before.end < end ? now : (before?.grewAt ?? null)
      const openTransaction = committed < end ? (before?.openTransaction ?? null) : null
      this.#facts.set(key, { end, committed, oldestAt, grewAt, openTransaction })
    }
  }

  /** Those of these partitions where rows may have waited for long. */
  stuck<T extends CommittedPartition>(rows: readonly T[], now: number): T[] {
    return rows.filter(({ topic, partition, offset, committed }) => {
      const { oldestAt = null } = this.at(topic, partition) ?? {}
      return committed < offset && (oldestAt === null || now - oldestAt > HELD_UP_MS)
    })
  }

  /** Notes all open transactions, each with the offset at which it begins. */
  noteTransactions(open: readonly PartitionOffset[]): void {
    const begins = new Map(open.map(at => [keyOf(at), at.offset]))
    this.#noteTransactions(key => begins.get(key) ?? null)
  }

  /** Notes the open transactions that another book has noted: those of a partition hold up every group. */
  takeTransactions({ facts }: PartitionBook): void {
    this.#noteTransactions(key => facts.get(key)?.openTransaction ?? null)
  }

  #noteTransactions(beginOf: (key: string) => number | null): void {
    for (const [key, facts] of this.#facts) this.#facts.set(key, { ...facts, openTransaction: beginOf(key) })
  }

  #since(timestamp: number | null): number | null {
    return timestamp === null ? null : Math.max(timestamp, this.#notBefore)
  }
}
