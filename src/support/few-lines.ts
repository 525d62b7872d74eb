import { realTime, type Time } from './clock.ts'
import type { Say } from './say.ts'

/** How many lines of a kind are logged in full in one second. */
const FULL_LINES = 5
const WINDOW_MS = 1000

/** One event at a place in a log. */
export interface Noted {
  /** What happened, as a noun. */
  readonly kind: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The offset of the last message, if the event is about several. */
  readonly last?: number
}

interface Counted extends Noted {
  lines: number
  /** How many events had no line, and between which offsets. */
  more: number
  from: number
  to: number
}

/**
 * Logs events of a kind in a partition without flooding the log: the first five in a second in full, then one line with the
 * number of the others and their offsets. A flood in one partition hides no line about another partition.
 */
export class FewLines {
  readonly #say: Say
  readonly #time: Time
  /** Follows the number of lines that were left out. */
  readonly #hint: string
  readonly #counted = new Map<string, Counted>()
  #stopTimer: (() => void) | null = null

  constructor(say: Say, { time = realTime, hint = '' }: { time?: Time; hint?: string } = {}) {
    this.#say = say
    this.#time = time
    this.#hint = hint
  }

  /** Logs a line, or counts it. `line` is called only if the line is logged. */
  note(noted: Noted, line: () => string): void {
    const { kind, topic, partition, offset, last = offset } = noted
    const key = `${kind} ${topic}[${partition}]`
    const known = this.#counted.get(key)
    const counted = known ?? { ...noted, lines: 0, more: 0, from: Number.POSITIVE_INFINITY, to: -1 }
    if (!known) this.#counted.set(key, counted)
    this.#stopTimer ??= this.#time.every(WINDOW_MS, () => this.#endWindow())
    if (counted.lines < FULL_LINES) {
      counted.lines++
      this.#say(line(), { level: 'warn', topic, partition, offset })
      return
    }
    counted.from = Math.min(counted.from, offset)
    counted.to = Math.max(counted.to, last)
    counted.more++
  }

  /** Logs the numbers that were not logged yet. */
  close(): void {
    this.#stopTimer?.()
    this.#stopTimer = null
    this.#flush()
  }

  #endWindow(): void {
    if (this.#counted.size === 0) this.close()
    else this.#flush()
  }

  #flush(): void {
    for (const { kind, topic, partition, more, from, to } of this.#counted.values()) {
      if (more === 0) continue
      const where = from === to ? `offset ${from}` : `offsets ${from} to ${to}`
      const message = `... and ${more.toLocaleString('en-US')} more ${kind} in ${topic}[${partition}], ${where}${this.#hint}`
      this.#say(message, { level: 'warn', topic, partition, offset: from })
    }
    this.#counted.clear()
  }
}
