/** A run of whole numbers: `from` up to and without `behind`. */
export interface Interval {
  readonly from: number
  readonly behind: number
}

/** A set of whole numbers that lie in runs, such as the positions of a partition that have a row. */
export class IntervalSet {
  /** In order, neither overlapping nor touching. */
  #runs: Interval[] = []

  add(from: number, behind: number): void {
    if (from >= behind) return
    const start = this.#firstEndingAtOrBehind(from)
    let end = start
    while (end < this.#runs.length && this.#runs[end]!.from <= behind) end++
    const joined = {
      from: end > start ? Math.min(from, this.#runs[start]!.from) : from,
      behind: Math.max(behind, end > start ? this.#runs[end - 1]!.behind : behind),
    }
    this.#runs.splice(start, end - start, joined)
  }

  /** How many numbers are in the set. */
  get size(): number {
    return this.#runs.reduce((sum, { from, behind }) => sum + behind - from, 0)
  }

  has(number: number): boolean {
    const run = this.#runs[this.#firstEndingAtOrBehind(number + 1)]
    return run !== undefined && run.from <= number
  }

  /** What of `from` up to and without `behind` is not in the set, in order. */
  missing(from: number, behind: number): Interval[] {
    const gaps: Interval[] = []
    let next = from
    for (let i = this.#firstEndingAtOrBehind(from); next < behind && i < this.#runs.length; i++) {
      const run = this.#runs[i]!
      if (run.from > next) gaps.push({ from: next, behind: Math.min(run.from, behind) })
      next = Math.max(next, run.behind)
    }
    if (next < behind) gaps.push({ from: next, behind })
    return gaps
  }

  /** The index of the first run that ends at `number` or behind it. */
  #firstEndingAtOrBehind(number: number): number {
    let [low, high] = [0, this.#runs.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#runs[middle]!.behind < number) low = middle + 1
      else high = middle
    }
    return low
  }
}
