/** Enough partitions to spread evenly over the workers, even if some are added later. */
export function defaultPartitions(workers: number): number {
  return Math.max(8, 4 * workers)
}
