import { isAscii, isUtf8 } from 'node:buffer'
import type { PackedRows } from '../../src/index.ts'
import type { CsvDialect } from '../../src/pandas/read-csv.ts'
import { CELL_LIMIT } from './record-reader.ts'
import { isBlank, isBlankInC, type SplitRecords } from './records.ts'

const LF = 10

/** The records found in bytes. `starts` and `consumed` count bytes. `rows` or `packed` has the cells. */
export interface PlainRecords extends SplitRecords {
  readonly packed: PackedRows | null
}

export interface PlainOptions {
  /** Whether nothing follows the bytes. */
  readonly final: boolean
  /** The line in which the bytes begin. */
  readonly line: number
  /** The one cell to make a text of for each record, if it has it. Null: the records are packed. */
  readonly only: number | null
}

/**
 * Finds records in bytes that need no text: valid UTF-8 without quotes, escape characters and carriage returns. The records
 * are those of `splitRecords` (records.ts).
 */
export class PlainSplitter {
  readonly #separator: number
  /** The bytes that need a text: the quote, the escape character, a carriage return. */
  readonly #special: readonly number[]
  readonly #isPossible: boolean
  /** Where the cells of a record end. */
  readonly #ends: number[] = []
  #out: Buffer = Buffer.alloc(0)

  constructor({ separator, quote, escapeChar, skipInitialSpace }: CsvDialect) {
    const special = [quote, escapeChar, '\r'].filter(mark => mark !== null)
    this.#isPossible = !skipInitialSpace && isAscii(Buffer.from([separator, ...special].join('')))
    this.#separator = separator.charCodeAt(0)
    this.#special = special.map(mark => mark.charCodeAt(0))
  }

  /** Null: these bytes need a text, or a record is so long that its cells must be measured. The next call overwrites `packed`. */
  split(bytes: Buffer, options: PlainOptions): PlainRecords | null {
    if (!this.#isPossible || this.#special.some(byte => bytes.includes(byte))) return null
    const ascii = isAscii(bytes)
    if (!ascii && !isUtf8(options.final ? bytes : bytes.subarray(0, bytes.lastIndexOf(LF) + 1))) return null
    return this.#split(bytes, ascii, options)
  }

  #split(bytes: Buffer, ascii: boolean, { final, only, line: firstLine }: PlainOptions): PlainRecords | null {
    const [separator, ends, { length }] = [this.#separator, this.#ends, bytes]
    const text = ascii && only !== null && only >= 0 ? bytes.toString('latin1') : null
    const [rows, widths, starts, lines]: [string[][], number[], number[], number[]] = [[], [], [], []]
    const room = only === null ? 2 * length + 8 : 0 // a record of one character and a line end takes 4 bytes
    if (this.#out.length < room) this.#out = Buffer.allocUnsafeSlow(room)
    let packedEnd = 0
    let keptByC: number | null = null
    let line = firstLine
    let at = 0
    while (at < length) {
      let width = 0
      let end = at
      for (; end < length; end++) {
        const byte = bytes[end]!
        if (byte === separator) ends[width++] = end
        else if (byte === LF) break
      }
      if (end - at > CELL_LIMIT) return null
      if (end === length && !final) break
      ends[width++] = end
      const next = Math.min(end + 1, length)
      if (width === 1 && mayBeBlank(bytes[at]!) && isBlank([bytes.toString('utf8', at, end)])) {
        if (!isBlankInC(bytes.toString('utf8', at, next))) keptByC ??= line
      } else {
        widths.push(width)
        starts.push(at)
        lines.push(line)
        if (only === null) packedEnd = this.#pack(bytes, at, { width, to: packedEnd })
        else if (only < 0 || only >= width) rows.push([])
        else {
          const start = only === 0 ? at : ends[only - 1]! + 1
          rows.push([text?.slice(start, ends[only]) ?? bytes.toString('utf8', start, ends[only])])
        }
      }
      line++
      at = next
    }
    const packed = only === null ? { bytes: this.#out.subarray(0, packedEnd), count: widths.length } : null
    return { rows, packed, widths, starts, lines, consumed: at, line, keptByC }
  }

  /** Writes the record that begins at `from` to byte `to`. Returns where the next one goes. */
  #pack(bytes: Buffer, from: number, { width, to }: { width: number; to: number }): number {
    const [out, ends] = [this.#out, this.#ends]
    let at = from
    to = writeNumber(out, to, width)
    for (let cell = 0; cell < width; cell++) {
      const end = ends[cell]!
      to = writeNumber(out, to, end - at)
      while (at < end) out[to++] = bytes[at++]!
      at++ // the separator
    }
    out[to++] = 0
    return to
  }
}

/** As PackedRows has numbers. Returns where the next byte goes. */
function writeNumber(out: Buffer, to: number, n: number): number {
  let rest = n * 2
  for (; rest > 0x7f; rest >>= 7) out[to++] = (rest & 0x7f) | 0x80
  out[to++] = rest
  return to
}

/** Whether a record that begins with this byte may be white space: a line end, a space, or no ASCII. */
function mayBeBlank(byte: number): boolean {
  return byte <= 0x20 || byte >= 0x80
}
