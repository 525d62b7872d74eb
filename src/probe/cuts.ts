import type { Values } from '../model.ts'
import { repeatedRows, unlikeRows } from './unlike-rows.ts'

/** A way to cut rows into batches. Rows keep their order within a batch. */
export interface RowCut {
  /** Completes "the cell is 3 ...". */
  readonly name: string
  /** The batches of these rows, each as places among them. */
  batches(rows: readonly Values[]): readonly (readonly number[])[]
}

/** As the original job had them. */
export const WHOLE: RowCut = { name: 'with all rows at once', batches: ({ length }) => [range(0, length)] }

/** As another worker may get the rows. */
export const SECOND_HALF_FIRST: RowCut = {
  name: 'in a new process that gets the second half of the rows first',
  batches: ({ length }) => {
    const middle = Math.ceil(length / 2)
    return [range(middle, length), range(0, middle)].filter(batch => batch.length > 0)
  },
}

/** Rows as they were in batches of the job that had other kinds. */
export function byKinds(batches: readonly (readonly number[])[]): RowCut {
  return { name: 'in batches of one kind', batches: () => batches }
}

export const SINGLE_ROWS: RowCut = {
  name: 'in batches of 1 row',
  batches: ({ length }) => runs(length, { first: 1, each: 1 }),
}

/** Of so many rows one comes alone in APART, but of few rows at least so many. */
const ALONE_SHARE = 5
const MOST_ALONE_OF_FEW = 8

/**
 * The one cut of the probe of a job: some rows alone, and the others in two halves, the second one first, as another worker may
 * get them. Rows that look unlike the others come alone: a function that guesses a format from the first row shows itself there.
 * Rows with an id that came before are a batch too: a function that drops duplicates shows itself there.
 */
export const APART: RowCut = {
  name: 'in smaller batches',
  batches: rows => {
    const { length } = rows
    const quota = Math.min(Math.floor(length / 2), Math.max(MOST_ALONE_OF_FEW, Math.ceil(length / ALONE_SHARE)))
    const alone = new Set(unlikeRows(rows, Math.ceil(quota / 2)))
    for (let i = 0; alone.size < quota && i < length; i++) alone.add(Math.floor(((i + 0.5) * length) / quota) % length)
    const middle = Math.ceil(length / 2)
    const repeated = new Set(repeatedRows(rows).filter(at => !alone.has(at)))
    const others = range(0, length).filter(at => !alone.has(at) && !repeated.has(at))
    const parts = [others.filter(at => at >= middle), others.filter(at => at < middle), [...repeated]]
    return [...parts.filter(part => part.length > 0), ...[...alone].sort((a, b) => a - b).map(at => [at])]
  },
}

/** Into how many batches a sample is cut. The first one is half as long, so that none begins where half of the rows end. */
const SOME = 8

/**
 * The cuts of a check, and of a judgement that may blame a function, the cheapest first. docs/decisions.md has how often each
 * of them finds a function that looks at other rows. Single rows find most. Larger batches find what hides in single rows:
 * integers and missing values, of which each batch of one row has one kind.
 */
export const CUTS: readonly RowCut[] = [
  { name: 'in two batches', batches: ({ length }) => runs(length, { first: Math.ceil(length / 2), each: length }) },
  {
    name: 'in small batches',
    batches: ({ length }) => runs(length, { first: Math.ceil(length / SOME / 2), each: Math.ceil(length / SOME) }),
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
