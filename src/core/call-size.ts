/** Rows of the first call. It is small, so that a slow classifier shows early. */
const FIRST_ROWS = 20
/** The weight of an answer when the next one arrives: about the last five decide. */
const FADING = 0.8
/** How many jobs are remembered. */
const MAX_JOBS = 1000

interface Spent {
  readonly ms: number
  readonly rows: number
}

/** A rows message. Earlier calls may have got some of its rows. */
export interface MessageRows {
  readonly count: number
  /** Rows that earlier calls got. */
  readonly cut: number
}

/** Learns how many rows of a job fit into a classifier call of `callMs`. */
export class CallSize {
  readonly #callMs: number
  readonly #spent = new Map<string, Spent>()
  #answeredAt = Number.NEGATIVE_INFINITY

  constructor(callMs: number) {
    this.#callMs = callMs
  }

  /** From 1 to `maxRows`. `message` holds the next row. */
  rowsAtOnce(job: string, message: MessageRows, maxRows: number): number {
    const spent = this.#spent.get(job)
    const rows = spent ? Math.floor((this.#callMs * spent.rows) / spent.ms) : FIRST_ROWS
    return evenly(Math.max(1, Math.min(maxRows, rows)), message)
  }

  /** How long a call with so many rows of the job takes. Null: it has no answer yet. */
  msFor(job: string, rows: number): number | null {
    const spent = this.#spent.get(job)
    return spent ? (spent.ms / spent.rows) * rows : null
  }

  /** Records each answer, in order. A call begins when it was sent, or when the call before it was answered. Returns how long it took. */
  answered(rows: { job: string; count: number }, sentAt: number, now: number): number {
    const ms = now - Math.max(sentAt, this.#answeredAt)
    this.#answeredAt = now
    this.took(rows, ms)
    return ms
  }

  /** Records how long a call took. */
  took({ job, count }: { job: string; count: number }, ms: number): void {
    if (count === 0) return
    const before = this.#spent.get(job) ?? { ms: 0, rows: 0 }
    this.#spent.delete(job)
    this.#spent.set(job, { ms: before.ms * FADING + ms, rows: before.rows * FADING + count })
    if (this.#spent.size > MAX_JOBS) this.#spent.delete(this.#spent.keys().next().value!)
  }
}

/**
 * At most `most` rows: whole messages, or parts of one message that are about equal. A message in two calls is decoded
 * twice, and a call with few rows ends before the worker has sent the next one.
 */
function evenly(most: number, { count, cut }: MessageRows): number {
  const left = count - cut
  if (left > most) return Math.ceil(left / Math.ceil(left / most))
  return cut > 0 ? left : Math.floor(most / left) * left
}
