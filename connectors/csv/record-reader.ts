import { RowmillError } from '../../src/errors.ts'
import type { CsvDialect } from '../../src/pandas/read-csv.ts'

/** The most code points that Python's csv module takes in one cell (csv.field_size_limit()). */
export const CELL_LIMIT = 131_072
/** The most UTF-8 bytes of one record: it fits a message of 16 MB, with room for the envelope. */
const ROW_LIMIT_BYTES = 15 * 1024 * 1024

const LF = 10
const CR = 13

/** Where a record is, and how it is written. */
export interface RecordOptions {
  readonly dialect: CsvDialect
  /** Whether nothing follows the text. */
  readonly final: boolean
  /** The line in which the text begins. */
  readonly line: number
  /** The file, for messages. */
  readonly name: string
}

/**
 * Reads one record character by character, by the rules of CPython 3.11's Modules/_csv.c with strict=True. It is for records
 * with quotes or escapes, and for those that may be too large. records.ts splits the others by searching.
 */
export class RecordReader {
  readonly #text: string
  readonly #options: RecordOptions
  readonly #start: number
  /** The first line end at or after #start. The reader may jump up to there. */
  readonly #lineEnd: number
  readonly #separator: number
  /** -1: there is none. */
  readonly #quote: number
  readonly #escapeChar: number
  #index: number
  /** The cell so far is this text, and the input from #copied on. */
  #cell = ''
  #copied: number
  #cellLine: number
  /** Why the cell cannot end at the end of the text. */
  #open: 'quote' | 'escape' | null = null
  /** The line that the reader is in. */
  line: number

  constructor(text: string, start: number, lineEnd: number, options: RecordOptions) {
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

  /** The cells, and where the next record begins. Null: the text ends before the record does, and more may follow. */
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

  /** Leaves #index on the separator or line end after the cell, or on the end of the text. */
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
        checkCell(this.#cell, this.#cellLine, this.#options)
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

  /** Reads from after the opening quote to after the closing one. */
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
          // If the text ends here, another quote may follow: read() asks for more.
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

  /** Drops the escape character and moves to the escaped one. */
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
        : `the file ends after the escape character of a cell that begins in line ${line}`
    return new RowmillError('INPUT_QUOTE', `${this.#options.name}: ${what}. Repair that line.`, { line })
  }

  #checkRow(end: number): void {
    if ((end - this.#start) * 3 <= ROW_LIMIT_BYTES) return
    if (Buffer.byteLength(this.#text.slice(this.#start, end)) <= ROW_LIMIT_BYTES) return
    const { name, line } = this.#options
    throw new RowmillError(
      'INPUT_ROW_TOO_LARGE',
      `${name}: the record that begins in line ${line} has more than ${ROW_LIMIT_BYTES} bytes, and no message can hold it. ` +
        'Shorten its cells.',
      { line, limit: ROW_LIMIT_BYTES },
    )
  }
}

function checkCell(cell: string, line: number, { name }: RecordOptions): void {
  if (cell.length <= CELL_LIMIT) return
  let pairs = 0
  for (let index = 0; index < cell.length; index++) if ((cell.charCodeAt(index) & 0xfc00) === 0xdc00) pairs++
  if (cell.length - pairs <= CELL_LIMIT) return
  throw new RowmillError(
    'INPUT_CELL_TOO_LARGE',
    `${name}: the cell that begins in line ${line} has more than ${CELL_LIMIT} characters, which is the limit of ` +
      "pandas' python engine. (The C engine, which read_csv uses unless engine= is given, has no limit.) Shorten the cell, or look for a quote that is never closed.",
    { line, limit: CELL_LIMIT },
  )
}
