import { isAscii, isUtf8 } from 'node:buffer'
import { RowmillError } from '../../src/errors.ts'
import type { PackedRows } from '../../src/index.ts'
import type { CsvDialect } from '../../src/pandas/read-csv.ts'
import { PlainSplitter } from './plain-records.ts'
import { splitRecords } from './records.ts'
import { RestOfBytes } from './rest-of-bytes.ts'

/** Records, and the byte at which each begins. The arrays have the same length, but `rows` is empty if they are packed. */
export interface DecodedRecords {
  readonly rows: string[][]
  readonly packed: PackedRows | null
  readonly widths: number[]
  readonly lines: number[]
  readonly bytes: number[]
  /** As in SplitRecords. */
  readonly keptByC: number | null
}

export const NO_RECORDS: DecodedRecords = { rows: [], packed: null, widths: [], lines: [], bytes: [], keptByC: null }

/** Where in a file the bytes begin, and what to leave out there. */
export interface DecoderStart {
  /** A record begins here, or the lines to skip do. */
  readonly byte: number
  readonly line: number
  /** Lines to leave out first. */
  readonly skipLines?: number
  /** Whether to remove one byte order mark, as Python's utf-8-sig does. */
  readonly signature?: boolean
  /** The one cell to keep of each record. Null: all. */
  readonly only?: number | null
}

/** Turns pieces of bytes of any length into records. It reads nothing itself, and keeps at most one record. */
export class RecordDecoder {
  readonly #dialect: CsvDialect
  readonly #name: string
  readonly #only: number | null
  readonly #plain: PlainSplitter
  readonly #rest = new RestOfBytes()
  #line: number
  #byte: number
  #head: number
  #skipLines: number
  #signature: boolean
  /** The bytes at hand as text, and whether they are ASCII. */
  #text = ''
  #ascii = true
  /** What is wrong with the bytes after #text. */
  #broken: RowmillError | null = null

  constructor(dialect: CsvDialect, name: string, start: DecoderStart) {
    const { byte, line, skipLines = 0, signature = false, only = null } = start
    this.#dialect = dialect
    this.#name = name
    this.#plain = new PlainSplitter(dialect)
    this.#byte = byte
    this.#head = byte
    this.#line = line
    this.#skipLines = skipLines
    this.#signature = signature
    this.#only = only
  }

  /** The first byte after the mark that `signature` removed. */
  get head(): number {
    return this.#head
  }

  /**
   * Takes the next piece. `final` says that none follows. If `packs`, the records may come packed, in bytes that the next call
   * overwrites. Throws what splitRecords throws, and INPUT_ENCODING. If records come before the fault, they are returned
   * first, and the next call throws. So the first fault in the file is the one that is reported, however the bytes are cut.
   */
  push(piece: Uint8Array, final: boolean, packs = false): DecodedRecords {
    const bytes = this.#rest.join(piece)
    const from = this.#byte
    const records = (packs || this.#only !== null ? this.#splitPlain(bytes, final) : null) ?? this.#decode(bytes, final)
    this.#rest.keep(this.#byte - from)
    return records
  }

  /** Null: the bytes need a text. */
  #splitPlain(bytes: Buffer, final: boolean): DecodedRecords | null {
    if (this.#signature || this.#skipLines > 0) return null
    const records = this.#plain.split(bytes, { final, line: this.#line, only: this.#only })
    if (records === null) return null
    const { rows, packed, widths, lines, starts, keptByC } = records
    this.#addBase(starts)
    this.#byte += records.consumed
    this.#line = records.line
    return { rows, packed, widths, lines, bytes: starts, keptByC }
  }

  #decode(bytes: Buffer, final: boolean): DecodedRecords {
    this.#toText(bytes, final)
    const last = final && this.#broken === null
    const records = this.#skipHead(last) ? this.#split(last) : NO_RECORDS
    if (this.#broken !== null && (final || records.rows.length === 0)) throw this.#broken
    return records
  }

  #split(final: boolean): DecodedRecords {
    const text = this.#text
    const options = { dialect: this.#dialect, final, line: this.#line, name: this.#name, only: this.#only }
    const records = splitRecords(text, options)
    const bytes = this.#ascii ? records.starts : byteOffsets(text, records.starts)
    this.#addBase(bytes)
    this.#drop(records.consumed)
    this.#line = records.line
    const { rows, widths, lines, keptByC } = records
    return { rows, packed: null, widths, lines, bytes, keptByC }
  }

  /** Makes places in the file of places in the bytes at hand. */
  #addBase(places: number[]): void {
    const base = this.#byte
    if (base > 0) for (let index = 0; index < places.length; index++) places[index]! += base
  }

  #drop(count: number): void {
    this.#byte += this.#ascii ? count : Buffer.byteLength(this.#text.slice(0, count))
    this.#text = this.#text.slice(count)
  }

  /** Whether the first record to read has been reached. */
  #skipHead(final: boolean): boolean {
    if (this.#signature && this.#text !== '') {
      this.#signature = false
      if (this.#text[0] === '\ufeff') this.#drop(1)
      this.#head = this.#byte
    }
    while (this.#skipLines > 0) {
      const end = /\r\n|\r|\n/.exec(this.#text)
      const past = end === null ? 0 : end.index + end[0].length
      if (!final && (past === 0 || (end?.[0] === '\r' && past === this.#text.length))) return false
      this.#drop(past || this.#text.length)
      this.#skipLines--
      this.#line++
    }
    return true
  }

  #toText(bytes: Buffer, final: boolean): void {
    this.#broken = null
    this.#ascii = isAscii(bytes)
    if (this.#ascii) {
      this.#text = bytes.toString('latin1')
      return
    }
    const valid = final ? bytes : bytes.subarray(0, wholeCharacters(bytes))
    if (isUtf8(valid)) this.#text = valid.toString('utf8')
    else this.#break(bytes)
  }

  /** Takes the characters before the first wrong byte. */
  #break(joined: Buffer): void {
    let good = 0
    for (let size = joined.length; size > 0; size = Math.floor(size / 2)) {
      while (good + size <= joined.length && isPrefix(joined.subarray(0, good + size))) good += size
    }
    good = wholeCharacters(joined.subarray(0, good))
    this.#text = joined.toString('utf8', 0, good)
    const byte = this.#byte + Buffer.byteLength(this.#text)
    const line = this.#line + countLineEnds(this.#text)
    this.#broken = new RowmillError(
      'INPUT_ENCODING',
      `${this.#name}: byte ${byte} (from 0), in line ${line}, is not valid UTF-8. Convert the input to UTF-8.`,
      { byte, line },
    )
  }
}

function byteOffsets(text: string, starts: readonly number[]): number[] {
  let last = 0
  let bytes = 0
  return starts.map(start => {
    bytes += Buffer.byteLength(text.slice(last, start))
    last = start
    return bytes
  })
}

/** How many of the bytes are whole characters. The last character may be cut. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!
    if (byte < 0x80) break
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return needed > back ? bytes.length - back : bytes.length
    }
  }
  return bytes.length
}

function isPrefix(bytes: Uint8Array): boolean {
  return isUtf8(bytes.subarray(0, wholeCharacters(bytes)))
}

function countLineEnds(text: string): number {
  return text.match(/\r\n|\r|\n/g)?.length ?? 0
}
