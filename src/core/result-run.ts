import type { Rejected, Result, Values } from '../model.ts'

/** Consecutive rows of one result, as a reader hands them out: rejected ones are among them, and have their place. */
export interface Run {
  readonly result: Result
  readonly partition: number
  /** The offset of the result's message. */
  readonly offset: number
  /** Which row of the result is the first, from 0. */
  readonly index: number
  readonly count: number
  /** The seq of the first row; null in a job without sequence. */
  readonly seq: number | null
}

/** One entry for each place of the run: the cells of its row, or why it has none. */
export function placesOf({ result, index, count }: Run): (Values | Rejected)[] {
  const { rows, rejected } = result
  if (rejected.length === 0) return rows.slice(index, index + count)
  const places: (Values | Rejected)[] = []
  let next = rejected.findIndex(reject => reject.index >= index)
  if (next < 0) next = rejected.length
  let row = index - next // each reject before it took a place and no row
  for (let place = index; place < index + count; place++) {
    if (rejected[next]?.index === place) places.push(rejected[next++]!)
    else places.push(rows[row++]!)
  }
  return places
}

/** The rows of the run that have a result. */
export function rowsOf(run: Run): readonly Values[] {
  const { rejected, rows } = run.result
  if (rejected.length > 0) return placesOf(run).filter(isRow)
  return run.count === rows.length ? rows : rows.slice(run.index, run.index + run.count)
}

/** The rejected rows of the run. */
export function rejectedOf({ result, index, count }: Run): readonly Rejected[] {
  if (result.rejected.length === 0) return []
  return result.rejected.filter(reject => reject.index >= index && reject.index < index + count)
}

export function isRow(place: Values | Rejected): place is Values {
  return Array.isArray(place)
}

/** Whether the rows of two results have the same columns; of a result without rows nobody can say. */
export function sameColumns(a: Result, b: Result): boolean {
  if (a === b || a.rows.length === 0 || b.rows.length === 0) return true
  return a.columns.length === b.columns.length && a.columns.every((name, i) => name === b.columns[i])
}
