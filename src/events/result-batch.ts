import type { ReadCheckpoint } from '../core/row-order.ts'
import type { Values } from '../model.ts'

/** Why a row has no result, and the values that it was sent with. */
export interface RejectedRow {
  readonly reason: string
  readonly detail: string
  readonly values: Values
}

/** A classified row, or a rejected one: one of `values` and `rejected` is null. */
export type ClassifiedRow = {
  readonly seq: number | null
  /**
   * The OpenTelemetry trace of the batch that classified it, as a header of W3C Trace Context. Whoever processes the row continues
   * that trace with `propagation.extract(context.active(), row)`. Only if its worker had --tracing.
   */
  readonly traceparent?: string
} & ({ readonly values: Values; readonly rejected: null } | { readonly values: null; readonly rejected: RejectedRow })

/** Where a batch ends. It is opaque, and may be stored as JSON. */
export interface ResultsCheckpoint {
  readonly pipeline: string
  readonly job: string
  readonly attempt: number
  readonly at: ReadCheckpoint
}

/**
 * The next rows in the order of their job: all that had arrived when the batch was asked for, up to about 1,000.
 *
 * `columns` are those of the output. If the output has an index, its label is the first. `values` has one text for each
 * column. It is a list, not an object: in a CSV two columns may have one name, and a name may be `__proto__`. A batch
 * without a classified row may have no columns. If another classifier returns other columns, a new batch begins.
 */
export interface ResultBatch {
  readonly columns: readonly string[]
  readonly rows: readonly ClassifiedRow[]
  /** Give it as `after`, in any process, to resume after the last row of this batch. */
  readonly checkpoint: ResultsCheckpoint
}

export interface ResultsRequest {
  readonly job: string
  /** The checkpoint of the last batch that was processed: the row after it comes first. */
  readonly after?: ResultsCheckpoint | null
  /** Without `after`: begin with the first row, or with what is classified from now on. Default: start. */
  readonly from?: 'start' | 'now'
}
