import type { EndOfInput, Result, Rows } from '../model.ts'
import type { ResultSlice } from './result-slice.ts'

/** Where a message was found. */
export interface MessageOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** The rows handed out so far. Duplicates are copies, and rows that a newer epoch replaced. */
export interface RowCounts {
  /** Rows with a result. */
  readonly rows: number
  readonly rejects: number
  readonly duplicates: number
  /** Output rows. Missing if each row with a result has one. */
  readonly rowsOut?: number
}

/** The same counts. `rowsOut` is left out if it is `rows`. */
export function withoutSameRowsOut({ rowsOut, ...counts }: Required<RowCounts>): RowCounts {
  return rowsOut === counts.rows ? counts : { ...counts, rowsOut }
}

/** An epoch and its `from`, the lowest seq that its producer did not find: rows of older epochs count only below it. */
export type EpochStart = readonly [epoch: number, from: number]

/** Where to resume a job with sequence: a reassembler that starts here and reads from `offsets` leaves no gap. */
export interface SequenceCheckpoint {
  /** The next row to hand out. */
  readonly seq: number
  readonly counts: RowCounts
  /** For each partition, the offset of the first message that is not completely handed out. Ends of input never are. */
  readonly offsets: readonly number[]
  /** For each partition, the highest epoch before that message. Missing if only epoch 0 was seen. */
  readonly epochs?: readonly number[]
  /** The starts of epochs that some partition has not reached, in order. */
  readonly starts?: readonly EpochStart[]
}

/** Where to resume a job without sequence: an order that starts here and reads from `offsets` hands out exactly the rest. */
export interface ArrivalCheckpoint {
  readonly counts: RowCounts
  /** For each known partition of `results`, the offset of the first message that was not handed out. */
  readonly offsets: readonly number[]
  /** For each partition, the input offset of the last row handed out; -1 if there is none. */
  readonly highest: readonly number[]
}

export type ReadCheckpoint = SequenceCheckpoint | ArrivalCheckpoint

/**
 * The order in which the rows of a job are handed out. The caller reads each partition of `results` in log order, offers
 * every message, and takes what is in order. It reads the wanted partition, or any if none is wanted.
 */
export interface RowOrder {
  /** Offers a result. Returns how many of its rows are first copies. Throws ROW_GAP and ROW_MALFORMED. */
  offer(at: MessageOffset, result: Result): number
  /** Offers a barrier: the message without rows that begins an epoch in a partition. */
  barrier(at: MessageOffset, barrier: Pick<Rows, 'epoch'>): void
  /** Offers the end of input of a partition. Throws ROW_GAP and ROW_MALFORMED. */
  end(at: MessageOffset, end: EndOfInput): void
  /** `results` has more partitions now, each read from its offset in `from`. */
  reach(from: readonly number[]): void
  /**
   * Takes the rows that are next in order. One call returns rows with the same output columns: repeat it until it returns
   * none.
   */
  take(): ResultSlice[]

  /** The result whose row `take` returns first; null if there is none. */
  readonly next: Result | null
  /** The partition that has the next row, or whose end of input is missing. Null if no partition is wanted. */
  readonly wanted: number | null
  /** The next row to hand out; null in a job without sequence. */
  readonly seq: number | null
  /** Whether every row was handed out and all ends of input of one epoch agree. Never in a job without sequence. */
  readonly complete: boolean
  /** The epoch of those ends of input. */
  readonly endedEpoch: number
  readonly counts: RowCounts
  /** Where to resume after the rows that were handed out. */
  readonly checkpoint: ReadCheckpoint
}
