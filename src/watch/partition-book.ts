import type { PartitionOffset } from '../kafka/index.ts'
import { keyOf } from '../kafka/topic-partition.ts'
import type { PartitionFacts } from './facts.ts'

/** Where the log of a partition of rows ends, and what a group of workers committed. */
export interface CommittedPartition extends PartitionOffset {
  readonly committed: number
}

/** A message that waits longer may be behind an open transaction. */
export const HELD_UP_MS = 3000

/** The most fetches for the timestamps of one look. */
const MOST_FETCHES = 32

/** When the messages at some offsets were appended. Null: nothing can be read there. Undefined: the answer had no room for it. */
export type TimestampsAt = (offsets: readonly PartitionOffset[]) => Promise<readonly (number | null | undefined)[]>

/** What is known of partitions that rows travel in, as one group of workers has them. */
export class PartitionBook {
  readonly #facts = new Map<string, PartitionFacts>()
  /** By partition, which fetch last told its timestamp. */
  readonly #toldIn = new Map<string, number>()
  #fetches = 0
  #notedAt = 0
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

  /** Notes where everything is now. */
  async note(rows: readonly CommittedPartition[], now: number, timestampsAt: TimestampsAt): Promise<void> {
    const asked = rows.filter(at => {
      const before = this.#facts.get(keyOf(at))
      return at.committed < at.offset && (before?.committed !== at.committed || before.oldestAt === null)
    })
    const found = await this.#timestamps(asked, timestampsAt)
    for (const at of rows) {
      const { offset: end, committed } = at
      const key = keyOf(at)
      const before = this.#facts.get(key)
      const timestamp = found.get(key)
      const oldestAt = timestamp === undefined ? this.#oldestAt(at) : this.#since(timestamp)
      const grewAt = before && before.end < end ? now : (before?.grewAt ?? null)
      const openTransaction = committed < end ? (before?.openTransaction ?? null) : null
      this.#facts.set(key, { end, committed, oldestAt: committed < end ? oldestAt : null, grewAt, openTransaction })
    }
    this.#notedAt = now
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

  /**
   * When the messages that have no result were appended, for each partition that told. It asks again while a partition has no
   * time at all. Batches may be so large that one fetch tells of one partition: then the others come first the next time.
   */
  async #timestamps(
    rows: readonly CommittedPartition[],
    timestampsAt: TimestampsAt,
  ): Promise<Map<string, number | null>> {
    const found = new Map<string, number | null>()
    const toldIn = (at: CommittedPartition) => this.#toldIn.get(keyOf(at)) ?? 0
    let left = rows.toSorted((a, b) => toldIn(a) - toldIn(b))
    for (let fetches = 0; left.length > 0 && fetches < MOST_FETCHES; fetches++) {
      if (fetches > 0 && left.every(at => this.#oldestAt(at) !== null)) break
      this.#fetches++
      const timestamps = await timestampsAt(left.map(({ committed, ...at }) => ({ ...at, offset: committed })))
      for (const [i, at] of left.entries()) if (timestamps[i] !== undefined) found.set(keyOf(at), timestamps[i])
      const told = left.filter(at => found.has(keyOf(at)))
      if (told.length === 0) break
      for (const at of told) this.#toldIn.set(keyOf(at), this.#fetches)
      left = left.filter(at => !told.includes(at))
    }
    return found
  }

  /** The earliest time when the first message without a result can have come. Null: not known. */
  #oldestAt(at: CommittedPartition): number | null {
    const before = this.#facts.get(keyOf(at))
    if (!before) return null
    return before.committed < before.end ? before.oldestAt : this.#notedAt
  }

  #since(timestamp: number | null): number | null {
    return timestamp === null ? null : Math.max(timestamp, this.#notBefore)
  }
}
