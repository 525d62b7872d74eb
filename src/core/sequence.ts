/**
 * The arithmetic of where a row goes and where row n is. All numbers are whole and count from 0.
 * A job's rows are cut into blocks of `blockRows`; block k goes to partition `k mod partitions`.
 */

export interface Layout {
  readonly partitions: number
  readonly blockRows: number
}

/** Where a row is: its partition, and its position in that partition. */
export interface Place {
  readonly partition: number
  readonly position: number
}

/** The partition of a row. */
export function partitionOf(seq: number, { partitions, blockRows }: Layout): number {
  return Math.floor(seq / blockRows) % partitions
}

export function placeOf(seq: number, layout: Layout): Place {
  const { partitions, blockRows } = layout
  const block = Math.floor(seq / blockRows)
  return {
    partition: partitionOf(seq, layout),
    position: Math.floor(block / partitions) * blockRows + (seq % blockRows),
  }
}

/** The inverse of `placeOf`. */
export function seqOf({ partition, position }: Place, { partitions, blockRows }: Layout): number {
  const block = Math.floor(position / blockRows) * partitions + partition
  return block * blockRows + (position % blockRows)
}

/** How many of the first `total` rows of a job are in `partition`. */
export function rowsInPartition(partition: number, total: number, { partitions, blockRows }: Layout): number {
  const fullBlocks = Math.floor(total / blockRows)
  const blocksHere = Math.floor(fullBlocks / partitions) + (partition < fullBlocks % partitions ? 1 : 0)
  const partialHere = fullBlocks % partitions === partition ? total % blockRows : 0
  return blocksHere * blockRows + partialHere
}

/** How many rows from `seq` on are in its block: a message holds rows of one block only. */
export function rowsLeftInBlock(seq: number, { blockRows }: Layout): number {
  return blockRows - (seq % blockRows)
}

/** Why `count` rows from `seq` on cannot be one message of this partition, in words, or null. */
export function misplacement(seq: number, count: number, { partition, layout }: { partition: number; layout: Layout }) {
  const [first, last] = [placeOf(seq, layout), placeOf(seq + count - 1, layout)]
  if (first.partition !== partition) return `row ${seq} belongs to partition ${first.partition}`
  if (last.partition === partition && last.position - first.position === count - 1) return null
  return `rows ${seq} to ${seq + count - 1} are not of one block`
}

/** The rows of `count` consecutive positions, in words: `rows 300 to 399`. */
export function describeRows(first: Place, count: number, layout: Layout): string {
  const from = seqOf(first, layout)
  if (count <= 1) return `row ${from}`
  return `rows ${from} to ${seqOf({ ...first, position: first.position + count - 1 }, layout)}`
}
