import type { PackedRows } from '../connector.ts'
import type { Values } from '../model.ts'
import { PackedCursor } from './packed-cursor.ts'

/** Visits packed rows one by one, and knows where each cell of the present row is. */
export class RowCursor {
  readonly bytes: Buffer
  readonly #cursor: PackedCursor
  #left: number
  /** Where the present row begins, and where the next one does. */
  from = 0
  end = 0
  /** How many cells the present row has. */
  width = 0
  readonly #starts: number[] = []
  readonly #ends: number[] = []

  constructor({ bytes, count }: PackedRows) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#cursor = new PackedCursor(bytes, 0)
    this.#left = count
  }

  /** Moves to the next row. Returns false after the last one. */
  next(): boolean {
    if (this.#left-- <= 0) return false
    const cursor = this.#cursor
    this.from = cursor.at
    const width = cursor.next()
    for (let cell = 0; cell < width; cell++) {
      const length = cursor.next()
      this.#starts[cell] = cursor.at
      cursor.at += length
      this.#ends[cell] = cursor.at
    }
    if (width > 0) cursor.at++ // the 0 at the end of its cells
    this.width = width
    this.end = cursor.at
    return true
  }

  /** Where the bytes of a cell begin. A cell that the row does not have is empty. */
  startOf(cell: number): number {
    return cell < this.width ? this.#starts[cell]! : this.from
  }

  /** Where the bytes of a cell end. */
  endOf(cell: number): number {
    return cell < this.width ? this.#ends[cell]! : this.from
  }

  /** The cells of the present row as texts. */
  values(): Values {
    return Array.from({ length: this.width }, (_, cell) =>
      this.bytes.toString('utf8', this.#starts[cell], this.#ends[cell]),
    )
  }
}
