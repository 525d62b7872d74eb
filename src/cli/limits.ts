import { RowmillError } from '../errors.ts'

/** Signals that come closer together are one: some programs signal a process and then its whole group. */
const SAME_SIGNAL_MS = 200

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
      if (this.#stop.signal.aborted) process.exit(signal === 'SIGTERM' ? 143 : 130)
      this.#stop.abort(new RowmillError('INTERRUPTED', `interrupted by ${signal} ${when}`, { signal }))
    }
    if (timeoutSeconds !== null) {
      const error = new RowmillError('TIMEOUT', `not complete after --timeout ${timeoutSeconds} s`, { timeoutSeconds })
      this.#timer = setTimeout(() => this.#stop.abort(error), timeoutSeconds * 1000)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, this.#onSignal)
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  get timedOut(): boolean {
    return this.signal.reason?.code === 'TIMEOUT'
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, this.#onSignal)
  }
}
