import { IntervalSet } from '../core/intervals.ts'
import type { ResultOutline } from '../wire/result-head.ts'
import { RateWindow } from './rate-window.ts'

/** Reasons are codes, but anybody can write a result. Rows with further ones are counted under `OTHER`. */
const MOST_REASONS = 30
export const OTHER_REASON = 'OTHER'

/** What one attempt made of one partition. */
class AttemptTally {
  readonly seen = new IntervalSet()
  /** By reason, the positions that were rejected. */
  readonly rejected = new Map<string, IntervalSet>()

  reject(reason: string, position: number): void {
    const key = this.rejected.has(reason) || this.rejected.size < MOST_REASONS ? reason : OTHER_REASON
    const positions = this.rejected.get(key) ?? new IntervalSet()
    this.rejected.set(key, positions)
    positions.add(position, position + 1)
  }

  /** The positions that have a row. */
  get rows(): IntervalSet {
    const rows = copyOf(this.seen)
    for (const positions of this.rejected.values()) removeAll(rows, positions)
    return rows
  }

  removeFrom(position: number): void {
    for (const set of [this.seen, ...this.rejected.values()]) set.remove(position, Number.POSITIVE_INFINITY)
  }
}

/** What is known of one partition of a job, over the attempts that count. */
export interface Tallied {
  /** Positions that have a result or are rejected. */
  readonly seen: IntervalSet
  readonly classified: number
  readonly rejected: number
  readonly byReason: ReadonlyMap<string, number>
  /** Rows that earlier attempts rejected, and that the latest one has not classified yet. */
  readonly again: number
  /** The first of them. Null: there is none. */
  readonly firstAgain: number | null
  /** The positions that are rejected, and for which no later attempt has a row. */
  rejects(): IntervalSet
}

/**
 * Counts the results of one partition of a job with sequence. The first copy of a position counts within its attempt, and a
 * later attempt replaces rejects. Results may come in any order.
 */
export class PositionTally {
  readonly window = new RateWindow()
  /** Of messages of this partition, those of older epochs do not count. */
  epoch = 0
  readonly #attempts = new Map<number, AttemptTally>()
  #known: { readonly key: string; readonly tallied: Tallied } | null = null

  /**
   * Counts the positions of a result below `limit`. Returns the rejects among its first copies, by their index in `rejected`,
   * and how many first copies there are.
   */
  add({ attempt, first, count, rejected }: ResultOutline, limit: number): { rows: number; rejects: number[] } {
    const tally = this.#attempts.get(attempt) ?? new AttemptTally()
    this.#attempts.set(attempt, tally)
    const news = tally.seen.missing(first, Math.min(first + count, limit))
    if (news.length === 0) return { rows: 0, rejects: [] }
    this.#known = null
    const isNew = (position: number) => news.some(({ from, end }) => position >= from && position < end)
    const rejects = [...rejected.keys()].filter(i => isNew(first + rejected[i]!.index))
    for (const i of rejects) tally.reject(rejected[i]!.reason, first + rejected[i]!.index)
    for (const { from, end } of news) tally.seen.add(from, end)
    return { rows: news.reduce((sum, { from, end }) => sum + end - from, 0), rejects }
  }

  /** Counts all positions before a result, or before the end of input: the workers send the results of a partition in their order. */
  addBefore({ attempt, first }: Pick<ResultOutline, 'attempt' | 'first'>, limit: number): void {
    const tally = this.#attempts.get(attempt) ?? new AttemptTally()
    this.#attempts.set(attempt, tally)
    this.#known = null
    tally.seen.add(0, Math.min(first, limit))
  }

  /** Takes the positions from this one on back: a newer producer sends them again. */
  removeFrom(position: number): void {
    this.#known = null
    for (const tally of this.#attempts.values()) tally.removeFrom(position)
  }

  /** `attempts`: those whose results count, in order. */
  tallied(attempts: readonly number[]): Tallied {
    const key = attempts.join()
    if (this.#known?.key !== key) {
      const of = (numbers: readonly number[]) => merge(numbers.flatMap(number => this.#attempts.get(number) ?? []))
      const again = attempts.length > 1 ? of(attempts.slice(0, -1)).rejects() : new IntervalSet()
      removeAll(again, this.#attempts.get(attempts.at(-1) ?? 0)?.seen ?? new IntervalSet())
      this.#known = {
        key,
        tallied: { ...of(attempts), again: again.size, firstAgain: again.intervals[0]?.from ?? null },
      }
    }
    return this.#known.tallied
  }
}

type Merged = Omit<Tallied, 'again' | 'firstAgain'>

/** `attempts` are in order. A position is rejected if no attempt has a row for it. The latest attempt says why. */
function merge(attempts: readonly AttemptTally[]): Merged {
  if (attempts.length === 1) return ofOne(attempts[0]!)
  const [seen, rows] = [new IntervalSet(), new IntervalSet()]
  for (const attempt of attempts) {
    addAll(seen, attempt.seen)
    addAll(rows, attempt.rows)
  }
  const open = copyOf(seen)
  removeAll(open, rows)
  const left = copyOf(open)
  const byReason = new Map<string, number>()
  for (const [reason, positions] of attempts.toReversed().flatMap(({ rejected }) => [...rejected])) {
    const before = left.size
    removeAll(left, positions)
    byReason.set(reason, (byReason.get(reason) ?? 0) + before - left.size)
  }
  return { seen, classified: seen.size, rejected: open.size, byReason, rejects: () => copyOf(open) }
}

function ofOne({ seen, rejected }: AttemptTally): Merged {
  const byReason = new Map([...rejected].map(([reason, { size }]) => [reason, size]))
  const sum = [...byReason.values()].reduce((all, size) => all + size, 0)
  const rejects = () => {
    const all = new IntervalSet()
    for (const positions of rejected.values()) addAll(all, positions)
    return all
  }
  return { seen, classified: seen.size, rejected: sum, byReason, rejects }
}

function copyOf(set: IntervalSet): IntervalSet {
  const copy = new IntervalSet()
  addAll(copy, set)
  return copy
}

function addAll(set: IntervalSet, more: IntervalSet): void {
  for (const { from, end } of more.intervals) set.add(from, end)
}

function removeAll(set: IntervalSet, less: IntervalSet): void {
  for (const { from, end } of less.intervals) set.remove(from, end)
}
