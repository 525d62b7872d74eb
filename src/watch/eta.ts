export interface PartitionLoad {
  /** Rows that have no result yet, also those that are not published. */
  readonly left: number
  readonly rowsPerSecond: number
  /** The worker that has the partition. Null: nobody, or it is not known. */
  readonly owner: string | null
}

/**
 * Seconds until the slowest partition is done. The partitions of one worker share its speed, so they count as one: while it
 * classifies one of them, the others stand still. Null: there is work, and nothing moves.
 */
export function etaSeconds(partitions: readonly PartitionLoad[]): number | null {
  const loads = new Map<string, { left: number; rate: number }>()
  for (const [number, { left, rowsPerSecond, owner }] of partitions.entries()) {
    const key = owner === null ? `partition ${number}` : `worker ${owner}`
    const load = loads.get(key) ?? { left: 0, rate: 0 }
    loads.set(key, { left: load.left + left, rate: load.rate + rowsPerSecond })
  }
  const all = [...loads.values()]
  const left = all.reduce((sum, load) => sum + load.left, 0)
  const rate = all.reduce((sum, load) => sum + load.rate, 0)
  if (left === 0) return 0
  if (rate === 0) return null
  // A worker that brought nothing in the last 30 s may be busy with another job. Together they need at least this long.
  const slowest = all.filter(load => load.rate > 0).map(load => load.left / load.rate)
  return Math.max(left / rate, ...slowest)
}
