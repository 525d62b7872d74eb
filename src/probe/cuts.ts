/** A way to cut rows into batches. Rows keep their order within a batch. */
export interface RowCut {
  /** Completes "the cell is 3 ...". */
  readonly name: string
  /** The batches of `count` rows, each as places among these rows. */
  batches(count: number): readonly (readonly number[])[]
}

/** As the original job had them. */
export const WHOLE: RowCut = { name: 'with all rows at once', batches: count => [range(0, count)] }

/** Batches of a few rows each. The first one is shorter, so no batch begins where a round number of rows ends. */
const FEW_ROWS = 7
const SHORTER = 4

/**
 * The cuts that are compared with all rows at once. docs/decisions.md has how often each of them finds a function that
 * looks at other rows.
 */
export const CUTS: readonly RowCut[] = [
  { name: `in batches of ${FEW_ROWS} rows`, batches: count => runs(count, { first: SHORTER, each: FEW_ROWS }) },
  { name: 'in two halves', batches: count => runs(count, { first: Math.ceil(count / 2), each: count }) },
  { name: 'in batches of 1 row', batches: count => runs(count, { first: 1, each: 1 }) },
]

function runs(count: number, { first, each }: { first: number; each: number }): number[][] {
  const batches: number[][] = []
  for (let from = 0; from < count; ) {
    const to = Math.min(count, from + (from === 0 ? first : each))
    batches.push(range(from, to))
    from = to
  }
  return batches
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}
