import { StringDecoder } from 'node:string_decoder'
import { RowmillError } from '../errors.ts'
import type { ComparedFile } from './compared-file.ts'

/** How many bytes are shown before and after the first different byte. */
const BEFORE_BYTES = 40
const AFTER_BYTES = 60

const UNLIKE_EXPECTED = 'OUT has other bytes than the results'

/** A record of the output: a row, the header, or whatever follows the last row. */
export interface OutputRecord {
  /** Completes "differs in ...". */
  readonly name: string
  readonly row: number | null
  /** The offset of its first byte. */
  readonly start: number
  readonly bytes: Buffer | null
}

/** The first index where two buffers differ, or where the shorter one ends. -1 if they are the same. */
export function firstDifference(a: Buffer, b: Buffer): number {
  if (a.equals(b)) return -1
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i
  return length
}

/** The error if `out` differs from the expected record at this offset, or ends there. */
export async function unlikeExpected(out: ComparedFile, record: OutputRecord, offset: number): Promise<RowmillError> {
  const { place, facts } = await locate(out, record, offset)
  const expected = excerpt(record.bytes!.subarray(windowFrom(record, offset) - record.start), record, offset)
  const found = await excerptOf(out, record, offset)
  const message = `${out.path} differs from the results in the topics, first in ${place}: expected ${expected}, found ${found}`
  return new RowmillError('FILES_DIFFER', message, { ...facts, what: UNLIKE_EXPECTED })
}

/** The error if `out` has more bytes where it must end. */
export async function goesOn(out: ComparedFile, end: OutputRecord): Promise<RowmillError> {
  const { place, facts } = await locate(out, end, end.start)
  const found = await excerptOf(out, end, end.start)
  return new RowmillError('FILES_DIFFER', `${out.path} must end ${place}, but it continues: found ${found}`, {
    ...facts,
    what: UNLIKE_EXPECTED,
  })
}

/** The error if two files differ at this offset, or one ends there. `record` is null if it is unknown. */
export async function unlikeEachOther(
  [out, against]: readonly [ComparedFile, ComparedFile],
  record: OutputRecord | null,
  offset: number,
): Promise<RowmillError> {
  const { place, facts } = await locate(out, record, offset)
  const [here, there] = await Promise.all([excerptOf(out, record, offset), excerptOf(against, record, offset)])
  const where = record && record.bytes === null ? place : `in ${place}`
  const message = `${out.path} and ${against.path} differ first ${where}: ${here} and ${there}`
  return new RowmillError('FILES_DIFFER', message, {
    ...facts,
    against: against.path,
    what: 'OUT is not the file of --against',
  })
}

async function locate(out: ComparedFile, record: OutputRecord | null, offset: number) {
  const line = await out.lineOf(offset)
  const row = record?.row ?? null
  const place = `${record?.name ?? 'a row that is not in the topics'} (line ${line}, byte offset ${offset})`
  return { place, facts: { path: out.path, row, line, offset } }
}

async function excerptOf(file: ComparedFile, record: OutputRecord | null, offset: number): Promise<string> {
  const from = windowFrom(record, offset)
  const bytes = await file.peek(from, offset - from + AFTER_BYTES + 1)
  if (bytes.length <= offset - from) return 'the end of the file'
  // We cannot know where the found row ends. The end of its line is a good guess.
  const lineEnd = bytes.indexOf(10, offset - from)
  return excerpt(lineEnd < 0 ? bytes : bytes.subarray(0, lineEnd + 1), record, offset)
}

function windowFrom(record: OutputRecord | null, offset: number): number {
  return Math.max(record?.start ?? 0, offset - BEFORE_BYTES)
}

/** Shows the bytes around the offset in JSON's quotes. They begin at `windowFrom`. Dots show where they were cut. */
function excerpt(bytes: Buffer, record: OutputRecord | null, offset: number): string {
  const from = windowFrom(record, offset)
  const limit = offset - from + AFTER_BYTES
  let start = 0
  const cutBefore = from > (record?.start ?? 0)
  while (cutBefore && start < 3 && (bytes[start]! & 0xc0) === 0x80) start++ // half a character
  const decoder = new StringDecoder('utf8')
  const cutBehind = bytes.length > limit
  const text = decoder.write(bytes.subarray(start, limit)) + (cutBehind ? '' : decoder.end())
  return `${cutBefore ? '...' : ''}${quote(text)}${cutBehind ? '...' : ''}`
}

/** JSON with escapes for characters that a terminal does not show, such as a byte order mark or a no-break space. */
function quote(text: string): string {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(text).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}]/gu, char =>
    char === ' ' ? char : escaped(char),
  )
}
