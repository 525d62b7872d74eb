/** How many rows the first call gets: a slow classifier is found out early. */
const FIRST_ROWS = 20
/** What an answer still counts when the next one comes: the last five or so decide. */
const FADING = 0.8
/** Of more jobs than that the pace of the oldest is forgotten. */
const MAX_JOBS = 1000

interface Spent {
  readonly ms: number
  readonly rows: number
}

/** A message of rows, of which earlier calls may have had some. */
export interface MessageRows {
  readonly count: number
  /** How many went into earlier calls. */
  readonly cut: number
}

/** How many rows of a job a call of the classifier may have so that it takes no longer than `callMs`. */
export class Pace {
  readonly #callMs: number
  readonly #spent = new Map<string, Spent>()
  #answeredAt = Number.NEGATIVE_INFINITY

  constructor(callMs: number) {
    this.#callMs = callMs
  }

  /** At least 1, at most `maxRows`. `message` is that of the next row. */
  rowsAtOnce(job: string, message: MessageRows, maxRows: number): number {
    const spent = this.#spent.get(job)
    const rows = spent ? Math.floor((this.#callMs * spent.rows) / spent.ms) : FIRST_ROWS
    return evenly(Math.max(1, Math.min(maxRows, rows)), message)
  }

  /** Told of every answer, in their order. A call begins when it was sent, or else when the one before it was answered. */
  answered({ job, count }: { job: string; count: number }, sentAt: number, now: number): void {
    const ms = now - Math.max(sentAt, this.#answeredAt)
    this.#answeredAt = now
    if (count === 0) return
    const before = this.#spent.get(job) ?? { ms: 0, rows: 0 }
    this.#spent.delete(job)
    this.#spent.set(job, { ms: before.ms * FADING + ms, rows: before.rows * FADING + count })
    if (this.#spent.size > MAX_JOBS) this.#spent.delete(this.#spent.keys().next().value!)
  }
}

/**
 * At most `most` rows, so that calls hold whole messages, or about equal parts of one: a message in two calls is decoded
 * twice, and a call of a few rows is over before the worker has sent another one.
 */
function evenly(most: number, { count, cut }: MessageRows): number {
  const left = count - cut
  if (left > most) return Math.ceil(left / Math.ceil(left / most))
  return cut > 0 ? left : Math.floor(most / left) * left
}
