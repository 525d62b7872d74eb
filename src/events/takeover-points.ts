import type { TakeoverPoint } from '../core/job-epochs.ts'
import { crashPoint } from '../support/crash-point.ts'
import type { EventPublisher } from './event-publisher.ts'

/** Where takeover points come from and go to. */
export interface TakeoverPointsOptions {
  /** The end of each partition of the topic of the rows at the time of the call. */
  ends(): Promise<readonly number[]>
  append(point: Omit<TakeoverPoint, 'epoch'>): Promise<void>
}

/** A takeover point is due after this many rows, and after this long while rows flow. */
const POINT_ROWS = 100_000
const POINT_MS = 3_600_000

/**
 * Records in `jobs` now and then where the recent rows of a job begin. So a takeover reads only a part of the log, and
 * knows the seq even if the rows were deleted. A point that cannot be written is written later: it only saves reading.
 */
export class TakeoverPoints {
  readonly #publisher: EventPublisher
  readonly #options: TakeoverPointsOptions
  readonly #timer: NodeJS.Timeout
  #from: number
  #writing: Promise<void> | null = null

  constructor(publisher: EventPublisher, options: TakeoverPointsOptions) {
    this.#publisher = publisher
    this.#options = options
    this.#from = publisher.safe
    this.#timer = setInterval(() => this.due(1), POINT_MS).unref()
  }

  /** Writes a takeover point if the last one is this many rows ago. */
  due(rows = POINT_ROWS): void {
    if (this.#writing || this.#publisher.handed - this.#from < rows) return
    this.#writing = this.write(false)
      .catch(() => {})
      .finally(() => {
        this.#writing = null
      })
  }

  /** `closed`: no row comes after it. */
  async write(closed: boolean): Promise<void> {
    const rowsFrom = await this.#options.ends()
    const from = this.#publisher.handed // after the answer: a row that was not sent by now lies after the ends
    this.#from = from
    await this.#publisher.untilSafe(from)
    await this.#options.append({ from, rowsFrom, closed })
    crashPoint('marked')
  }

  /** Resolves when nothing is being written any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
  }
}
