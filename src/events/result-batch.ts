import type { ReadPosition } from '../core/row-order.ts'
import type { Values } from '../model.ts'

/** Why a row has no result, and the values that it was sent with. */
export interface RejectedRow {
  readonly reason: string
  readonly detail: string
  readonly values: Values
}

/** A row of a job that was classified, or one that could not be: one of `values` and `rejected` is null. */
export type ClassifiedRow =
  | { readonly seq: number | null; readonly values: Values; readonly rejected: null }
  | { readonly seq: number | null; readonly values: null; readonly rejected: RejectedRow }

/** Where a batch ends. What is in it is nobody's business; it may be kept as JSON. */
export interface ResultsPosition {
  readonly pipeline: string
  readonly job: string
  readonly attempt: number
  readonly at: ReadPosition
}

/**
 * Rows that are next in the order of their job: all that had arrived when they were asked for, up to about 1,000.
 *
 * `columns` are those of the output, the label of the index first where it has an index, and `values` has one text for
 * each: a list and no object, because every name is legal in a CSV, twice or `__proto__` too. A batch without any
 * classified row may have none. Another classifier may give other columns: then another batch begins.
 */
export interface ResultBatch {
  readonly columns: readonly string[]
  readonly rows: readonly ClassifiedRow[]
  /** Give it as `after`, in another process too, to go on behind the last row of this batch. */
  readonly position: ResultsPosition
}

export interface ResultsRequest {
  readonly job: string
  /** The position of a batch that was dealt with: the row behind it comes first. */
  readonly after?: ResultsPosition | null
  /** Without `after`: the first row, or only what is classified from now on. Default: start. */
  readonly from?: 'start' | 'now'
}
