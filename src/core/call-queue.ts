import { CallSize } from './call-size.ts'

/** A call is overdue after this many times what it should take, and this long on top. */
const OVERDUE_TIMES = 3
const OVERDUE_MS = 100

/** The rows of a call. */
export interface CallRows {
  readonly job: string
  readonly count: number
}

/** A call that has no answer yet. */
export interface OpenCall {
  readonly rows: CallRows
  /** When the classifier got it, or is expected to be free for it. */
  at: number
}

/** The calls in one classifier, oldest first, and how long such calls took. It says when the classifier will be free. */
export class CallQueue {
  readonly size: CallSize
  readonly #open: OpenCall[] = []
  #answeredAt = Number.NEGATIVE_INFINITY

  constructor(callMs: number) {
    this.size = new CallSize(callMs)
  }

  get length(): number {
    return this.#open.length
  }

  sent(rows: CallRows, at: number): OpenCall {
    const call = { rows, at }
    this.#open.push(call)
    return call
  }

  /** Returns how long the call took. `measuredMs` is that time, if somebody nearer to the classifier measured it. */
  answered(call: OpenCall, now: number, measuredMs: number | null = null): number {
    const ms = measuredMs ?? this.size.answered(call.rows, call.at, now)
    if (measuredMs !== null) this.size.took(call.rows, measuredMs)
    this.#answeredAt = now
    this.ended(call)
    return ms
  }

  /** The call has no answer, or its answer was counted. */
  ended(call: OpenCall): void {
    const at = this.#open.indexOf(call)
    if (at >= 0) this.#open.splice(at, 1)
  }

  /** How long until it has answered every call. Infinity: the oldest call is overdue. */
  freeInMs(now: number): number {
    const [oldest] = this.#open
    if (!oldest) return 0
    const [first = 0, ...others] = this.#open.map(({ rows }) => this.size.msFor(rows.job, rows.count) ?? 0)
    const spent = now - Math.max(oldest.at, this.#answeredAt)
    if (spent > first * OVERDUE_TIMES + OVERDUE_MS) return Number.POSITIVE_INFINITY
    return Math.max(0, first - spent) + others.reduce((sum, ms) => sum + ms, 0)
  }
}
