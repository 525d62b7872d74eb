import { CellMap } from './cell-map.ts'
import type { PassingRow } from './passing-row.ts'
import type { KeptRow } from './sample.ts'

/** So many rows are remembered, unless they take more bytes than this. */
const REMEMBERED_ROWS = 4096
const REMEMBERED_BYTES = 1024 * 1024
/** A longer row is not tried. */
const ROW_BYTES = 32 * 1024
/** Only so many columns are looked at. */
const MOST_COLUMNS = 30
/** After so many pairs a column is not looked at any more. */
const PAIRS_OF_COLUMN = 2

interface Column {
  readonly at: number
  /** The first row with each cell. */
  readonly rows: CellMap<KeptRow>
  pairs: number
}

/**
 * Finds rows far apart with the same cell in a column in which most cells differ, such as an id or an address. A function that
 * drops duplicates or counts a group gives such rows another result together than apart, and no run of neighbours shows that.
 * The earlier row of a pair is one of the first rows of the job.
 */
export class Twins {
  readonly #most: number
  readonly #found = new Map<number, KeptRow>()
  /** The columns that are looked at. Null before the first row. None once it is full. */
  #columns: Column[] | null = null
  #room = { rows: REMEMBERED_ROWS, bytes: REMEMBERED_BYTES }

  /** Finds at most `most` rows. */
  constructor(most: number) {
    this.#most = most
  }

  /** The rows of all pairs, by number. */
  get found(): readonly KeptRow[] {
    return [...this.#found.values()]
  }

  /** Looks at the next row of the job. A pair of rows that are `tried` anyway counts for its column, and is not kept. */
  see(row: PassingRow, tried: boolean): void {
    const { cells } = row
    const { bytes } = cells
    this.#columns ??= this.#isFull
      ? []
      : Array.from({ length: Math.min(cells.width, MOST_COLUMNS) }, (_, at) => ({ at, rows: new CellMap(), pairs: 0 }))
    if (this.#columns.length === 0) return
    const remembers = this.#remembers(row)
    for (const column of this.#columns) {
      const start = cells.startOf(column.at)
      const end = cells.endOf(column.at)
      if (start === end) continue
      const twin = column.rows.get(bytes, start, end)
      if (twin === undefined) {
        if (remembers) column.rows.add(bytes, start, end, row.kept())
      } else if (++column.pairs >= PAIRS_OF_COLUMN) {
        this.#columns = this.#columns.filter(other => other !== column)
      }
      if (twin && !tried) this.#keep(twin, row)
    }
  }

  /** Whether there is no room for another pair. */
  get #isFull(): boolean {
    return this.#found.size + 2 > this.#most
  }

  #remembers(row: PassingRow): boolean {
    if (this.#room.rows === 0) return false
    const bytes = this.#room.bytes - row.bytes
    this.#room = bytes < 0 ? { rows: 0, bytes: 0 } : { rows: this.#room.rows - 1, bytes }
    return bytes >= 0
  }

  #keep(twin: KeptRow, row: PassingRow): void {
    if (this.#isFull || row.bytes > ROW_BYTES) return
    for (const kept of [twin, row.kept()]) this.#found.set(kept.seq, kept)
    if (this.#isFull) this.#columns = []
  }
}
