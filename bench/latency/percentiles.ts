/** The milliseconds of many rows, in three numbers. */
export interface Spread {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Throws RangeError if there are no numbers. */
export function spreadOf(milliseconds: readonly number[]): Spread {
  const sorted = Float64Array.from(milliseconds).sort()
  return { p50: percentile(sorted, 50), p99: percentile(sorted, 99), max: percentile(sorted, 100) }
}

/** The nearest rank: the smallest number that at least `percent` of 100 do not exceed. `sorted` ascends. */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  if (sorted.length === 0) throw new RangeError('a percentile of no numbers')
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!
}

/** The longest time between two consecutive moments, which ascend; 0 if there are fewer than two. */
export function longestGap(moments: readonly number[]): number {
  let longest = 0
  for (let i = 1; i < moments.length; i++) longest = Math.max(longest, moments[i]! - moments[i - 1]!)
  return longest
}
