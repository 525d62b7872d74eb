/** Consecutive whole numbers: `from` is the first, `end` is one more than the last. */
export interface Interval {
  readonly from: number
  readonly end: number
}

/** A set of whole numbers, kept as intervals: for example the positions of a partition that have a row. */
export class IntervalSet {
  /** In order. No two overlap or touch. */
  #intervals: Interval[] = []

  add(from: number, end: number): void {
    if (from >= end) return
    const first = this.#firstEndingFrom(from)
    let after = first
    while (after < this.#intervals.length && this.#intervals[after]!.from <= end) after++
    const touched = this.#intervals.slice(first, after)
    const joined = {
      from: Math.min(from, touched[0]?.from ?? from),
      end: Math.max(end, touched.at(-1)?.end ?? end),
    }
    this.#intervals.splice(first, after - first, joined)
  }

  /** Takes these numbers out of the set. */
  remove(from: number, end: number): void {
    const first = this.#firstEndingFrom(from + 1)
    let after = first
    while (after < this.#intervals.length && this.#intervals[after]!.from < end) after++
    const cut = this.#intervals.slice(first, after)
    const rest = [
      { from: cut[0]?.from ?? from, end: from },
      { from: end, end: cut.at(-1)?.end ?? end },
    ]
    if (from < end) this.#intervals.splice(first, after - first, ...rest.filter(({ from, end }) => from < end))
  }

  /** The intervals, in order. No two overlap or touch. */
  get intervals(): readonly Interval[] {
    return this.#intervals
  }

  /** The lowest number from 0 on that is not in the set. */
  get firstMissing(): number {
    const first = this.#intervals[0]
    return first?.from === 0 ? first.end : 0
  }

  /** How many numbers are in the set. */
  get size(): number {
    return this.#intervals.reduce((sum, { from, end }) => sum + end - from, 0)
  }

  has(number: number): boolean {
    const interval = this.#intervals[this.#firstEndingFrom(number + 1)]
    return interval !== undefined && interval.from <= number
  }

  /** The numbers from `from` to `end - 1` that are not in the set, in order. */
  missing(from: number, end: number): Interval[] {
    const gaps: Interval[] = []
    let next = from
    for (let i = this.#firstEndingFrom(from); next < end && i < this.#intervals.length; i++) {
      const interval = this.#intervals[i]!
      if (interval.from > next) gaps.push({ from: next, end: Math.min(interval.from, end) })
      next = Math.max(next, interval.end)
    }
    if (next < end) gaps.push({ from: next, end })
    return gaps
  }

  /** The index of the first interval whose `end` is `number` or higher. */
  #firstEndingFrom(number: number): number {
    let [low, high] = [0, this.#intervals.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#intervals[middle]!.end < number) low = middle + 1
      else high = middle
    }
    return low
  }
}
