import type { KindsSeen } from '../core/output-kinds.ts'
import type { ReadCheckpoint } from '../core/row-order.ts'
import type { CellChanges, ColumnsSeen } from '../core/whole-columns.ts'
import { RowmillError } from '../errors.ts'

/** The note in a checkpoint: where to resume, and what later results must agree with. */
export type CollectorNote = ReadCheckpoint & {
  readonly job: string
  readonly attempt: number
  readonly pipeline: string
  /** The columns of the output. Null before its first row. */
  readonly columns: readonly string[] | null
  readonly kinds: KindsSeen
  /** What the rows so far say about whole columns. Null: nobody asks. */
  readonly seen?: ColumnsSeen | null
  /** Set while the output is written a second time, with these changes. */
  readonly changes?: CellChanges | null
  /** How many rows were written with them. */
  readonly written?: number
}

/** Reads a note. Throws OUTPUT_UNUSABLE if it is of another job, or was changed. */
export function readNote(
  text: string | null,
  { job, pipeline }: { job: string; pipeline: string },
): CollectorNote | null {
  if (text === null) return null
  const note = parse(text)
  if (note.job !== job || note.pipeline !== pipeline) {
    const message = `the output holds an unfinished job, ${note.job} of pipeline ${note.pipeline}. Finish that job first, or discard it with --restart`
    throw new RowmillError('OUTPUT_UNUSABLE', message, { job: note.job, pipeline: note.pipeline })
  }
  const numbers = [...('seq' in note ? [note.seq] : []), ...Object.values(note.counts), ...note.offsets]
  if (numbers.every(Number.isSafeInteger)) return note
  throw changed()
}

/** Parses a note. Its missing fields get defaults. */
function parse(text: string): CollectorNote {
  try {
    const note = JSON.parse(text)
    return { counts: {}, offsets: [], ...note }
  } catch {
    throw changed()
  }
}

/** The error if a checkpoint is not what a collector wrote. */
export function changed(): RowmillError {
  const message = 'the checkpoint was modified after rowmill wrote it. --restart starts over from the first row'
  return new RowmillError('OUTPUT_UNUSABLE', message)
}
