import { CELL_LIMIT, type RecordOptions, RecordReader } from './record-reader.ts'

/** After the end of any text, and small enough for V8 to keep it as a plain integer. */
const NONE = 0x3fff_ffff

/** The records found in one piece of text. The four arrays have the same length. */
export interface SplitRecords {
  readonly rows: string[][]
  /** Cells in each record, with those that `only` leaves out. */
  readonly widths: number[]
  /** Where each record begins, in UTF-16 units of the text. */
  readonly starts: number[]
  /** The line in which each record begins, from 1. */
  readonly lines: number[]
  /** How many units of the text were read. The rest begins a record that is not complete yet. */
  readonly consumed: number
  /** The line in which the rest begins. */
  readonly line: number
  /** The line of the first blank record that we skip and pandas' C engine keeps, or null. */
  readonly keptByC: number | null
}

export interface SplitOptions extends RecordOptions {
  /** The one cell to keep of each record, if it has it. Null: all. */
  readonly only?: number | null
}

/**
 * The records of `text`, which begins where a record begins. They are those of Python 3.11's csv.reader(strict=True) in a
 * file opened with newline='', without the ones that pandas drops as blank: no cell, or one cell of white space. Lines end
 * with \n, \r\n or \r. Throws INPUT_QUOTE, INPUT_CELL_TOO_LARGE and INPUT_ROW_TOO_LARGE, with the line. If records come
 * before the fault and more text may follow, it stops there instead.
 */
export function splitRecords(text: string, options: SplitOptions): SplitRecords {
  const { dialect, final, only = null } = options
  const { separator, quote, escapeChar } = dialect
  const records = { rows: [] as string[][], widths: [] as number[], starts: [] as number[], lines: [] as number[] }
  const length = text.length
  let line = options.line
  let keptByC: number | null = null
  let at = 0
  // The next index of each at or after `at`. It is searched again only after it has been passed.
  let feed = -1
  let carriage = -1
  let special = -1
  let comma = -1
  while (at < length) {
    if (feed < at) feed = indexOrNone(text, '\n', at)
    if (carriage < at) carriage = indexOrNone(text, '\r', at)
    if (special < at) special = nextSpecial(text, at, quote, escapeChar)
    let end = Math.min(feed, carriage)
    let next: number
    let row: string[]
    let width = 1
    let lineEnds = 1
    if (special < end || dialect.skipInitialSpace || end - at > CELL_LIMIT) {
      const reader = new RecordReader(text, at, end, { ...options, line })
      let record: ReturnType<RecordReader['read']>
      try {
        record = reader.read()
      } catch (error) {
        if (final || records.rows.length === 0) throw error
        break
      }
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
      let from = at
      if (comma < at) comma = indexOrNone(text, separator, at)
      while (comma < end) {
        if (only === null || only === width - 1) row.push(text.slice(from, comma))
        width++
        from = comma + 1
        comma = indexOrNone(text, separator, from)
      }
      if (only === null || only === width - 1) row.push(text.slice(from, end))
      if (width === 1 && BLANK.test(text.slice(at, end))) width = 0
    }
    if (width > 0) {
      records.rows.push(row)
      records.widths.push(width)
      records.starts.push(at)
      records.lines.push(line)
    } else if (!isBlankInC(text.slice(at, next))) keptByC ??= line
    line += lineEnds
    at = Math.min(next, length)
  }
  return { ...records, consumed: at, line, keptByC }
}

function indexOrNone(text: string, what: string, from: number): number {
  const index = text.indexOf(what, from)
  return index === -1 ? NONE : index
}

function nextSpecial(text: string, from: number, quote: string | null, escapeChar: string | null): number {
  const quoteAt = quote === null ? NONE : indexOrNone(text, quote, from)
  return escapeChar === null ? quoteAt : Math.min(quoteAt, indexOrNone(text, escapeChar, from))
}

/** White space of Python's str.strip(). String.trim() differs in \x1c-\x1f, \x85 and \ufeff. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python counts these four as white space
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/

/** A line that the C engine leaves out as blank: spaces and tabs without quotes (tokenizer.c, WHITESPACE_LINE). */
const C_BLANK = /^[ \t]*(?:\r\n|\r|\n)?$/

/** Whether pandas drops the record: one cell of nothing but white space. */
export function isBlank(cells: readonly string[]): boolean {
  return cells.length === 1 && BLANK.test(cells[0]!)
}

/** Whether pandas' C engine leaves out this line, which ends with its line end or is the last one. */
export function isBlankInC(line: string): boolean {
  return C_BLANK.test(line)
}
