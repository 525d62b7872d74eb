import { RowmillError } from '../errors.ts'
import type { Result } from '../model.ts'
import { type ResultSlice, rejectedOf, rowCount, rowsOutOf, sameColumns } from './result-slice.ts'
import {
  type ArrivalCheckpoint,
  type MessageOffset,
  type RowCounts,
  type RowOrder,
  withoutSameRowsOut,
} from './row-order.ts'

/** A result that was not taken yet, and the highest input offset before it. */
interface PendingResult {
  readonly slice: ResultSlice
  readonly before: number
}

/**
 * The results of a job without sequence, in the order of their arrival. A worker serves the messages of a partition in
 * the order of their offsets and sends one result for each. So a result that is not above the highest input offset of its
 * partition is a copy: it is dropped and counted. Gaps are normal: other jobs have rows there.
 *
 * It needs no RowLedger: such a job has one attempt and one epoch, and a checkpoint must be able to go back to `before`.
 */
export class ArrivalOrder implements RowOrder {
  /** Any partition will do, and no end is counted: only `jobs` says that the job has ended. */
  readonly wanted = null
  readonly seq = null
  readonly complete = false
  readonly endedEpoch = 0
  readonly #job: string
  readonly #offsets: number[]
  readonly #highest: number[]
  readonly #waiting: PendingResult[] = []
  #rows: number
  #rejects: number
  #duplicates: number
  #rowsOut: number

  constructor(job: string, { counts, offsets, highest }: ArrivalCheckpoint) {
    this.#job = job
    this.#offsets = [...offsets]
    this.#highest = [...highest]
    this.#rows = counts.rows
    this.#rejects = counts.rejects
    this.#duplicates = counts.duplicates
    this.#rowsOut = counts.rowsOut ?? counts.rows
  }

  reach(from: readonly number[]): void {
    for (let partition = this.#offsets.length; partition < from.length; partition++) {
      this.#offsets.push(from[partition]!)
      this.#highest.push(-1)
    }
  }

  get checkpoint(): ArrivalCheckpoint {
    const offsets = [...this.#offsets]
    const highest = [...this.#highest]
    for (const { slice, before } of this.#waiting.toReversed()) {
      offsets[slice.partition] = slice.offset
      highest[slice.partition] = before
    }
    return { counts: this.counts, offsets, highest }
  }

  get counts(): RowCounts {
    return withoutSameRowsOut({
      rows: this.#rows,
      rejects: this.#rejects,
      duplicates: this.#duplicates,
      rowsOut: this.#rowsOut,
    })
  }

  get next(): Result | null {
    return this.#waiting[0]?.slice.result ?? null
  }

  offer({ topic, partition, offset }: MessageOffset, result: Result): number {
    this.#offsets[partition] = offset + 1
    const before = this.#highest[partition]!
    if (result.count !== 1) {
      const message = `job ${this.#job}, ${topic}[${partition}]@${offset}: a result has ${result.count} rows, but in a job without sequence every row has a result of its own`
      throw new RowmillError('ROW_MALFORMED', message, { job: this.#job })
    }
    if (result.first <= before) {
      this.#duplicates++
      return 0
    }
    this.#highest[partition] = result.first
    this.#waiting.push({ slice: { result, partition, offset, index: 0, count: 1, seq: null }, before })
    return 1
  }

  /** A job without sequence has no epochs. */
  barrier(): void {}

  /** A job without sequence has no ends of input. */
  end(): void {}

  take(): ResultSlice[] {
    let columnsOf: Result | null = null
    const change = this.#waiting.findIndex(({ slice: { result } }) => {
      if (columnsOf && !sameColumns(columnsOf, result)) return true
      if (rowCount(result) > 0) columnsOf = result
      return false
    })
    const taken = this.#waiting.splice(0, change < 0 ? this.#waiting.length : change).map(({ slice }) => slice)
    const rejects = taken.reduce((sum, slice) => sum + rejectedOf(slice).length, 0)
    this.#rejects += rejects
    this.#rows += taken.length - rejects
    this.#rowsOut += taken.reduce((sum, slice) => sum + rowsOutOf(slice), 0)
    return taken
  }
}
