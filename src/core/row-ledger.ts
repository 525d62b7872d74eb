import type { Interval } from './intervals.ts'

/**
 * Drops duplicates: decides which copies of the rows in one partition of one job count. Enter every message in log order.
 *
 * - Within an attempt, the first copy of a position counts. Positions only grow, so one number per attempt is enough.
 * - After a message of a newer epoch, messages of older epochs do not count. The newer producer may send positions again,
 *   so the count of positions starts over.
 *
 * The ledger judges no gaps: a worker starts in the middle of the log, and a later attempt jumps over finished rows.
 */
export class RowLedger {
  #epoch: number
  /** By attempt, the end of the positions that were taken in this epoch. */
  readonly #ends = new Map<number, number>()

  constructor(epoch = 0) {
    this.#epoch = epoch
  }

  /** The highest epoch so far. */
  get epoch(): number {
    return this.#epoch
  }

  /** Enters any message of an epoch. Returns whether the message counts. */
  enter(epoch: number): boolean {
    if (epoch < this.#epoch) return false
    if (epoch > this.#epoch) this.#ends.clear()
    this.#epoch = epoch
    return true
  }

  /** Enters a message with `count` rows from position `first` on. Returns the positions that count; it may be empty. */
  take({ epoch, attempt = 0 }: { epoch: number; attempt?: number }, first: number, count: number): Interval {
    const end = first + count
    if (!this.enter(epoch)) return { from: end, end }
    const next = this.end(attempt)
    this.#ends.set(attempt, Math.max(next, end))
    return { from: Math.min(end, Math.max(first, next)), end }
  }

  /** The end of the positions that an attempt has in the highest epoch. */
  end(attempt = 0): number {
    return this.#ends.get(attempt) ?? 0
  }
}
