import { describeSpeed } from '../support/counted.ts'
import { Secrets } from '../support/credentials.ts'
import { printable } from '../support/printable.ts'
import { duration } from './duration.ts'
import { lastStage, type Progress, type Stage, stagesOf } from './progress.ts'
import type { ProgressBars } from './progress-bars.ts'

const LINE_EVERY_MS = 5000
const BARS_EVERY_MS = 200
/** The speed is measured over this window. */
const SPEED_MS = 10_000

const secretWords: string[] = []
/** The secrets of this command line. */
let secrets = new Secrets([])

/** From now on nothing on stderr shows a secret of these words: of the command line, the environment, a file of options. */
export function hideSecretsOf(words: Iterable<string>): void {
  secretWords.push(...words)
  secrets = new Secrets(secretWords)
}

/**
 * Writes text to stderr. All text of a command goes through here. It may hold a cell, an exception or a message from
 * another program, and the terminal must not obey what these contain. Only our own progress bars move the cursor. It may
 * also repeat an argument, and a slip of the keyboard puts a password where no option expects one.
 */
export function writeError(text: string): void {
  process.stderr.write(presentable(text))
}

function presentable(text: string): string {
  return printable(secrets.mask(text))
}

/** What a command logs on stderr: lines, and its progress, as bars on a terminal or as a plain line every few seconds. */
export class Terminal {
  readonly #quiet: boolean
  readonly #progress: boolean
  /** Undefined: its progress is lines. Null: there are no bars yet, or no longer. */
  #bars: ProgressBars | null | undefined
  #isClosed = false
  #timer: NodeJS.Timeout | null = null
  #latest: Progress | null = null
  #shown: Progress | null = null
  readonly #speed = new Speed()

  constructor({ quiet, progress = false }: { readonly quiet: boolean; readonly progress?: boolean }) {
    this.#quiet = quiet
    this.#progress = progress && !quiet
  }

  say(message: string): void {
    if (!this.#quiet) this.#write(`rowmill: ${message}\n`)
  }

  /** Prints what the user's own code printed, even when quiet. */
  output(text: string): void {
    this.#write(text.endsWith('\n') ? text : `${text}\n`)
  }

  progress(progress: Progress): void {
    if (!this.#progress) return
    this.#latest = progress
    if (this.#timer) return
    this.#speed.of(lastStage(progress))
    const bars = process.stderr.isTTY && process.env['TERM'] !== 'dumb' // a dumb terminal cannot move the cursor
    if (bars) void this.#openBars(stagesOf(progress))
    this.#timer = setInterval(() => this.#show(), bars ? BARS_EVERY_MS : LINE_EVERY_MS).unref()
  }

  /** Ends the progress. Lines may follow. */
  close(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#isClosed = true
    if (this.#bars && this.#latest) this.#bars.show(this.#latest, this.#speed.of(lastStage(this.#latest)))
    this.#bars?.stop()
    this.#bars = null
  }

  /** Only a terminal loads them. The job continues where they cannot be loaded. */
  async #openBars(stages: readonly Stage[]): Promise<void> {
    this.#bars = null
    const loaded = await import('./progress-bars.ts').catch(() => null)
    if (loaded && !this.#isClosed) this.#bars = new loaded.ProgressBars(stages)
  }

  #show(): void {
    const rowsPerSecond = this.#speed.of(lastStage(this.#latest!))
    if (this.#bars) this.#bars.show(this.#latest!, rowsPerSecond)
    else if (this.#bars === undefined && this.#latest !== this.#shown) {
      this.#shown = this.#latest // a stream may be idle for a night: then its log stays as it is
      this.#write(`rowmill: ${describeProgress(this.#latest!, rowsPerSecond)}\n`)
    }
  }

  #write(text: string): void {
    if (this.#bars) this.#bars.log(presentable(text))
    else writeError(text)
  }
}

/** One line: rows at each stage, percent, speed and the time left. */
export function describeProgress(progress: Progress, rowsPerSecond: number): string {
  const { total } = progress
  const last = lastStage(progress)
  const stages = stagesOf(progress).map(stage => `${stage} ${progress[stage]}`)
  const share = total ? ` of ${total} (${Math.floor((100 * last) / total)} %)` : ''
  const left = total && rowsPerSecond > 0 ? `, ${duration((total - last) / rowsPerSecond)} left` : ''
  return `${stages.join(', ')}${share}, ${describeSpeed(rowsPerSecond)}${left}`
}

class Speed {
  #samples: { at: number; rows: number }[] = []

  of(rows: number): number {
    const now = performance.now()
    this.#samples.push({ at: now, rows })
    while (this.#samples.length > 2 && now - this.#samples[0]!.at > SPEED_MS) this.#samples.shift()
    const first = this.#samples[0]!
    return now === first.at ? 0 : ((rows - first.rows) * 1000) / (now - first.at)
  }
}
