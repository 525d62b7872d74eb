import { RowmillError } from '../errors.ts'
import type { Result } from '../model.ts'
import { encodeResult, MAX_MESSAGE_BYTES } from '../wire/codec.ts'
import { rowBytes } from '../wire/packed-rows.ts'
import type { ClassifiedBatch } from './boundary.ts'

/** A result is cut here, so that it stays below Kafka's usual 1 MB; a longer row travels alone. */
const RESULT_BYTES = 512 * 1024

/** What a message holds, less what a result says beside its rows. */
export const LONGEST_ROW_BYTES = MAX_MESSAGE_BYTES - 256 * 1024

/** What the results of a batch say of it, and of who made them. */
export type ResultHead = Pick<Result, 'job' | 'epoch' | 'from' | 'attempt' | 'first' | 'offset' | 'by' | 'classifier'>

/**
 * Encodes what the classifier made of a batch as one result, or as several where it is large. `offsets` are those of rows
 * without a sequence: each is a result of its own, placed by the offset of its input.
 */
export function encodeResults(
  head: ResultHead,
  { columns, kinds, rows }: ClassifiedBatch,
  offsets: readonly number[] | null = null,
): Buffer[] {
  const encoded: Buffer[] = []
  let start = 0
  let bytes = 0
  rows.forEach((row, i) => {
    const size = rowBytes(row) // NaN for what is refused when it is encoded
    if (size > LONGEST_ROW_BYTES) throw tooLong(i, size)
    if (i > start && (offsets || bytes + size > RESULT_BYTES)) cut(i)
    bytes += size
  })
  cut(rows.length)
  return encoded

  function cut(end: number): void {
    const count = end - start
    const place = offsets ? { first: offsets[start]!, offset: offsets[start]! } : { first: head.first + start }
    const result = { ...head, ...place, count, columns, kinds, rejected: [], rows: rows.slice(start, end) }
    encoded.push(encodeResult(result, bytes))
    start = end
    bytes = 0
  }
}

function tooLong(index: number, bytes: number): RowmillError {
  const message = `row ${index + 1} of these takes ${bytes} bytes in the output, and a message holds ${LONGEST_ROW_BYTES} of a row.`
  return new RowmillError('CLASSIFIER_CONTRACT', `the classifier broke its contract: ${message}`, { index, bytes })
}
