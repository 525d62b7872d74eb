import { constants } from 'node:os'
import { RowmillError } from '../errors.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Signals that come closer together are one: some programs signal a process and then its whole group. */
const SAME_SIGNAL_MS = 200

/** The exit code of a command that a signal ended, as a shell counts it: 129 (HUP), 130 (INT) or 143 (TERM). */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}

/** What ends a command from outside: the time-out and signals. A second signal ends it without any tidying up. */
export class Limits {
  readonly #stop = new AbortController()
  readonly #timer: NodeJS.Timeout | null = null
  #signalledAt = Number.NEGATIVE_INFINITY
  readonly #onSignal: (signal: NodeJS.Signals) => void

  /** `when` completes "interrupted by SIGTERM", for the error. */
  constructor(when: string, timeoutSeconds: number | null) {
    this.#onSignal = signal => {
      const sinceFirst = performance.now() - this.#signalledAt
      if (sinceFirst < SAME_SIGNAL_MS) return
      this.#signalledAt = performance.now()
      if (this.#stop.signal.aborted) process.exit(exitCodeOf(signal))
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

  get timedOut(): boolean {
    return this.signal.reason?.code === 'TIMEOUT'
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
  }
}
