import type { Result } from '../../src/model.ts'

/** The result of one row, the first of its partition, unless `more` says otherwise. */
export function resultRecord(more: Partial<Result> = {}): Result {
  const place = { job: 'j', epoch: 0, from: 0, attempt: 0, first: 0, count: 1, offset: 0 }
  const stamp = { classifier: new Uint8Array(8), by: 'w', columns: ['c'], kinds: ['text'] }
  return { ...place, ...stamp, rejected: [], outputs: null, rows: [], ...more }
}
