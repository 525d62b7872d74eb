import { RowmillError } from '../errors.ts'
import type { Result } from '../model.ts'
import { encodeResult, MAX_MESSAGE_BYTES } from '../wire/codec.ts'
import { mostBytes, rowBytes } from '../wire/packed-rows.ts'
import type { ClassifiedBatch } from './boundary.ts'

/** A result ends at this size, to stay below Kafka's default limit of 1 MB. A longer row is a result by itself. */
const RESULT_BYTES = 512 * 1024

/** Room for the other fields of a result, or of a reject. */
export const ROOM_BYTES = 256 * 1024
/** The longest row that fits into a message. */
const LONGEST_ROW_BYTES = MAX_MESSAGE_BYTES - ROOM_BYTES

/** What a result says about its batch and its worker. */
export type ResultHead = Pick<Result, 'job' | 'epoch' | 'from' | 'attempt' | 'first' | 'offset' | 'by' | 'classifier'>

/**
 * Encodes the output for a batch as one result, or as several if it is large. The output rows of one row stay together. In a
 * job without sequence `offsets` has the offset of each row: each row is then a separate result, whose position is that
 * offset.
 */
export function encodeResults(
  head: ResultHead,
  { columns, kinds, rows, outputs = rows.map(() => 1) }: ClassifiedBatch,
  offsets: readonly number[] | null = null,
): Buffer<ArrayBuffer>[] {
  const encoded: Buffer<ArrayBuffer>[] = []
  let start = 0
  let [startRow, row] = [0, 0]
  let bytes = 0
  // The exact size of each row is needed only if the rows may not fit into one result.
  const cuts = offsets || !(mostBytes(rows) <= RESULT_BYTES) ? outputs : []
  cuts.forEach((count, i) => {
    let size = 0 // NaN for a row that the encoder will refuse
    for (let at = row; at < row + count; at++) size += rowBytes(rows[at]!)
    if (size > LONGEST_ROW_BYTES) throw tooLong(i, size)
    if (i > start && (offsets || bytes + size > RESULT_BYTES)) cut(i)
    row += count
    bytes += size
  })
  row = rows.length
  cut(outputs.length)
  return encoded

  function cut(end: number): void {
    const count = end - start
    const place = offsets ? { first: offsets[start]!, offset: offsets[start]! } : { first: head.first + start }
    const given = outputs.slice(start, end)
    const counts = { count, outputs: given.every(each => each === 1) ? null : given }
    const result = { ...head, ...place, ...counts, columns, kinds, rejected: [], rows: rows.slice(startRow, row) }
    encoded.push(encodeResult(result))
    start = end
    startRow = row
    bytes = 0
  }
}

function tooLong(index: number, bytes: number): RowmillError {
  const message = `the output of row ${index + 1} of the batch takes ${bytes} bytes; a message holds at most ${LONGEST_ROW_BYTES}.`
  return new RowmillError('CLASSIFIER_CONTRACT', `the classifier broke its contract: ${message}`, { index, bytes })
}
