/**
 * Reads results without making texts of their cells. A collector hands the bytes of the cells on to the output, and most
 * cells look there as they look in the message.
 */
import type { PackedRows } from '../connector.ts'
import { type ResultSlice, startOf } from '../core/result-slice.ts'
import { RowmillError } from '../errors.ts'
import type { Result, Values } from '../model.ts'
import { freePart } from '../support/free-bytes.ts'
import { AvroCursor, compileSkip, MAX_ITEMS, type Skip } from './avro-scan.ts'
import { decode, MAX_MESSAGE_BYTES, malformed } from './codec.ts'
import { type Format, formats, HEADER_BYTES, type SchemaName, schemaOf } from './formats.ts'
import { PackedCursor } from './packed-cursor.ts'
import { unpackRows } from './packed-rows.ts'
import type { WireRecord } from './record.ts'
import { resultHeadFlaw } from './record-flaws.ts'

/**
 * The rows of results that were read as bytes. It goes by the object: a copy of a result may have other rows, so it has no
 * bytes here.
 */
const packed = new WeakMap<Result, RowsOfMessage>()

/**
 * As `decode` (codec.ts), but it makes no texts of the cells of a result. `rows` makes them when it is first read. They share
 * memory with `bytes`. Throws what `decode` throws.
 */
export function decodePacked(bytes: Uint8Array | null): WireRecord {
  if (bytes === null || bytes.length > MAX_MESSAGE_BYTES) return decode(bytes)
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const header = buffer.subarray(0, HEADER_BYTES)
  const reader = resultReaders().find(({ format }) => format.header.equals(header))
  const result = reader && readResult(buffer, reader)
  // Either it is no result, or `decode` says what is wrong with it, or another program wrote it in another way.
  return result ? { kind: 'result', value: result } : decode(bytes)
}

/**
 * The output rows of a slice as they are in the message. Null: the result was not read by `decodePacked`, or another program
 * wrote its rows in several blocks.
 */
export function packedRowsOf({ result, index, count }: ResultSlice): PackedRows | null {
  return packed.get(result)?.part(startOf(result, index), startOf(result, index + count)) ?? null
}

/** Says that nobody reads the rows of a result again: its part of the memory of its message is free. */
export function freeRows(result: Result): void {
  packed.get(result)?.free()
  packed.delete(result)
}

interface ResultFormat {
  readonly format: Format
  readonly skipHead: Skip
}

let lazyReaders: readonly ResultFormat[] | null = null

function resultReaders(): readonly ResultFormat[] {
  lazyReaders ??= (['result', 'resultWithOutputs'] as const).map((name: SchemaName) => {
    const { type, fields } = schemaOf(name)
    const head = fields.filter(({ name: field }: { name: string }) => field !== 'rows')
    return { format: formats()[name], skipHead: compileSkip({ type, fields: head }) }
  })
  return lazyReaders
}

/** Null: the message is malformed, or its rows are in several blocks. */
function readResult(bytes: Buffer, { format, skipHead }: ResultFormat): Result | null {
  const cursor = new AvroCursor(bytes, { record: format.name, from: HEADER_BYTES, error: malformed })
  try {
    skipHead(cursor)
  } catch {
    return null
  }
  const { classifier, outputs = null, rejected, ...head } = format.headType!.decode(bytes, HEADER_BYTES).value
  const rows = RowsOfMessage.read(bytes, cursor.pos, head.columns.length)
  if (rows === null) return null
  const result: Result = {
    ...head,
    classifier: new Uint8Array(classifier),
    rejected: rejected.map((reject: object) => ({ ...reject })),
    outputs,
    get rows() {
      return rows.values
    },
  }
  if (resultHeadFlaw(result, rows.count) !== null) return null
  packed.set(result, rows)
  return result
}

/** The rows of a message, in one block, which begins at byte `from`. */
class RowsOfMessage {
  readonly count: number
  readonly #bytes: Buffer
  readonly #from: number
  readonly #first: number
  /** Where the row of this number begins. Slices come in order, so the next one begins here. */
  #row = 0
  #at: number
  #values: readonly Values[] | null = null
  #isFree = false

  private constructor(bytes: Buffer, { from, first, count }: { from: number; first: number; count: number }) {
    this.#bytes = bytes
    this.#from = from
    this.#first = first
    this.#at = first
    this.count = count
  }

  /** Null unless they are one block of rows of `width` cells in UTF-8, and the last bytes of the message. */
  static read(bytes: Buffer, from: number, width: number): RowsOfMessage | null {
    const cursor = new PackedCursor(bytes, from)
    const count = cursor.next()
    if (count === 0) return cursor.at === bytes.length ? new RowsOfMessage(bytes, { from, first: from, count }) : null
    const first = cursor.at
    if (!(count <= MAX_ITEMS && width > 0)) return null
    for (let row = 0; row < count; row++) {
      if (cursor.next() !== width) return null
      for (let cell = 0; cell < width; cell++) if (!cursor.passText()) return null
      if (cursor.next() !== 0) return null
    }
    const isWhole = cursor.next() === 0 && cursor.at === bytes.length
    return isWhole ? new RowsOfMessage(bytes, { from, first, count }) : null
  }

  get values(): readonly Values[] {
    if (this.#isFree) throw new RowmillError('INTERNAL', 'the rows of a result were read after they were freed.')
    this.#values ??= unpackRows(this.#bytes, this.#from)
    return this.#values
  }

  free(): void {
    this.#isFree = true
    freePart(this.#bytes)
  }

  /** The rows from `start` up to `end`, which is not among them. */
  part(start: number, end: number): PackedRows {
    if (start < this.#row) {
      this.#row = 0
      this.#at = this.#first
    }
    this.#pass(start)
    const from = this.#at
    this.#pass(end)
    return { bytes: this.#bytes.subarray(from, this.#at), count: end - start }
  }

  #pass(row: number): void {
    if (row === this.count) this.#at = this.#bytes.length - 1
    else {
      const cursor = new PackedCursor(this.#bytes, this.#at)
      for (; this.#row < row; this.#row++) {
        for (let cells = cursor.next(); cells > 0; cells--) cursor.jump()
        cursor.next()
      }
      this.#at = cursor.at
    }
    this.#row = row
  }
}
