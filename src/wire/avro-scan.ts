/**
 * Checks an Avro body before avsc makes values of it. avsc trusts the bytes: a count of four bytes makes it build 25
 * million empty items, in a second and a gigabyte, before it notices that they are missing. It also accepts text that
 * is not UTF-8, booleans above 1, infinite doubles, and blocks with a wrong size.
 */
import { isUtf8 } from 'node:buffer'
import type { ErrorFacts, RowmillError } from '../errors.ts'

/** How many items one array may have: rows of a message, values of a row, columns. */
export const MAX_ITEMS = 1_048_576
/** 2^53 - 2, the largest long that avsc accepts. */
export const MAX_LONG = 9_007_199_254_740_990

/** Skips one value, or refuses it. */
export type Skip = (cursor: AvroCursor) => void

/** The part of an Avro schema that rowmill's records use. */
export type Schema =
  | 'null'
  | 'boolean'
  | 'long'
  | 'double'
  | 'string'
  | 'bytes'
  | readonly Schema[]
  | { readonly type: 'array'; readonly items: Schema }
  | { readonly type: 'enum'; readonly symbols: readonly string[] }
  | { readonly type: 'fixed'; readonly size: number }
  | { readonly type: 'record'; readonly fields: readonly { readonly name: string; readonly type: Schema }[] }

interface Scanned {
  /** The name of the record in an error. */
  readonly record: string
  /** Where the body begins in `bytes`. */
  readonly from: number
  /** Makes the error. */
  error(what: string, facts: ErrorFacts): RowmillError
}

/**
 * Checks the one value that `bytes` holds after `from`. Throws the error for the first flaw, with the field and the
 * byte: it is cut off, too long, or not what the schema says.
 */
export function scan(skip: Skip, bytes: Buffer, scanned: Scanned): void {
  const cursor = new AvroCursor(bytes, scanned)
  skip(cursor)
  if (cursor.left > 0) cursor.refuse(`${cursor.left} bytes too many`)
}

/** A cursor in the bytes of one record. */
export class AvroCursor {
  readonly bytes: Buffer
  readonly #scanned: Scanned
  pos: number
  field = ''

  constructor(bytes: Buffer, scanned: Scanned) {
    this.bytes = bytes
    this.#scanned = scanned
    this.pos = scanned.from
  }

  get left(): number {
    return this.bytes.length - this.pos
  }

  refuse(what: string): never {
    const { record, error } = this.#scanned
    const where = `${record}${this.field && `, field ${this.field}`}, byte ${this.pos} of ${this.bytes.length}`
    throw error(`${where}: ${what}`, { record, field: this.field || null, byte: this.pos })
  }

  /** A zigzag varint. The sign is in the first bit read, so that the magnitude is exact below 2^53. */
  signed(): number {
    const first = this.byte()
    let magnitude = (first & 0x7f) >> 1
    let scale = 64
    for (let last = first, size = 1; last & 0x80; scale *= 128, size++) {
      if (size === 10) this.refuse('a number of more than 10 bytes')
      last = this.byte()
      magnitude += (last & 0x7f) * scale
    }
    if (magnitude > MAX_LONG) this.refuse(`a number beyond ${MAX_LONG}`)
    return first & 1 ? -magnitude - 1 : magnitude
  }

  unsigned(): number {
    const n = this.signed()
    if (n < 0) this.refuse(`the negative number ${n}`)
    return n
  }

  byte(): number {
    if (this.pos >= this.bytes.length) this.refuse('the message is cut off')
    return this.bytes[this.pos++]!
  }

  jump(size: number): void {
    if (size > this.left) this.refuse(`${size} bytes are claimed, ${this.left} are left`)
    this.pos += size
  }
}

/** A function that skips a value of `schema`: compiled once, used for every message. */
export function compileSkip(schema: Schema): Skip {
  if (typeof schema === 'string') return PRIMITIVES[schema]
  if (!('type' in schema)) return skipUnion(schema.map(compileSkip))
  switch (schema.type) {
    case 'array':
      return skipArray(compileSkip(schema.items))
    case 'enum':
      return skipUnion(schema.symbols.map(() => () => {}))
    case 'fixed':
      return cursor => cursor.jump(schema.size)
    case 'record':
      return skipRecord(schema.fields.map(({ name, type }) => ({ name, skip: compileSkip(type) })))
  }
}

const PRIMITIVES: Readonly<Record<Extract<Schema, string>, Skip>> = {
  null: () => {},
  boolean: cursor => {
    const byte = cursor.byte()
    if (byte > 1) cursor.refuse(`${byte} as a boolean`)
  },
  long: cursor => void cursor.unsigned(),
  double: cursor => {
    const at = cursor.pos
    cursor.jump(8)
    if (!Number.isFinite(cursor.bytes.readDoubleLE(at))) cursor.refuse('a double that is no finite number')
  },
  string: skipString,
  bytes: cursor => cursor.jump(cursor.unsigned()),
}

/**
 * Each string is checked alone. In a check of the whole body, a string that ends in the middle of a character would
 * borrow its last byte from the length that follows. And most lengths from 64 on would be refused.
 */
function skipString(cursor: AvroCursor): void {
  const length = cursor.unsigned()
  const start = cursor.pos
  cursor.jump(length)
  const { bytes, pos: end } = cursor
  let bits = 0
  for (let i = start; i < end; i++) bits |= bytes[i]!
  if (bits & 0x80 && !isUtf8(bytes.subarray(start, end))) cursor.refuse('text that is not UTF-8')
}

/** One of several: the branch of a union, or the symbol of an enum, which has no value. */
function skipUnion(branches: readonly Skip[]): Skip {
  return cursor => {
    const index = cursor.unsigned()
    const branch = branches[index]
    if (branch === undefined) cursor.refuse(`choice ${index} of ${branches.length}`)
    else branch(cursor)
  }
}

function skipRecord(fields: readonly { readonly name: string; readonly skip: Skip }[]): Skip {
  return cursor => {
    const outer = cursor.field
    for (const { name, skip } of fields) {
      cursor.field = name
      skip(cursor)
    }
    cursor.field = outer
  }
}

function skipArray(item: Skip): Skip {
  return cursor => void skipItems(cursor, item)
}

/** Skips blocks of items up to an empty block, and counts the items. After a negative count comes the block's size. */
export function skipItems(cursor: AvroCursor, item: Skip): number {
  for (let total = 0; ; ) {
    const signed = cursor.signed()
    if (signed === 0) return total
    const count = Math.abs(signed)
    const size = signed < 0 ? cursor.unsigned() : null
    const start = cursor.pos
    if (count > cursor.left) cursor.refuse(`${count} items are claimed, ${cursor.left} bytes are left`)
    total += count
    if (total > MAX_ITEMS) cursor.refuse(`more than ${MAX_ITEMS} items`)
    for (let i = 0; i < count; i++) item(cursor)
    if (size !== null && size !== cursor.pos - start) {
      cursor.refuse(`a block of ${cursor.pos - start} bytes that claims ${size}`)
    }
  }
}
