/** The longest pause of a collector between two fetches. It bounds how late the output is while the job runs. */
const LONGEST_MS = 200
/** The part of the time that is left. So the pauses shrink towards the end, and the last row hardly waits. */
const PART_OF_REST = 1 / 10
/** An answer with more than this is followed by the next fetch at once: results come fast. */
const LITTLE_BYTES = 128 * 1024

/**
 * How long a collector may leave results at the broker, in ms. The last answer brought `bytes`, and left nothing there.
 * `classified` rows came in `ms`. `left` rows are missing; null: nobody knows how many.
 */
export function pauseBetweenFetches({
  bytes,
  classified,
  left,
  ms,
}: {
  bytes: number
  classified: number
  left: number | null
  ms: number
}): number {
  if (bytes === 0 || bytes >= LITTLE_BYTES || left === null || classified === 0) return 0
  return Math.min(LONGEST_MS, ((ms * left) / classified) * PART_OF_REST)
}
