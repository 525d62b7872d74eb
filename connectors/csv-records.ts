import { isAscii, isUtf8 } from 'node:buffer'
import { RowmillError } from '../src/errors.ts'

/** How one file writes cells and records: the keyword arguments of read_csv that act on characters. */
export interface CsvDialect {
  /** One UTF-16 unit, neither a line end nor the quote. */
  readonly separator: string
  /** The quote, or null where quotes have no meaning (csv.QUOTE_NONE). */
  readonly quote: string | null
  /** Whether two quotes inside a quoted cell stand for one. */
  readonly doubleQuote: boolean
  readonly escapeChar: string | null
  readonly skipInitialSpace: boolean
}

export const PLAIN_DIALECT: CsvDialect = {
  separator: ',',
  quote: '"',
  doubleQuote: true,
  escapeChar: null,
  skipInitialSpace: false,
}

/** Code points in one cell that Python's csv module takes (csv.field_size_limit()). */
export const CELL_LIMIT = 131_072
/** UTF-8 bytes of one record that fit a message of 16 MB with room for the envelope. */
export const ROW_LIMIT_BYTES = 15 * 1024 * 1024

const LF = 10
const CR = 13

/** Behind the end of any text, and small enough for V8 to keep it as a plain integer. */
const NONE = 0x3fff_ffff

/** The records found in one piece of text. The four arrays have the same length. */
export interface RecordRun {
  readonly rows: string[][]
  /** Cells in each record, also where `only` left them out. */
  readonly widths: number[]
  /** Where each record begins, in UTF-16 units of the text. */
  readonly starts: number[]
  /** The line in which each record begins, from 1. */
  readonly lines: number[]
  /** Units of the text that are done with: the rest begins a record whose end is not there yet. */
  readonly consumed: number
  /** The line in which that rest begins. */
  readonly line: number
}

export interface SplitOptions {
  readonly dialect: CsvDialect
  /** Whether nothing follows the text. */
  readonly final: boolean
  /** The line in which the text begins. */
  readonly line: number
  /** The file, for messages. */
  readonly name: string
  /** The one cell to keep of each record (none where it has no such cell); null: all. */
  readonly only?: number | null
}

/**
 * The records of `text`, which begins where a record begins, as Python 3.11's csv.reader(strict=True) sees them in a
 * file opened with newline='', without the records pandas drops as blank: no cell, or one cell of white space.
 * Lines end with \n, \r\n or \r. Throws INPUT_QUOTE, INPUT_CELL_TOO_LARGE and INPUT_ROW_TOO_LARGE, with the line.
 */
export function splitRecords(text: string, options: SplitOptions): RecordRun {
  const { dialect, final, only = null } = options
  const { separator, quote, escapeChar } = dialect
  const run = { rows: [] as string[][], widths: [] as number[], starts: [] as number[], lines: [] as number[] }
  const length = text.length
  let line = options.line
  let position = 0
  // Where the next of each stands at or behind `position`; a search is repeated only when it has been passed.
  let feed = -1
  let carriage = -1
  let special = -1
  let comma = -1
  while (position < length) {
    if (feed < position) feed = indexOrNone(text, '\n', position)
    if (carriage < position) carriage = indexOrNone(text, '\r', position)
    if (special < position) special = nextSpecial(text, position, quote, escapeChar)
    let end = Math.min(feed, carriage)
    let next: number
    let row: string[]
    let width = 1
    let lineEnds = 1
    if (special < end || dialect.skipInitialSpace || end - position > CELL_LIMIT) {
      const reader = new RecordReader(text, position, end, { ...options, line })
      const record = reader.read()
      if (record === null) break
      row = only === null ? record.cells : record.cells.slice(only, only + 1)
      width = isBlank(record.cells) ? 0 : record.cells.length
      next = record.next
      lineEnds = reader.line - line
    } else {
      if (end === NONE) {
        if (!final) break
        end = length
      }
      next = end + 1
      if (end === carriage) {
        if (next === length && !final) break
        if (feed === next) next++
      }
      row = []
      let from = position
      if (comma < position) comma = indexOrNone(text, separator, position)
      while (comma < end) {
        if (only === null || only === width - 1) row.push(text.slice(from, comma))
        width++
        from = comma + 1
        comma = indexOrNone(text, separator, from)
      }
      if (only === null || only === width - 1) row.push(text.slice(from, end))
      if (width === 1 && BLANK.test(text.slice(position, end))) width = 0
    }
    if (width > 0) {
      run.rows.push(row)
      run.widths.push(width)
      run.starts.push(position)
      run.lines.push(line)
    }
    line += lineEnds
    position = Math.min(next, length)
  }
  return { ...run, consumed: position, line }
}

