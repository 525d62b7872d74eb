import { RowmillError } from '../errors.ts'
import type { Result } from '../model.ts'
import type { MessagePlace, ReassembledCounts } from './reassembler.ts'
import { type Run, rejectedOf, sameColumns } from './result-run.ts'

/** Where a reader of unsequenced results stands: one that begins so, and reads `offsets`, hands out exactly the rest. */
export interface ArrivalPosition {
  readonly counts: ReassembledCounts
  /** For each partition of `results`, as known by then, the offset of the first message that was not handed out. */
  readonly offsets: readonly number[]
  /** For each partition the input offset of the last row handed out; -1: none was. */
  readonly highest: readonly number[]
}

/** A result that was offered and not taken, and what was the highest before it. */
interface Waiting {
  readonly run: Run
  readonly before: number
}

/**
 * The results of a job whose rows have no sequence, in the order in which they arrive. A worker handles its messages in
 * the order of their offsets in the input and leaves one result for each: what is not above the highest offset seen of its
 * partition came again, and is dropped and counted. Holes are normal: other jobs have rows there.
 */
export class ArrivalOrder {
  readonly #job: string
  readonly #offsets: number[]
  readonly #highest: number[]
  readonly #waiting: Waiting[] = []
  #rows: number
  #rejects: number
  #duplicates: number

  constructor(job: string, { counts, offsets, highest }: ArrivalPosition) {
    this.#job = job
    this.#offsets = [...offsets]
    this.#highest = [...highest]
    this.#rows = counts.rows
    this.#rejects = counts.rejects
    this.#duplicates = counts.duplicates
  }

  /** There are more partitions now, each read from its offset in `from`. */
  reach(from: readonly number[]): void {
    for (let partition = this.#offsets.length; partition < from.length; partition++) {
      this.#offsets.push(from[partition]!)
      this.#highest.push(-1)
    }
  }

  /** Where the rows stand that were taken so far. */
  get position(): ArrivalPosition {
    const [offsets, highest] = [[...this.#offsets], [...this.#highest]]
    for (const { run, before } of this.#waiting.toReversed()) {
      offsets[run.partition] = run.offset
      highest[run.partition] = before
    }
    return { counts: this.counts, offsets, highest }
  }

  get counts(): ReassembledCounts {
    return { rows: this.#rows, rejects: this.#rejects, duplicates: this.#duplicates }
  }

  /** The result that is to be handed out next. */
  get next(): Result | null {
    return this.#waiting[0]?.run.result ?? null
  }

  /** Offers the next result of a partition; returns 1, or 0 where it came before. Throws ROW_MALFORMED. */
  offer({ topic, partition, offset }: MessagePlace, result: Result): number {
    this.#offsets[partition] = offset + 1
    const before = this.#highest[partition]!
    if (result.count !== 1) {
      const message = `job ${this.#job}, ${topic}[${partition}]@${offset}: a result of ${result.count} rows in a job without sequence, where each row has one of its own`
      throw new RowmillError('ROW_MALFORMED', message, { job: this.#job })
    }
    if (result.first <= before) {
      this.#duplicates++
      return 0
    }
    this.#highest[partition] = result.first
    this.#waiting.push({ run: { result, partition, offset, index: 0, count: 1, seq: null }, before })
    return 1
  }

  /** What was offered and not taken yet; ends where the columns of the output change, as `Reassembler.take`. */
  take(): Run[] {
    let columnsOf: Result | null = null
    const change = this.#waiting.findIndex(({ run: { result } }) => {
      if (columnsOf && !sameColumns(columnsOf, result)) return true
      if (result.rows.length > 0) columnsOf = result
      return false
    })
    const taken = this.#waiting.splice(0, change < 0 ? this.#waiting.length : change).map(({ run }) => run)
    const rejects = taken.reduce((sum, run) => sum + rejectedOf(run).length, 0)
    this.#rejects += rejects
    this.#rows += taken.length - rejects
    return taken
  }
}
