/** The longest pause of a collector between two fetches. It bounds how late the output is while the job runs. */
const LONGEST_MS = 200
/** The part of the time that is left. So the pauses shrink towards the end, and the last row hardly waits. */
const PART_OF_REST = 1 / 10

/**
 * How long a collector may leave results at the broker, in ms. `classified` rows came in `ms`. `left` rows are missing; null:
 * nobody knows how many.
 */
export function pauseBetweenFetches({
  classified,
  left,
  ms,
}: {
  classified: number
  left: number | null
  ms: number
}): number {
  if (left === null || classified === 0) return 0
  return Math.min(LONGEST_MS, ((ms * left) / classified) * PART_OF_REST)
}
