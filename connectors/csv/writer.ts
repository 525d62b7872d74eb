import { RowmillError } from '../../src/errors.ts'
import type { Values } from '../../src/index.ts'
import { isMarkedNumber, withoutMark } from '../../src/pandas/number-marks.ts'
import { QUOTE_ALL, QUOTE_NONE, QUOTE_NONNUMERIC, type SinkDialect } from '../../src/pandas/to-csv.ts'

/** How the cells of rows become lines. */
export interface LineFormat {
  readonly separator: string
  readonly lineEnd: string
  /** The characters that `cell` may change a cell for. Null: it changes every cell, whatever characters that has. */
  readonly special: ReadonlySet<string> | null
  /** One cell of a line. Of a line of one cell: unless that is empty. */
  cell(cell: string): string
  /** The line of these cells, with its end. */
  line(cells: Values): string
}

/**
 * The format of lines. A line is the one that Python's csv.writer makes under the
 * arguments that pandas' to_csv passes to it. The rules are those of `join_append_data` in CPython's Modules/_csv.c. Newer
 * ones quote a cell with a carriage return, whatever the line terminator is (`quotesCarriageReturn`). With QUOTE_NONNUMERIC
 * the cells have the marks of number-marks.ts. Throws OUTPUT_FAILED
 * where the csv module raises "need to escape, but no escapechar set".
 */
export function lineFormat(dialect: SinkDialect, quotesCarriageReturn: boolean): LineFormat {
  const { sep, quoting, lineterminator, doublequote, escapechar } = dialect
  // pandas' CSVFormatter does not pass the quote character to csv.writer if nothing could escape it in a cell.
  const quotechar = quoting === QUOTE_NONE && escapechar === null ? '' : dialect.quotechar
  const special = new Set([sep, quotechar, ...lineterminator, ...(escapechar ?? '')])
  if (quotesCarriageReturn) special.add('\r').add('\n')
  special.delete('')
  const pattern = new RegExp(`[${[...special].map(c => `\\u{${c.codePointAt(0)!.toString(16)}}`).join('')}]`, 'u')
  const each = new RegExp(pattern, 'gu')

  const changesAll = quoting === QUOTE_ALL || quoting === QUOTE_NONNUMERIC
  return { separator: sep, lineEnd: lineterminator, special: changesAll ? null : special, cell, line }

  function line(cells: Values): string {
    if (cells.length === 1 && cells[0] === '') return emptyLine()
    let text = ''
    for (let i = 0; i < cells.length; i++) text += i > 0 ? sep + cell(cells[i]!) : cell(cells[i]!)
    return text + lineterminator
  }

  function cell(text: string): string {
    if (quoting === QUOTE_NONNUMERIC) return guarded(withoutMark(text), !isMarkedNumber(text))
    return quoting !== QUOTE_ALL && !pattern.test(text) ? text : guarded(text, quoting === QUOTE_ALL)
  }

  // An empty line would not be a record, so csv.writer quotes a lone empty cell.
  function emptyLine(): string {
    if (quoting === QUOTE_NONE) throw unescapable('a row of one empty cell')
    return `${quotechar}${quotechar}${lineterminator}`
  }

  function guarded(cell: string, isQuoted: boolean): string {
    let quoted = isQuoted
    const body = cell.replace(each, char => {
      if (quoting === QUOTE_NONE) return escaper(cell) + char
      if (char === quotechar && doublequote) {
        quoted = true
        return char + char
      }
      if (char === quotechar || char === escapechar) return escaper(cell) + char
      quoted = true
      return char
    })
    return quoted ? quotechar + body + quotechar : body
  }

  function escaper(cell: string): string {
    if (escapechar === null) throw unescapable(`the cell ${JSON.stringify(cell.slice(0, 40))}`)
    return escapechar
  }
}

function unescapable(what: string): RowmillError {
  return new RowmillError('OUTPUT_FAILED', `${what} needs an escape and to_csv has none: give escapechar in --to-csv`)
}
