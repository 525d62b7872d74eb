/** A way to cut rows into batches. Rows keep their order within a batch. */
export interface RowCut {
  /** Completes "the cell is 3 ...". */
  readonly name: string
  /** The batches of `count` rows, each as places among these rows. */
  batches(count: number): readonly (readonly number[])[]
}

/** As the original job had them. */
export const WHOLE: RowCut = { name: 'with all rows at once', batches: count => [range(0, count)] }

/** As another worker may get the rows. */
export const SECOND_HALF_FIRST: RowCut = {
  name: 'in a new process that gets the second half of the rows first',
  batches: count => {
    const middle = Math.ceil(count / 2)
    return [range(middle, count), range(0, middle)].filter(batch => batch.length > 0)
  },
}

/** Rows as they were in batches of the job that had other kinds. */
export function byKinds(batches: readonly (readonly number[])[]): RowCut {
  return { name: 'in batches of one kind', batches: () => batches }
}

export const SINGLE_ROWS: RowCut = {
  name: 'in batches of 1 row',
  batches: count => runs(count, { first: 1, each: 1 }),
}

/** Into how many batches a sample is cut. The first one is half as long, so that none begins where half of the rows end. */
const SOME = 8

/**
 * The cuts that are compared with all rows at once, the cheapest first. docs/decisions.md has how often each of them finds a
 * function that looks at other rows. Single rows find most. Larger batches find what hides in single rows: integers and
 * missing values, of which each batch of one row has one kind.
 */
export const CUTS: readonly RowCut[] = [
  { name: 'in two batches', batches: count => runs(count, { first: Math.ceil(count / 2), each: count }) },
  {
    name: 'in small batches',
    batches: count => runs(count, { first: Math.ceil(count / SOME / 2), each: Math.ceil(count / SOME) }),
  },
  SINGLE_ROWS,
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
