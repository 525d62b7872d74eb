import { constants } from 'node:os'
import { RowmillError } from '../errors.ts'
import type { Say } from '../support/say.ts'
import { endLog, logError } from './log.ts'
import { Terminal, type TerminalOptions } from './terminal.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Signals this close together count as one: some programs signal a process and then its whole group. */
const SAME_SIGNAL_MS = 200

/** The exit code of a command that a signal ended, as in a shell: 129 (HUP), 130 (INT) or 143 (TERM). */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}

/** What a command has while it runs. */
export interface Session {
  readonly terminal: Terminal
  readonly say: Say
  /** Aborts at the time-out and at the first signal. */
  readonly signal: AbortSignal
  /** Gives the command that continues the job. A second signal logs it, since `act` can report nothing then. */
  goesOnWith(facts: () => { readonly resume: string } | { readonly again: string }): void
}

/**
 * Runs `act` until it ends, or until a time-out or a signal of the operating system aborts it. `when` completes
 * "interrupted by SIGTERM", for the error.
 */
export async function withinLimits<T>(
  options: TerminalOptions & { readonly timeout?: number | null },
  when: string,
  act: (session: Session) => Promise<T>,
): Promise<T> {
  const terminal = new Terminal(options)
  const limits = new Limits(when, options.timeout ?? null)
  try {
    const goesOnWith: Session['goesOnWith'] = facts => {
      limits.howToGoOn = facts
    }
    return await act({
      terminal,
      say: (message, facts) => terminal.say(message, facts),
      signal: limits.signal,
      goesOnWith,
    })
  } finally {
    terminal.close()
    limits.close()
  }
}

/** What ends a command from outside: its time-out, and signals. A second signal exits at once, without cleaning up. */
class Limits {
  /** Null: nothing is said. */
  howToGoOn: Parameters<Session['goesOnWith']>[0] | null = null
  readonly #stop = new AbortController()
  readonly #timer: NodeJS.Timeout | null = null
  #signalledAt = Number.NEGATIVE_INFINITY
  readonly #onSignal: (signal: NodeJS.Signals) => void

  constructor(when: string, timeoutSeconds: number | null) {
    this.#onSignal = signal => {
      const sinceFirst = performance.now() - this.#signalledAt
      if (sinceFirst < SAME_SIGNAL_MS) return
      this.#signalledAt = performance.now()
      if (this.#stop.signal.aborted) this.#exit(signal)
      this.#stop.abort(new RowmillError('INTERRUPTED', `interrupted by ${signal} ${when}`, { signal }))
    }
    if (timeoutSeconds !== null) {
      const error = new RowmillError('TIMEOUT', `not complete after --timeout ${timeoutSeconds} s`, { timeoutSeconds })
      this.#timer = setTimeout(() => this.#stop.abort(error), timeoutSeconds * 1000)
    }
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  #exit(signal: NodeJS.Signals): never {
    const message = `interrupted by ${signal} before everything was closed`
    const error = new RowmillError('INTERRUPTED', message, { signal, ...this.howToGoOn?.() })
    const exitCode = exitCodeOf(signal)
    logError(error, { exitCode, showsStack: false })
    endLog(exitCode, error.code)
    process.exit(exitCode)
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
  }
}
