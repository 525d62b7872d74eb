import { describeSpeed } from '../support/counted.ts'
import { LOG_LEVELS, type LogFacts, type LogLevel, type ShowOutput } from '../support/say.ts'
import { duration } from './duration.ts'
import { isLogJson, log, logPrinted, presentable, progressLines } from './log.ts'
import { lastStage, type Progress, type Stage, stagesOf } from './progress.ts'
import type { ProgressBars } from './progress-bars.ts'
import { Speed } from './speed.ts'

const LINE_EVERY_MS = 5000
const BARS_EVERY_MS = 200

export interface TerminalOptions {
  readonly quiet: boolean
  /** Default: info. */
  readonly logLevel?: LogLevel
  readonly progress?: boolean
}

/** What a command logs on stderr: lines, and its progress, as bars on a terminal or as a plain line every few seconds. */
export class Terminal {
  /** The place of the least important level in LOG_LEVELS. */
  readonly #least: number
  readonly #progress: boolean
  /** Undefined: its progress is lines. Null: there are no bars yet, or no longer. */
  #bars: ProgressBars | null | undefined
  #isClosed = false
  #timer: NodeJS.Timeout | null = null
  #latest: Progress | null = null
  #shown: Progress | null = null
  readonly #speed = new Speed()

  constructor({ quiet, logLevel = 'info', progress = false }: TerminalOptions) {
    this.#least = LOG_LEVELS.indexOf(quiet ? 'error' : logLevel)
    this.#progress = progress && !quiet
  }

  say(message: string, facts: LogFacts = {}): void {
    const { level = 'info' } = facts
    if (!this.#logs(level)) return
    if (this.#bars) this.#bars.log(presentable(`rowmill: ${message}\n`))
    else log(level, message, facts)
  }

  /** Prints what the user's own code printed, even when quiet. */
  output(text: string, facts: LogFacts = {}): void {
    if (this.#bars) this.#bars.log(presentable(text.endsWith('\n') ? text : `${text}\n`))
    else logPrinted(text, { source: 'classifier', ...facts })
  }

  /** Takes what child processes print on stderr. Null: they may print there themselves. */
  get onStderr(): ShowOutput | null {
    return isLogJson() ? (text, facts) => this.output(text, facts) : null
  }

  progress(progress: Progress): void {
    if (!this.#progress) return
    const lines = progressLines()
    if (lines) {
      lines.show(progress)
      return
    }
    this.#latest = progress
    if (this.#timer) return
    this.#speed.of(lastStage(progress))
    // A dumb terminal cannot move the cursor.
    const bars = !isLogJson() && process.stderr.isTTY && process.env['TERM'] !== 'dumb'
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
      if (!this.#logs('info')) return
      const progress = { ...this.#latest!, rowsPerSecond: Math.round(rowsPerSecond * 10) / 10 }
      log('info', describeProgress(this.#latest!, rowsPerSecond), { progress })
    }
  }

  #logs(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) <= this.#least
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
