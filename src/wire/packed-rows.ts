/**
 * Writes the rows of a message at once: joins all values to one text, with a character for each byte, and writes that.
 * avsc writes value by value, which takes most of the time of a fast pipeline.
 */

import type { Values } from '../model.ts'
import { MAX_ITEMS } from './avro-scan.ts'

/** The bytes that a row takes in a message. NaN: a value is no text. */
export function rowBytes(row: Values): number {
  if (row.length === 0) return 1
  if (row.length > MAX_ITEMS) return Number.NaN
  let bytes = varint(row.length).length + 1
  for (const value of row) {
    if (typeof value !== 'string') return Number.NaN
    const length = Buffer.byteLength(value)
    bytes += length + (length < 64 ? 1 : length < 8192 ? 2 : varint(length).length)
  }
  return bytes
}

/**
 * Avro's array of these rows in one block, a character for each byte. `bytes` is the sum of `rowBytes`. Null: a value
 * is no text that UTF-8 can carry. The plain encoder then tells which.
 */
export function packRows(rows: readonly Values[], bytes: number): string | null {
  if (rows.length === 0) return '\0'
  if (Number.isNaN(bytes) || rows.length > MAX_ITEMS) return null
  const text = join(rows, value => value)
  // As many characters as bytes: everything is ASCII.
  if (text.length === bytes) return `${varint(rows.length)}${text}\0`
  if (!rows.every(row => row.every(value => value.isWellFormed()))) return null
  return `${varint(rows.length)}${join(rows, value => Buffer.from(value).toString('latin1'))}\0`
}

function join(rows: readonly Values[], bytesOf: (value: string) => string): string {
  const pieces: string[] = []
  for (const row of rows) {
    if (row.length > 0) pieces.push(varint(row.length))
    for (const value of row) {
      const packed = bytesOf(value)
      pieces.push(varint(packed.length), packed)
    }
    pieces.push('\0')
  }
  return pieces.join('')
}

const VARINTS = Array.from({ length: 8192 }, (_, n) =>
  n < 64 ? String.fromCharCode(n * 2) : String.fromCharCode(((n * 2) & 0x7f) | 0x80, n >> 6),
)

/** A number >= 0 as Avro writes it: zigzag, then seven bits a byte, the lowest first. */
function varint(n: number): string {
  if (n < VARINTS.length) return VARINTS[n]!
  let bytes = ''
  let rest = n * 2
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes += String.fromCharCode((rest & 0x7f) | 0x80)
  return bytes + String.fromCharCode(rest)
}

/**
 * Reads Avro's array of rows that begins at byte `from`. Its bytes were checked before (avro-scan.ts). Makes one text
 * of all bytes and cuts it: a call for each value would take most of the time. Values that are not ASCII are read one
 * by one.
 */
export function unpackRows(bytes: Buffer, from: number): Values[] {
  const text = bytes.toString('latin1', from)
  let at = from
  const number = (): number => {
    const first = bytes[at++]!
    let magnitude = (first & 0x7f) >> 1
    for (let scale = 64, last = first; last & 0x80; scale *= 128) {
      last = bytes[at++]!
      magnitude += (last & 0x7f) * scale
    }
    return first & 1 ? -magnitude - 1 : magnitude
  }
  const value = (): string => {
    const length = number()
    const start = at
    at += length
    let bits = 0
    for (let i = start; i < at; i++) bits |= bytes[i]!
    return bits & 0x80 ? bytes.toString('utf8', start, at) : text.substring(start - from, at - from)
  }
  const array = <T>(item: () => T): T[] => {
    const items: T[] = []
    for (let count = number(); count !== 0; count = number()) {
      if (count < 0) number() // the size of the block in bytes
      for (let i = Math.abs(count); i > 0; i--) items.push(item())
    }
    return items
  }
  return array(() => array(value))
}
