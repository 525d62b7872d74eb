import { counted } from '../../support/counted.ts'
import type { TextLine, Tone } from './layout.ts'

const ESC = '\u001b['
const OPEN = `${ESC}?1049h${ESC}?25l${ESC}?7l`
const CLOSE = `${ESC}?7h${ESC}?25h${ESC}?1049l`
/** A terminal that knows these shows a frame only when it is whole. */
const FRAME = [`${ESC}?2026h${ESC}H`, `${ESC}?2026l`] as const
/** Before a text, because after one that ends at the edge of the screen they would erase its last character. */
const CLEAR_LINE = `${ESC}K`
const CLEAR_REST = `${ESC}J`
const MARKS: Readonly<Record<Tone, string>> = { plain: '', title: '1', bad: '1;31', good: '1;32', command: '36' }

/** What the screen needs of standard output. */
export interface ScreenOutput {
  readonly columns: number
  readonly rows: number
  write(text: string): unknown
}

/** Lines with the marks of a terminal. NO_COLOR in the environment leaves them out. */
export function marked({ text, tone }: TextLine, env: NodeJS.ProcessEnv = process.env): string {
  const mark = MARKS[tone]
  return mark === '' || text === '' || env['NO_COLOR'] ? text : `${ESC}${mark}m${text}${ESC}0m`
}

/**
 * Redraws lines on the second screen of the terminal. The first screen stays as it was. It cuts a line that is too long, but not
 * a command: that takes as many rows as it needs, and can be copied as one line.
 */
export class StatusScreen {
  readonly #out: ScreenOutput
  #isOpen = false

  constructor(out: ScreenOutput) {
    this.#out = out
  }

  /** Takes the screen if this is the first time, or the first after `close`. */
  show(lines: readonly TextLine[]): void {
    const [begin, end] = FRAME
    const { shown, height } = fitting(lines, this.#out)
    const below = height < this.#out.rows ? `\r\n${CLEAR_REST}` : ''
    this.#out.write(`${this.#isOpen ? '' : OPEN}${begin}${shown.map(written).join('\r\n')}${below}${end}`)
    this.#isOpen = true
  }

  /** Gives the terminal back as it was. May be called again. */
  close(): void {
    if (this.#isOpen) this.#out.write(CLOSE)
    this.#isOpen = false
  }
}

/** The lines that the screen has room for, and how many of its rows they take. The last one says how many there are besides. */
function fitting(lines: readonly TextLine[], { columns, rows }: ScreenOutput): { shown: TextLine[]; height: number } {
  const heightOf = ({ text, tone }: TextLine) =>
    tone === 'command' ? Math.max(1, Math.ceil(text.length / columns)) : 1
  const ends: number[] = []
  for (const line of lines) ends.push((ends.at(-1) ?? 0) + heightOf(line))
  const height = ends.at(-1) ?? 0
  if (height <= rows) return { shown: [...lines], height }
  const shown = lines.slice(
    0,
    ends.findIndex(end => end >= rows),
  )
  const more: TextLine = { text: `... ${counted(lines.length - shown.length, 'more line')}`, tone: 'plain' }
  return { shown: [...shown, more], height: (ends[shown.length - 1] ?? 0) + 1 }
}

function written(line: TextLine): string {
  return line.tone === 'command' ? `${CLEAR_REST}${ESC}?7h${marked(line)}${ESC}?7l` : `${CLEAR_LINE}${marked(line)}`
}
