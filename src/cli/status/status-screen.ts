import { counted } from '../../support/counted.ts'
import type { TextLine, Tone } from './layout.ts'

const ESC = '\u001b['
const OPEN = `${ESC}?1049h${ESC}?25l${ESC}?7l`
const CLOSE = `${ESC}?7h${ESC}?25h${ESC}?1049l`
/** A terminal that knows these shows a frame only when it is whole. */
const FRAME = [`${ESC}?2026h${ESC}H`, `${ESC}J${ESC}?2026l`] as const
const END_OF_LINE = `${ESC}K`
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
 * Shows lines in place of those before, on the second screen of the terminal, so that the first one stays as it was. A line that
 * is too long is cut, except for a command: it takes as many rows as it needs, and can be copied as one line.
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
    const texts = fitting(lines, this.#out).map(line => `${written(line)}${END_OF_LINE}`)
    this.#out.write(`${this.#isOpen ? '' : OPEN}${begin}${texts.join('\r\n')}${end}`)
    this.#isOpen = true
  }

  /** Gives the terminal back as it was. May be called again. */
  close(): void {
    if (this.#isOpen) this.#out.write(CLOSE)
    this.#isOpen = false
  }
}

/** The lines that the screen has room for. The last one says how many there are besides. */
function fitting(lines: readonly TextLine[], { columns, rows }: ScreenOutput): TextLine[] {
  const heights = lines.map(({ text, tone }) =>
    tone === 'command' ? Math.max(1, Math.ceil(text.length / columns)) : 1,
  )
  const total = heights.reduce((sum, height) => sum + height, 0)
  if (total <= rows) return [...lines]
  let used = 1 // for the line that says so
  const end = heights.findIndex(height => {
    used += height
    return used > rows
  })
  const shown = lines.slice(0, end)
  const more = `... ${counted(lines.length - shown.length, 'more line')}: a taller window has room for them`
  return [...shown, { text: more, tone: 'plain' }]
}

function written(line: TextLine): string {
  return line.tone === 'command' ? `${ESC}?7h${marked(line)}${ESC}?7l` : marked(line)
}
