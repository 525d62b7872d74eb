import type { Rejected, Result, Values } from '../model.ts'

/** Consecutive rows of one result, as a reader hands them out. Rejected rows are among them. */
export interface ResultSlice {
  readonly result: Result
  readonly partition: number
  /** The offset of the result's message. */
  readonly offset: number
  /** The index of the first row within the result. */
  readonly index: number
  readonly count: number
  /** The seq of the first row; null in a job without sequence. */
  readonly seq: number | null
}

/** What became of each row of the slice: its output rows, or its reject. */
export function outcomesOf({
  result,
  index,
  count,
}: Pick<ResultSlice, 'result' | 'index' | 'count'>): (readonly Values[] | Rejected)[] {
  const { rows, rejected, outputs } = result
  const rejects = new Map(rejected.map(reject => [reject.index, reject]))
  let row = startOf(result, index)
  return Array.from({ length: count }, (_, i) => {
    const reject = rejects.get(index + i)
    if (reject) return reject
    const from = row
    row += outputs ? outputs[index + i]! : 1
    return rows.slice(from, row)
  })
}

/** The output rows of the slice. */
export function rowsOf({ result, index, count }: ResultSlice): readonly Values[] {
  if (count === result.count) return result.rows
  return result.rows.slice(startOf(result, index), startOf(result, index + count))
}

/** How many output rows the slice has. */
export function rowsOutOf({ result, index, count }: ResultSlice): number {
  return startOf(result, index + count) - startOf(result, index)
}

/** How many output rows a result has. It does not look at them: they may still be bytes. */
export function rowCount(result: Omit<Result, 'rows'>): number {
  return startOf(result, result.count)
}

/** Where the output rows of the position `index` begin among the rows of the result. */
export function startOf({ rejected, outputs }: Omit<Result, 'rows'>, index: number): number {
  if (!outputs) return index - rejected.filter(reject => reject.index < index).length
  let start = 0
  for (let at = 0; at < index; at++) start += outputs[at]!
  return start
}

/** The rejected rows of the slice. */
export function rejectedOf({ result, index, count }: ResultSlice): readonly Rejected[] {
  if (result.rejected.length === 0) return []
  return result.rejected.filter(reject => reject.index >= index && reject.index < index + count)
}

export function isReject(outcome: readonly Values[] | Rejected): outcome is Rejected {
  return !Array.isArray(outcome)
}

/** Whether the rows of two results have the same columns. A result without rows fits any. */
export function sameColumns(a: Result, b: Result): boolean {
  if (a === b || rowCount(a) === 0 || rowCount(b) === 0) return true
  return a.columns.length === b.columns.length && a.columns.every((name, i) => name === b.columns[i])
}
