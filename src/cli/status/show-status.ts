import { printable } from '../../support/printable.ts'
import type { PipelineView } from '../../watch/view.ts'
import { nullsOf, printJson } from '../json-output.ts'
import { print } from '../standard-output.ts'
import { describeStatus } from './describe-status.ts'
import { command, type TextLine, wrapped } from './layout.ts'
import type { RunNews } from './run-of-status.ts'
import { StatusLines } from './status-lines.ts'
import { marked, type ScreenOutput, StatusScreen } from './status-screen.ts'
import { STATUS, statusLine } from './status-shape.ts'

const TERMINAL: ScreenOutput = {
  get columns() {
    return process.stdout.columns
  },
  get rows() {
    return process.stdout.rows
  },
  write: print,
}

/** How wide lines are where no terminal shows them. */
const WIDTH = 80

export interface Shown {
  /** The id of the job that is shown. Null: all jobs. */
  readonly job: string | null
  readonly all: boolean
  /** A sentence on top of what is shown, such as what other runs there are. */
  readonly note: string | null
}

/** Shows one view after the other. */
export interface StatusDisplay {
  /** Whether it has a terminal for itself until `close`. */
  readonly isScreen: boolean
  show(view: PipelineView): void
  /** Gives the terminal back, with the last view on it if `leavesView`. May be called again. */
  close(leavesView: boolean): void
}

/** Prints one view. */
export function printStatus(view: PipelineView, output: 'text' | 'json', shown: Shown): void {
  if (output === 'json') printJson(STATUS, [statusLine(view, shown)])
  else printLines(linesOf(view, shown))
}

/** Prints what is known of a run without its topics. */
export function printNews({ text, command: given, exit }: RunNews, output: 'text' | 'json'): void {
  if (output === 'json') printJson(STATUS, [{ ...nullsOf(STATUS), at: Date.now(), exit, note: text }])
  else printLines([...wrapped(text, widthOf()), ...(given === null ? [] : [command(given)])])
}

function printLines(lines: readonly TextLine[]): void {
  print(lines.map(line => `${process.stdout.isTTY ? marked(line) : line.text}\n`).join(''))
}

function linesOf(view: PipelineView, { job, all, note }: Shown): TextLine[] {
  const width = widthOf()
  const lines = describeStatus(view, job, { width, all })
  return note === null ? lines : [...lines, { text: '', tone: 'plain' }, ...wrapped(note, width)]
}

function widthOf(): number {
  return process.stdout.columns ?? WIDTH
}

/** How views are followed: redrawn on a terminal, else a line when something changes, or one object for each. */
export function followingDisplay(output: 'text' | 'json', shown: () => Shown): StatusDisplay {
  if (output === 'json') {
    const show = (view: PipelineView) => printJson(STATUS, [statusLine(view, shown())])
    return { isScreen: false, show, close: () => {} }
  }
  const isTerminal = process.stdout.isTTY && process.env['TERM'] !== 'dumb' // a dumb terminal cannot move the cursor
  return isTerminal ? new OnTerminal(shown) : new InLog(shown)
}

class InLog implements StatusDisplay {
  readonly isScreen = false
  readonly #shown: () => Shown
  #lines: StatusLines | null = null

  constructor(shown: () => Shown) {
    this.#shown = shown
  }

  show(view: PipelineView): void {
    this.#lines ??= new StatusLines(this.#shown().job)
    for (const line of this.#lines.of(view)) print(`${printable(line)}\n`)
  }

  close(): void {}
}

class OnTerminal implements StatusDisplay {
  readonly isScreen = true
  readonly #screen = new StatusScreen(TERMINAL)
  readonly #shown: () => Shown
  #view: PipelineView | null = null
  readonly #draw = () => {
    if (this.#view !== null) this.#screen.show(linesOf(this.#view, this.#shown()))
  }
  readonly #leave = () => this.#screen.close()
  readonly #suspend = () => {
    this.#leave()
    process.kill(process.pid, 'SIGSTOP')
  }

  constructor(shown: () => Shown) {
    this.#shown = shown
    process.stdout.on('resize', this.#draw)
    process.on('exit', this.#leave) // a second signal ends the process without more
    process.on('SIGTSTP', this.#suspend)
    process.on('SIGCONT', this.#draw)
  }

  show(view: PipelineView): void {
    this.#view = view
    this.#draw()
  }

  close(leavesView: boolean): void {
    process.stdout.off('resize', this.#draw)
    process.off('exit', this.#leave)
    process.off('SIGTSTP', this.#suspend)
    process.off('SIGCONT', this.#draw)
    this.#leave()
    if (this.#view !== null && leavesView) printLines(linesOf(this.#view, this.#shown()))
    this.#view = null
  }
}
