import type { PackedRows } from '../connector.ts'
import { RowCursor } from '../wire/row-cursor.ts'
import type { KeptRow } from './sample.ts'

/** The rows of a piece one by one, as bytes. A row becomes text only where it is kept. */
export class PassingRow {
  readonly cells: RowCursor
  readonly #lines: readonly number[] | null
  readonly #first: number
  #index = -1
  #kept: KeptRow | null = null

  /** `first` is the number of the first row. */
  constructor(packed: PackedRows, { lines, first }: { lines: readonly number[] | null; first: number }) {
    this.cells = new RowCursor(packed)
    this.#lines = lines
    this.#first = first
  }

  /** Moves to the next row. Returns false after the last one. */
  next(): boolean {
    this.#index++
    this.#kept = null
    return this.cells.next()
  }

  get seq(): number {
    return this.#first + this.#index
  }

  /** How many bytes the row takes in a message. */
  get bytes(): number {
    return this.cells.end - this.cells.from
  }

  /** The row as text. */
  kept(): KeptRow {
    this.#kept ??= { row: this.cells.values(), seq: this.seq, line: this.#lines?.[this.#index] ?? null }
    return this.#kept
  }
}
