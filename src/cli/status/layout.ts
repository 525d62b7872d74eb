import { printableLine } from '../../support/printable.ts'

/** How a terminal may mark a line. A command is never cut, so that it can be copied. */
export type Tone = 'plain' | 'title' | 'bad' | 'good' | 'command'

/** A line for people. Its text is safe for a terminal. */
export interface TextLine {
  readonly text: string
  readonly tone: Tone
}

/** Fewer columns than that are not laid out for. */
const NARROWEST = 20
const GAP = '  '
/** A number stays with its unit. */
const BETWEEN_WORDS = / (?!(?:%|s|min|h|rows?|rows?\/s)(?![\w/]))|(?<!\d) /

/** A text in lines of at most `width` characters. All but the first begin with `indent` and two spaces more. */
export function wrapped(text: string, width: number, { indent = '', tone = 'plain' as Tone } = {}): TextLine[] {
  const room = Math.max(width, NARROWEST)
  const lines: string[] = []
  let line = indent
  let isEmpty = true
  const words = printableLine(text).split(BETWEEN_WORDS)
  for (const word of words.flatMap(word => pieces(word, room - indent.length - GAP.length))) {
    if (!isEmpty && line.length + 1 + word.length > room) {
      lines.push(line)
      line = indent + GAP
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line].map(text => ({ text, tone }))
}

/** Rows of cells in columns, or, where they do not fit, each row as a text of its own. */
export function inColumns(rows: readonly (readonly string[])[], width: number, indent = GAP): TextLine[] {
  const cells = rows.map(row => row.map(printableLine))
  const count = Math.max(0, ...cells.map(({ length }) => length))
  const widths = Array.from({ length: count }, (_, column) => Math.max(...cells.map(row => row[column]?.length ?? 0)))
  const used = widths.filter(size => size > 0)
  const total = indent.length + used.reduce((sum, size) => sum + size, 0) + GAP.length * (used.length - 1)
  if (total > width)
    return rows.flatMap(([first = '', ...rest]) => {
      const told = rest.flatMap(cell => cell.trim() || []).join(', ')
      return wrapped(told === '' ? first : `${first}: ${told}`, width, { indent })
    })
  const lineOf = (row: readonly string[]) =>
    widths.flatMap((size, column) => (size === 0 ? [] : [(row[column] ?? '').padEnd(size)])).join(GAP)
  return cells.map(row => ({ text: `${indent}${lineOf(row)}`.trimEnd(), tone: 'plain' }))
}

/** A command, ready to copy: one line, however long. */
export function command(text: string): TextLine {
  return { text: printableLine(text), tone: 'command' }
}

/** A line that has its own layout. It may be longer than the terminal is wide. */
export function asItIs(line: string, indent: string): TextLine {
  return { text: `${indent}${printableLine(line.replaceAll('\t', '    '))}`, tone: 'plain' }
}

function pieces(word: string, room: number): string[] {
  return word.length <= room ? [word] : word.match(new RegExp(`.{1,${room}}`, 'gsu'))!
}
