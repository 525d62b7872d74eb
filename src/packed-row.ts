import { MAX_ITEMS } from './avro-scan.ts'
import type { Values } from './model.ts'

/**
 * The bytes that one row takes in a message, one character for each: so a whole message is joined and written in one
 * go. avsc writes text by text, which takes most of the time of a fast pipeline.
 */
export type PackedRow = string

/** Packs a row, or gives null where a value is no text that UTF-8 can carry, or there are too many: the plain encoder then says which. */
export function packRow(row: Values): PackedRow | null {
  if (row.length === 0) return '\0'
  if (row.length > MAX_ITEMS) return null
  const ascii = isAscii(row)
  let packed = varint(row.length)
  for (const value of row) {
    if (ascii) packed += varint(value.length) + value
    else if (typeof value !== 'string' || !value.isWellFormed()) return null
    else {
      const bytes = Buffer.from(value).toString('latin1')
      packed += varint(bytes.length) + bytes
    }
  }
  return `${packed}\0`
}

/** Avro's array of these rows, in one block. */
export function packArray(rows: readonly PackedRow[]): string {
  return rows.length === 0 ? '\0' : `${varint(rows.length)}${rows.join('')}\0`
}

/**
 * Reads Avro's array of rows that begins at byte `from`; its bytes were checked (avro-scan.ts). One text is made of all
 * of them and cut: a call for each value would take most of the time. A value that is not ASCII is read by itself.
 */
export function unpackArray(bytes: Buffer, from: number): Values[] {
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

function isAscii(row: Values): boolean {
  let all = ''
  for (const value of row) {
    if (typeof value !== 'string') return false
    all += value
  }
  return Buffer.byteLength(all) === all.length
}

/** A number of at least 0 as Avro writes it: zigzag, then seven bits a byte, the lowest first. */
function varint(n: number): string {
  if (n < 64) return String.fromCharCode(n * 2)
  if (n < 8192) return String.fromCharCode(((n * 2) & 0x7f) | 0x80, n >> 6)
  let bytes = ''
  let rest = n * 2
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes += String.fromCharCode((rest & 0x7f) | 0x80)
  return bytes + String.fromCharCode(rest)
}
