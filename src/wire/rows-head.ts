import type { Rows, RowsHead } from '../model.ts'
import { optional, readText } from './avro-read.ts'
import { AvroCursor, compileSkip, type Skip, skipItems } from './avro-scan.ts'
import { decode, MAX_MESSAGE_BYTES, malformed } from './codec.ts'
import { fingerprintOf, HEADER_BYTES } from './formats.ts'
import type { WireRecord } from './record.ts'
import { headFlaw } from './record-flaws.ts'

const RECORD = 'Rows'
const skipRow = compileSkip({ type: 'array', items: 'string' })

/**
 * Like `decode` (codec.ts), but of a rows message it returns only the head. Nobody needs the values to decide where
 * they go. They are checked all the same, so that `decodeValues` may read them later, in another thread.
 */
export function decodeHead(
  bytes: Uint8Array | null,
): Exclude<WireRecord, { kind: 'rows' }> | { kind: 'rows'; value: RowsHead } {
  if (bytes === null || !isRows(bytes) || bytes.length > MAX_MESSAGE_BYTES) {
    return decode(bytes) as Exclude<WireRecord, { kind: 'rows' }>
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const cursor = new AvroCursor(buffer, { record: RECORD, from: HEADER_BYTES, error: malformed })
  const field = <T>(name: keyof Rows, read: () => T): T => {
    cursor.field = name
    return read()
  }
  const head: RowsHead = {
    job: field('job', () => readText(cursor)),
    epoch: field('epoch', () => cursor.unsigned()),
    from: field('from', () => cursor.unsigned()),
    seq: field('seq', () => optional(cursor, () => cursor.unsigned())),
    count: field('count', () => cursor.unsigned()),
    line: field('line', () => optional(cursor, () => cursor.unsigned())),
    lineSteps: field('lineSteps', () => optional(cursor, () => readNumbers(cursor))),
  }
  const rows = field('rows', () => skipItems(cursor, skipRow))
  cursor.field = ''
  if (cursor.left > 0) cursor.refuse(`${cursor.left} bytes too many`)
  const flaw = headFlaw(head, rows)
  if (flaw !== null) throw malformed(`${RECORD}: ${flaw}`, { record: RECORD })
  return { kind: 'rows', value: head }
}

let lazyFingerprint: Buffer | null = null

function isRows(bytes: Uint8Array): boolean {
  lazyFingerprint ??= fingerprintOf('rows')
  return bytes[0] === 0xc3 && bytes[1] === 0x01 && lazyFingerprint.equals(bytes.subarray(2, HEADER_BYTES))
}

function readNumbers(cursor: AvroCursor): number[] {
  const numbers: number[] = []
  const read: Skip = () => void numbers.push(cursor.unsigned())
  skipItems(cursor, read)
  return numbers
}
