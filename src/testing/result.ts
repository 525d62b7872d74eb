import type { Values } from '../model.ts'

/** A row without a result. */
export interface TestReject {
  /** The number of the row among `rows`, from 0. */
  readonly seq: number
  /** An error code, such as CLASSIFIER_FAILED. */
  readonly reason: string
  /** What was wrong, with the lines of the classifier. */
  readonly detail: string
  readonly values: Values
}

export interface TestResult {
  /** The columns of the output, the label of the index first if it has one. None if every row is rejected. */
  readonly columns: readonly string[]
  /** The cells of the output as text, in the order of the rows that came in, without rejected rows. */
  readonly rows: readonly Values[]
  /** For each of `rows`, the number of the row that it was made of: with `outputRows: 'any'` several may have the same. */
  readonly seqs: readonly number[]
  readonly rejects: readonly TestReject[]
  /** For each call, the seqs of its rows. Calls that only search for a bad row are left out. */
  readonly batches: readonly (readonly number[])[]
}
