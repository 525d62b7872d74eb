import type { EndOfInput, Job, Reject, Result, Rows } from '../model.ts'

/** One message of a pipeline: which record it is, and the record. */
export type WireRecord =
  | { readonly kind: 'job'; readonly value: Job }
  | { readonly kind: 'rows'; readonly value: Rows }
  | { readonly kind: 'end'; readonly value: EndOfInput }
  | { readonly kind: 'result'; readonly value: Result }
  | { readonly kind: 'reject'; readonly value: Reject }

export type WireKind = WireRecord['kind']