function indexOrNone(text: string, what: string, from: number): number {
  const index = text.indexOf(what, from)
  return index === -1 ? NONE : index
}

function nextSpecial(text: string, from: number, quote: string | null, escapeChar: string | null): number {
  const quoteAt = quote === null ? NONE : indexOrNone(text, quote, from)
  return escapeChar === null ? quoteAt : Math.min(quoteAt, indexOrNone(text, escapeChar, from))
}

/** What Python's str.strip() takes for white space; String.trim() differs in \x1c-\x1f, \x85 and \ufeff. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python counts these four as white space
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/

function isBlank(cells: readonly string[]): boolean {
  return cells.length === 1 && BLANK.test(cells[0]!)
}

/**
 * Reads one record by the rules of CPython 3.11's Modules/_csv.c with strict=True, character by character: for records
 * that hold quotes or escapes, and for those whose size is in doubt.
 */
class RecordReader {
  readonly #text: string
  readonly #options: SplitOptions
  readonly #start: number
  /** The first line end at or behind #start: up to there the reader may jump. */
  readonly #lineEnd: number
  readonly #separator: number
  /** -1: there is none. */
  readonly #quote: number
  readonly #escapeChar: number
  #index: number
  /** The cell so far: what was copied, and the text from #copied on. */
  #cell = ''
  #copied: number
  #cellLine: number
  /** Why the cell cannot end where the text ends. */
  #open: 'quote' | 'escape' | null = null
  /** The line the reader has come to. */
  line: number

  constructor(text: string, start: number, lineEnd: number, options: SplitOptions) {
    this.#text = text
    this.#options = options
    const { separator, quote, escapeChar } = options.dialect
    this.#separator = separator.charCodeAt(0)
    this.#quote = quote === null ? -1 : quote.charCodeAt(0)
    this.#escapeChar = escapeChar === null ? -1 : escapeChar.charCodeAt(0)
    this.#start = start
    this.#lineEnd = lineEnd
    this.#index = start
    this.#copied = start
    this.#cellLine = options.line
    this.line = options.line
  }

