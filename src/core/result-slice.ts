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

/** What became of each row of the slice: its output cells, or its reject. */
export function outcomesOf({ result, index, count }: ResultSlice): (Values | Rejected)[] {
  const { rows, rejected } = result
  if (rejected.length === 0) return rows.slice(index, index + count)
  const outcomes: (Values | Rejected)[] = []
  let next = rejected.findIndex(reject => reject.index >= index)
  if (next < 0) next = rejected.length
  let row = index - next // rejects have no entry in `rows`
  for (let at = index; at < index + count; at++) {
    if (rejected[next]?.index === at) outcomes.push(rejected[next++]!)
    else outcomes.push(rows[row++]!)
  }
  return outcomes
}

/** The rows of the slice that have a result. */
export function rowsOf(slice: ResultSlice): readonly Values[] {
  const { rejected, rows } = slice.result
  if (rejected.length > 0) return outcomesOf(slice).filter(isRow)
  return slice.count === rows.length ? rows : rows.slice(slice.index, slice.index + slice.count)
}

/** The rejected rows of the slice. */
export function rejectedOf({ result, index, count }: ResultSlice): readonly Rejected[] {
  if (result.rejected.length === 0) return []
  return result.rejected.filter(reject => reject.index >= index && reject.index < index + count)
}

export function isRow(outcome: Values | Rejected): outcome is Values {
  return Array.isArray(outcome)
}

/** Whether the rows of two results have the same columns. A result without rows fits any. */
export function sameColumns(a: Result, b: Result): boolean {
  if (a === b || a.rows.length === 0 || b.rows.length === 0) return true
  return a.columns.length === b.columns.length && a.columns.every((name, i) => name === b.columns[i])
}
