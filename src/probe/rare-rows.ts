import { rowBytes } from '../wire/packed-rows.ts'
import { CellMap } from './cell-map.ts'
import type { PassingRow } from './passing-row.ts'
import type { KeptRow } from './sample.ts'

/** A longer row is not tried. */
const ROW_BYTES = 4 * 1024
/** Only so many columns are looked at. */
const MOST_COLUMNS = 30
/** A column with more different cells has no rare ones. */
const MOST_CELLS = 64

const [EMPTY, SIGN, DIGIT, OTHER] = [0, 1, 2, 3]

interface SeenColumn {
  readonly at: number
  /** The first row with each cell. Null: there are too many. */
  cells: CellMap<KeptRow> | null
  /** The first row with each way in which a cell begins. */
  readonly beginnings: KeptRow[]
}

/**
 * Finds rows with something rare: a cell that few rows have in a column of few different cells, or the first cell of a column
 * that is empty, has a sign, or is no number. A function that fills in a mean is found only by a row with a missing cell.
 */
export class RareRows {
  #columns: SeenColumn[] | null = null

  /** Looks at the next row of the job. */
  see(row: PassingRow): void {
    const { cells } = row
    const { bytes } = cells
    this.#columns ??= Array.from({ length: Math.min(cells.width, MOST_COLUMNS) }, (_, at) => ({
      at,
      cells: new CellMap(),
      beginnings: [],
    }))
    for (const column of this.#columns) {
      const start = cells.startOf(column.at)
      const end = cells.endOf(column.at)
      column.beginnings[start === end ? EMPTY : beginningOf(bytes[start]!)] ??= row.kept()
      if (column.cells === null || column.cells.get(bytes, start, end)) continue
      column.cells.add(bytes, start, end, row.kept())
      if (column.cells.size > MOST_CELLS) column.cells = null
    }
  }

  /** These rows, the last one first: what was seen late is rare. */
  get found(): readonly KeptRow[] {
    const all = (this.#columns ?? []).flatMap(({ cells, beginnings }) => [...(cells?.values() ?? []), ...beginnings])
    const bySeq = new Map(all.filter(kept => kept && rowBytes(kept.row) <= ROW_BYTES).map(kept => [kept.seq, kept]))
    return [...bySeq.values()].sort((a, b) => b.seq - a.seq)
  }
}

/** By the first byte of a cell. */
function beginningOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return DIGIT
  return byte === 45 ? SIGN : OTHER
}