  /** The cells and where the next record begins; null where the text ends first and more may follow. */
  read(): { readonly cells: string[]; readonly next: number } | null {
    const text = this.#text
    const { final } = this.#options
    const cells: string[] = []
    for (;;) {
      this.#readCell()
      const code = text.charCodeAt(this.#index)
      if (this.#index >= text.length && !final) break
      if (this.#open !== null) throw this.#unfinished()
      cells.push(this.#cell)
      if (code !== this.#separator) {
        if (code === CR && this.#index + 1 === text.length && !final) break
        const next = this.#passLineEnd()
        this.#checkRow(next)
        return { cells, next }
      }
      this.#index++
    }
    this.#checkRow(text.length)
    return null
  }

  /** Leaves #index on the separator or line end behind the cell, or on the end of the text. */
  #readCell(): void {
    const text = this.#text
    const { doubleQuote, skipInitialSpace } = this.#options.dialect
    this.#cell = ''
    this.#cellLine = this.line
    this.#open = null
    if (skipInitialSpace) while (text[this.#index] === ' ') this.#index++
    this.#copied = this.#index
    if (text.charCodeAt(this.#index) === this.#quote) {
      this.#index++
      this.#copied = this.#index
      this.#readQuoted()
      const code = text.charCodeAt(this.#index)
      if (doubleQuote && this.#index < text.length && code !== this.#separator && code !== LF && code !== CR) {
        throw new RowmillError(
          'INPUT_QUOTE',
          `${this.#options.name}, line ${this.line}: text follows a closing quote. Double the quotes inside a quoted ` +
            'cell, or quote the whole cell.',
          { line: this.line },
        )
      }
    }
    if (this.#open === null) this.#readPlain()
    this.#copy(this.#index)
    checkCell(this.#cell, this.#cellLine, this.#options)
  }

  #copy(next: number): void {
    this.#cell += this.#text.slice(this.#copied, this.#index)
    this.#copied = next
  }

  /** From behind the opening quote to behind the closing one. */
  #readQuoted(): void {
    const { doubleQuote } = this.#options.dialect
    const text = this.#text
    const quote = this.#quote
    const mark = String.fromCharCode(quote)
    const escapeChar = this.#escapeChar
    this.#open = 'quote'
    for (; this.#index < text.length; this.#index++) {
      const closing = this.#index < this.#lineEnd && escapeChar === -1 ? text.indexOf(mark, this.#index) : -1
      if (closing > 0 && closing < this.#lineEnd) this.#index = closing
      const code = text.charCodeAt(this.#index)
      if (code === LF || code === CR) this.#passInnerEnd()
      else if (code === escapeChar) this.#escaped()
      else if (code === quote) {
        this.#copy(this.#index + 1)
        if (!doubleQuote || text.charCodeAt(this.#index + 1) !== quote) {
          // Where the text ends here the next quote may follow: read() asks for more.
          this.#open = null
          this.#index++
          return
        }
        this.#index++
      }
    }
  }

  #readPlain(): void {
    const text = this.#text
    const separator = this.#separator
    const escapeChar = this.#escapeChar
    for (; this.#index < text.length; this.#index++) {
      const code = text.charCodeAt(this.#index)
      if (code === separator || code === LF || code === CR) {
        this.#open = null
        return
      }
      if (code === escapeChar) {
        this.#escaped()
        // A cell with an escaped line end must end with a separator or a line end: Python refuses the end of the file.
        const last = text[this.#index]
        this.#open = last === undefined || last === '\n' || last === '\r' ? 'escape' : null
      }
    }
    this.#index = text.length
  }

  /** Drops the escape character and steps on the escaped one. */
  #escaped(): void {
    this.#copy(this.#index + 1)
    this.#index++
    const char = this.#text[this.#index]
    if (char === '\n' || char === '\r') this.#passInnerEnd()
  }

  /** A line end inside a cell: both characters of \r\n end one line. */
  #passInnerEnd(): void {
    if (this.#text[this.#index] === '\r' || this.#text[this.#index - 1] !== '\r') this.line++
  }

  #passLineEnd(): number {
    const text = this.#text
    if (this.#index >= text.length) {
      this.line++
      return text.length
    }
    this.#passInnerEnd()
    return this.#index + (text[this.#index] === '\r' && text[this.#index + 1] === '\n' ? 2 : 1)
  }

  #unfinished(): RowmillError {
    const line = this.#cellLine
    const what =
      this.#open === 'quote'
        ? `the quote that opens in line ${line} is never closed`
        : `the file ends behind the escape character of a cell that begins in line ${line}`
    return new RowmillError('INPUT_QUOTE', `${this.#options.name}: ${what}. Repair that line.`, { line })
  }

  #checkRow(end: number): void {
    if ((end - this.#start) * 3 <= ROW_LIMIT_BYTES) return
    if (Buffer.byteLength(this.#text.slice(this.#start, end)) <= ROW_LIMIT_BYTES) return
    const { name, line } = this.#options
    throw new RowmillError(
      'INPUT_ROW_TOO_LARGE',
      `${name}: the record that begins in line ${line} takes more than ${ROW_LIMIT_BYTES} bytes and fits no message. ` +
        'Shorten its cells.',
      { line, limit: ROW_LIMIT_BYTES },
    )
  }
}

function checkCell(cell: string, line: number, { name }: SplitOptions): void {
  if (cell.length <= CELL_LIMIT) return
  let pairs = 0
  for (let index = 0; index < cell.length; index++) if ((cell.charCodeAt(index) & 0xfc00) === 0xdc00) pairs++
  if (cell.length - pairs <= CELL_LIMIT) return
  throw new RowmillError(
    'INPUT_CELL_TOO_LARGE',
    `${name}: the cell that begins in line ${line} has more than ${CELL_LIMIT} characters, which is the limit of ` +
      "pandas' python engine. Shorten it; a quote that is never closed has the same effect.",
    { line, limit: CELL_LIMIT },
  )
}

/** Records with the byte at which each begins. The four arrays have the same length. */
export interface DecodedRun {
  readonly rows: string[][]
  readonly widths: number[]
  readonly lines: number[]
  readonly bytes: number[]
}

/** Where bytes begin in a file, and what to leave out there. */
export interface DecoderStart {
  /** A record begins there, or the lines to skip. */
  readonly byte: number
  readonly line: number
  /** Lines to leave out first. */
  readonly skipLines?: number
  /** Whether to take one byte order mark off, as Python's utf-8-sig does. */
  readonly signature?: boolean
  /** The one cell to keep of each record; null: all. */
  readonly only?: number | null
}

/** Bytes in pieces of any length -> records. Pure: it reads nothing itself and holds no more than one record. */
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
  /** The bytes of a character whose end is in the next piece. */
  #tail: Uint8Array = new Uint8Array(0)

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

  /** The first byte behind the mark that `signature` took off. */
  get head(): number {
    return this.#head
  }

  /** Takes the next piece; `final` says that none follows. Throws what splitRecords throws, and INPUT_ENCODING. */
  push(piece: Uint8Array, final: boolean): DecodedRun {
    this.#append(piece, final)
    if (!this.#skipHead(final)) return { rows: [], widths: [], lines: [], bytes: [] }
    const text = this.#text
    const options = { dialect: this.#dialect, final, line: this.#line, name: this.#name, only: this.#only }
    const run = splitRecords(text, options)
    const bytes = this.#ascii ? run.starts : byteOffsets(text, run.starts)
    const base = this.#byte
    if (base > 0) for (let index = 0; index < bytes.length; index++) bytes[index]! += base
    this.#drop(run.consumed)
    this.#line = run.line
    return { rows: run.rows, widths: run.widths, lines: run.lines, bytes }
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
    if (!isUtf8(valid)) throw this.#encodingError(joined)
    this.#tail = Uint8Array.prototype.slice.call(joined, whole)
    this.#text += valid.toString('utf8')
    this.#ascii = false
  }

  #encodingError(joined: Buffer): RowmillError {
    let good = 0
    for (let size = joined.length; size > 0; size = Math.floor(size / 2)) {
      while (good + size <= joined.length && isPrefix(joined.subarray(0, good + size))) good += size
    }
    good = wholeCharacters(joined.subarray(0, good))
    const before = this.#text + joined.toString('utf8', 0, good)
    const byte = this.#byte + Buffer.byteLength(before)
    const line = this.#line + countLineEnds(before)
    return new RowmillError(
      'INPUT_ENCODING',
      `${this.#name}: byte ${byte} (from 0), in line ${line}, is not valid UTF-8. Convert the file to UTF-8.`,
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

/** How many leading bytes hold whole characters, where the last one may be cut. */
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
