import type { ClassifiedBatch } from './classifier/boundary.ts'
import { encodeResult } from './codec.ts'
import type { Result } from './model.ts'
import { packRow } from './packed-row.ts'

/** A result is cut here, so that it stays below Kafka's usual 1 MB; a longer row travels alone. */
const RESULT_BYTES = 512 * 1024

/** What the results of a batch say of it, and of who made them. */
export type ResultHead = Pick<Result, 'job' | 'epoch' | 'from' | 'attempt' | 'first' | 'offset' | 'by' | 'classifier'>

/** Encodes what the classifier made of a batch as one result, or as several where it is large. */
export function encodeResults(head: ResultHead, { columns, kinds, rows }: ClassifiedBatch): Buffer[] {
  const packed = rows.map(packRow)
  const encoded: Buffer[] = []
  let start = 0
  let bytes = 0
  packed.forEach((row, i) => {
    const rowBytes = row?.length ?? 0 // such a row is refused below, whatever it is cut by
    if (i > start && bytes + rowBytes > RESULT_BYTES) cut(i)
    bytes += rowBytes
  })
  cut(rows.length)
  return encoded

  function cut(end: number): void {
    const [first, count] = [head.first + start, end - start]
    const result = { ...head, first, count, columns, kinds, rejected: [], rows: rows.slice(start, end) }
    encoded.push(encodeResult(result, packed.slice(start, end)))
    start = end
    bytes = 0
  }
}
