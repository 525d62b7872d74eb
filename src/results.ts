import type { Batch } from './batcher.ts'
import type { ClassifiedBatch } from './classifier/classifier.ts'
import { encodedRowSize, encodeResult } from './codec.ts'

/** A result is cut here, so that it stays below Kafka's usual 1 MB; a longer row travels alone. */
const RESULT_BYTES = 512 * 1024

/** Encodes what the classifier made of a batch as one result, or as several where it is large. */
export function encodeResults(
  batch: Batch,
  { columns, kinds, rows }: ClassifiedBatch,
  stamp: { attempt: number; by: string; classifier: Uint8Array },
): Buffer[] {
  const { job, epoch, from, offset } = batch
  const encoded: Buffer[] = []
  let start = 0
  let bytes = 0
  rows.forEach((row, i) => {
    const rowBytes = encodedRowSize(row)
    if (i > start && bytes + rowBytes > RESULT_BYTES) cut(i)
    bytes += rowBytes
  })
  cut(rows.length)
  return encoded

  function cut(end: number): void {
    const [first, count] = [batch.first + start, end - start]
    const piece = { job, epoch, from, first, count, offset, columns, kinds, rejected: [], rows: rows.slice(start, end) }
    encoded.push(encodeResult({ ...piece, ...stamp }))
    start = end
    bytes = 0
  }
}
