import type { Values } from '../model.ts'

/** A row without result. */
export interface TestReject {
  /** Its place among `rows`, from 0. */
  readonly seq: number
  /** An error code, such as CLASSIFIER_FAILED. */
  readonly reason: string
  /** What was wrong, with the classifier's own frames. */
  readonly detail: string
  readonly values: Values
}

export interface TestResult {
  /** The columns of the output, the label of the index first where it has one; without any row in the output none. */
  readonly columns: readonly string[]
  /** The cells of the output as text, in the order of the rows that came in, without those that were rejected. */
  readonly rows: readonly Values[]
  readonly rejects: readonly TestReject[]
  /** For each call, the seqs of its rows. The further calls that find a bad row are not in it. */
  readonly batches: readonly (readonly number[])[]
}
