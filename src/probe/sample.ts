import type { Values } from '../model.ts'

/** Some rows of a job, in its order. They are not always neighbours. */
export interface Sample {
  readonly rows: readonly Values[]
  readonly seqs: readonly number[]
  /** The line in which each row begins. Null: the source does not know it. */
  readonly lines: readonly (number | null)[]
}

/** A row of a job, its number, and the line in which it begins. */
export interface KeptRow {
  readonly row: Values
  readonly seq: number
  readonly line: number | null
}

/** The first rows of a job. They are tried before the others: most functions that look at other rows need no more. */
export const FIRST_ROWS = 20
/** A sample of so few rows is tried at once. */
export const AT_ONCE_ROWS = 30

/** Of a small job at most every 100th row is tried: twice, so the probe takes about 2 % of the time of the job. */
const SHARE = 100
/** But this many rows of any job are. */
const FEW_ROWS = 60

/** Rows from `from` up to `to`, which is not among them. */
export interface RowRange {
  readonly from: number
  readonly to: number
}

export interface SampleSize {
  /** At most how many rows to try. */
  readonly most: number
  /** Whether to try fewer rows of a small job. Default: yes. */
  readonly share?: boolean
}

/**
 * Which rows of a job to try: half of them are its first rows, the others are from the middle and the end. If nobody knows
 * how many rows the job has, all of them are its first rows.
 */
export function plannedRows({ most, share = true }: SampleSize, total: number | null): readonly RowRange[] {
  if (total === null) return [{ from: 0, to: most }]
  const count = share ? Math.min(most, Math.max(FEW_ROWS, Math.ceil(total / SHARE))) : most
  if (total <= count) return [{ from: 0, to: total }]
  const quarter = Math.floor(count / 4)
  const middle = Math.floor(total / 2)
  return [
    { from: 0, to: count - 2 * quarter },
    { from: middle, to: middle + quarter },
    { from: total - quarter, to: total },
  ]
}

/** These rows, in the order of the job. */
export function sampleOf(kept: readonly KeptRow[]): Sample {
  const sorted = kept.toSorted((a, b) => a.seq - b.seq)
  return {
    rows: sorted.map(({ row }) => row),
    seqs: sorted.map(({ seq }) => seq),
    lines: sorted.map(({ line }) => line),
  }
}

/** The first rows of a sample. */
export function firstOf({ rows, seqs, lines }: Sample, count: number): Sample {
  return { rows: rows.slice(0, count), seqs: seqs.slice(0, count), lines: lines.slice(0, count) }
}

/** Fewer rows, from all parts of a sample, for a slow function. `total` is the number of rows of the job. */
export function fewerOf({ rows, seqs, lines }: Sample, total: number): Sample {
  const count = Math.min(rows.length, Math.max(FIRST_ROWS, Math.ceil(total / SHARE)))
  const places = Array.from({ length: count }, (_, i) => Math.floor((i * rows.length) / count))
  const chosen = <T>(all: readonly T[]) => places.map(at => all[at]!)
  return { rows: chosen(rows), seqs: chosen(seqs), lines: chosen(lines) }
}
