import { isAscii, isUtf8 } from 'node:buffer'
import { RowmillError } from '../../src/index.ts'
import type { CsvDialect } from '../../src/pandas/read-csv.ts'
import { splitRecords } from './records.ts'

/** Records, and the byte at which each begins. The four arrays have the same length. */
export interface DecodedRecords {
  readonly rows: string[][]
  readonly widths: number[]
  readonly lines: number[]
  readonly bytes: number[]
  /** As in SplitRecords. */
  readonly keptByC: number | null
}

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
  #line: number
  #byte: number
  #head: number
  #skipLines: number
  #signature: boolean
  #text = ''
  #ascii = true
  /** The bytes of a character that ends in the next piece. */
  #tail: Uint8Array = new Uint8Array(0)
  /** What is wrong with the bytes after #text. */
  #broken: RowmillError | null = null

  constructor(dialect: CsvDialect, name: string, start: DecoderStart) {
    const { byte, line, skipLines = 0, signature = false, only = null } = start
    this.#dialect = dialect
    this.#name = name
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
   * Takes the next piece. `final` says that none follows. Throws what splitRecords throws, and INPUT_ENCODING. If records
   * come before the fault, they are returned first, and the next call throws. So the first fault in the file is the one
   * that is reported, however the bytes are cut.
   */
  push(piece: Uint8Array, final: boolean): DecodedRecords {
    if (this.#broken === null) this.#append(piece, final)
    const last = final && this.#broken === null
    const records = this.#skipHead(last)
      ? this.#split(last)
      : { rows: [], widths: [], lines: [], bytes: [], keptByC: null }
    if (this.#broken !== null && (final || records.rows.length === 0)) throw this.#broken
    return records
  }

  #split(final: boolean): DecodedRecords {
    const text = this.#text
    const options = { dialect: this.#dialect, final, line: this.#line, name: this.#name, only: this.#only }
    const records = splitRecords(text, options)
    const bytes = this.#ascii ? records.starts : byteOffsets(text, records.starts)
    const base = this.#byte
    if (base > 0) for (let index = 0; index < bytes.length; index++) bytes[index]! += base
    this.#drop(records.consumed)
    this.#line = records.line
    return { rows: records.rows, widths: records.widths, lines: records.lines, bytes, keptByC: records.keptByC }
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

  #append(piece: Uint8Array, final: boolean): void {
    const joined = this.#tail.length > 0 ? Buffer.concat([this.#tail, piece]) : asBuffer(piece)
    if (this.#text === '') this.#ascii = true
    if (isAscii(joined)) {
      this.#tail = new Uint8Array(0)
      this.#text += joined.toString('latin1')
      return
    }
    const whole = final ? joined.length : wholeCharacters(joined)
    const valid = joined.subarray(0, whole)
    if (!isUtf8(valid)) {
      this.#break(joined)
      return
    }
    this.#tail = Uint8Array.prototype.slice.call(joined, whole)
    this.#text += valid.toString('utf8')
    this.#ascii = false
  }

  /** Takes the characters before the first wrong byte. */
  #break(joined: Buffer): void {
    let good = 0
    for (let size = joined.length; size > 0; size = Math.floor(size / 2)) {
      while (good + size <= joined.length && isPrefix(joined.subarray(0, good + size))) good += size
    }
    good = wholeCharacters(joined.subarray(0, good))
    this.#text += joined.toString('utf8', 0, good)
    this.#ascii = false
    const byte = this.#byte + Buffer.byteLength(this.#text)
    const line = this.#line + countLineEnds(this.#text)
    this.#broken = new RowmillError(
      'INPUT_ENCODING',
      `${this.#name}: byte ${byte} (from 0), in line ${line}, is not valid UTF-8. Convert the input to UTF-8.`,
      { byte, line },
    )
  }
}

function asBuffer(piece: Uint8Array): Buffer {
  return Buffer.isBuffer(piece) ? piece : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
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
