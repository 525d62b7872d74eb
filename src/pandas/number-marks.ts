import type { Values } from '../model.ts'

/**
 * With QUOTE_NONNUMERIC, csv.writer quotes every cell that is no number. Cells travel as text, which does not say so. So a
 * classifier puts a NUL before each number, and the sink takes it away. A text that begins with NUL gets another one.
 * Names of columns are marked in the same way: a label may be a number.
 */
const MARK = '\0'

export function markedNumber(text: string): string {
  return MARK + text
}

export function markedText(text: string): string {
  return text.startsWith(MARK) ? MARK + text : text
}

export function isMarkedNumber(cell: string): boolean {
  return cell.startsWith(MARK) && cell[1] !== MARK
}

export function withoutMark(cell: string): string {
  return cell.startsWith(MARK) ? cell.slice(1) : cell
}

export function withoutMarks(cells: Values): Values {
  return cells.map(withoutMark)
}
