/**
 * Writes the rows of a message at once: appends all values to one text, with a character for each byte, and writes that.
 * avsc writes value by value, which takes most of the time of a fast pipeline.
 */

import type { PackedRows } from '../connector.ts'
import type { Values } from '../model.ts'
import { MAX_ITEMS } from './avro-scan.ts'

/** The most bytes for a character of a string in UTF-8, and for a count or length in Avro. */
const [UTF8_BYTES, NUMBER_BYTES] = [3, 5]

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

/** At least as many bytes as the rows take in a message, and quick to count. NaN: a value is no text. */
export function mostBytes(rows: readonly Values[]): number {
  let [cells, characters] = [0, 0]
  for (const row of rows) {
    cells += row.length
    for (const value of row) characters += typeof value === 'string' ? value.length : Number.NaN
  }
  return characters * UTF8_BYTES + (cells + 2 * rows.length) * NUMBER_BYTES
}

/**
 * Avro's array of these rows in one block, a character for each byte. Null: a value is no text that UTF-8 can carry, or
 * there are too many. The plain encoder then tells which.
 */
export function packRows(rows: readonly Values[]): string | null {
  if (rows.length > MAX_ITEMS) return null
  const packed = pack(rows)
  return packed === null ? null : `${rows.length > 0 ? varint(rows.length) : ''}${packed}\0`
}

/** The rows as bytes. Null: a value is no text that UTF-8 can carry, or a row has too many. */
export function packedRows(rows: readonly Values[]): PackedRows | null {
  const packed = pack(rows)
  return packed === null ? null : { bytes: Buffer.from(packed, 'latin1'), count: rows.length }
}

/** A number >= 0 in Avro's encoding. */
export function packedNumber(n: number): Buffer {
  return Buffer.from(varint(n), 'latin1')
}

/** The rows of `PackedRows`, a character for each byte, or null. */
function pack(rows: readonly Values[]): string | null {
  const packed = join(rows, value => value)
  // In UTF-8 each character beyond ASCII takes more bytes. These may only be the bytes of numbers, which take two there.
  if (packed === null || Buffer.byteLength(packed.text) === packed.text.length + packed.marks)
    return packed?.text ?? null
  if (!rows.every(row => row.every(value => value.isWellFormed()))) return null
  return join(rows, value => Buffer.from(value).toString('latin1'))!.text
}

/** `marks` is how many bytes of numbers are beyond ASCII. Appending is fast, since V8 copies all pieces at once in the end. */
function join(rows: readonly Values[], bytesOf: (value: string) => string): { text: string; marks: number } | null {
  let text = ''
  let marks = 0
  for (const row of rows) {
    if (row.length > MAX_ITEMS) return null
    if (row.length > 0) {
      const count = varint(row.length)
      marks += count.length - 1
      text += count
    }
    for (const value of row) {
      if (typeof value !== 'string') return null
      const packed = bytesOf(value)
      const length = varint(packed.length)
      marks += length.length - 1
      text += length
      text += packed
    }
    text += '\0'
  }
  return { text, marks }
}

/** The bytes of the numbers that came before: finding them costs less than making them. */
const varints: (string | undefined)[] = new Array(8192)

function varint(n: number): string {
  const known = varints[n]
  if (known !== undefined) return known
  const made = newVarint(n)
  if (n < varints.length) varints[n] = made
  return made
}

/** A number >= 0 as Avro writes it: zigzag, then seven bits a byte, the lowest first. */
function newVarint(n: number): string {
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
