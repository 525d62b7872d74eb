import type { EndOfInput, Rejected, Result, RowsHead } from '../model.ts'
import { optional, readText } from './avro-read.ts'
import { AvroCursor, compileSkip, MAX_ITEMS, skipItems } from './avro-scan.ts'
import { MAX_MESSAGE_BYTES, malformed } from './codec.ts'
import { formats, HEADER_BYTES } from './formats.ts'
import { decodeHead } from './rows-head.ts'

/** What a result says of its rows, without their cells. */
export interface ResultOutline extends Pick<Result, 'job' | 'epoch' | 'from' | 'attempt' | 'first' | 'count' | 'by'> {
  readonly rejected: readonly RejectedHead[]
}

export type RejectedHead = Omit<Rejected, 'values'>

/** What a message of `results` says: a result, an end of input or, as rows without rows, a barrier. */
export type ResultsHead =
  | { readonly kind: 'result'; readonly value: ResultOutline }
  | { readonly kind: 'end'; readonly value: EndOfInput }
  | { readonly kind: 'rows'; readonly value: RowsHead }

const FINGERPRINT_BYTES = 8
const skipText = compileSkip('string')
const skipTexts = compileSkip({ type: 'array', items: 'string' })

/**
 * Reads the head of a message of `results`, for those who count rows. The cells come last, and nobody looks at them. Null: it
 * is another record, or malformed, which a collector reports.
 */
export function readResultsHead(bytes: Uint8Array | null): ResultsHead | null {
  if (bytes === null || bytes.length > MAX_MESSAGE_BYTES) return null
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  try {
    if (isResult(buffer)) return { kind: 'result', value: readResult(buffer) }
    const record = decodeHead(buffer)
    return record.kind === 'end' || record.kind === 'rows' ? record : null
  } catch {
    return null
  }
}

function isResult(bytes: Buffer): boolean {
  const { result, resultWithOutputs } = formats()
  return [result, resultWithOutputs].some(({ header }) => bytes.compare(header, 0, HEADER_BYTES, 0, HEADER_BYTES) === 0)
}

/** Reads the fields in the order of the schema, up to the last one that counts. */
function readResult(bytes: Buffer): ResultOutline {
  const cursor = new AvroCursor(bytes, { record: 'Result', from: HEADER_BYTES, error: malformed })
  const job = readText(cursor)
  const [epoch, from, attempt] = [cursor.unsigned(), cursor.unsigned(), cursor.unsigned()]
  const [first, count] = [cursor.unsigned(), cursor.unsigned()]
  cursor.unsigned() // the offset of its input
  cursor.jump(FINGERPRINT_BYTES)
  const by = readText(cursor)
  skipTexts(cursor) // its columns
  skipItems(cursor, skipText) // their kinds
  const rejected: RejectedHead[] = []
  skipItems(cursor, () => void rejected.push(readRejected(cursor)))
  if (count > MAX_ITEMS || rejected.some(({ index }) => index >= count)) cursor.refuse(`${count} positions`)
  return { job, epoch, from, attempt, first, count, by, rejected }
}

function readRejected(cursor: AvroCursor): RejectedHead {
  const index = cursor.unsigned()
  const seq = optional(cursor, () => cursor.unsigned())
  const line = optional(cursor, () => cursor.unsigned())
  const [reason, detail] = [readText(cursor), readText(cursor)]
  skipTexts(cursor) // its values
  return { index, seq, line, reason, detail }
}
