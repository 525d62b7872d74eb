import type { Source, SourceHeader, SourceRows } from '../connector.ts'
import type { Values } from '../model.ts'
import { rowBytes } from '../wire/packed-rows.ts'
import { FIRST_ROWS, firstOf, plannedRows, type RowRange, type Sample, type SampleSize } from './sample.ts'

/** Rows that take more than this together are not kept. */
const MOST_BYTES = 2 * 1024 * 1024

/** A source that keeps some of the rows that it hands on. */
export class SampledSource implements Source {
  readonly #source: Source
  readonly #size: SampleSize
  readonly #first = Promise.withResolvers<Sample>()
  readonly #all = Promise.withResolvers<Sample>()
  readonly #kept: { rows: Values[]; seqs: number[]; lines: (number | null)[] } = { rows: [], seqs: [], lines: [] }
  #ranges: readonly RowRange[] = []
  #bytes = 0
  /** Every row below this seq was looked at. */
  #seen = 0

  constructor(source: Source, size: SampleSize) {
    this.#source = source
    this.#size = size
  }

  /** The first rows, once they were read. Never settles if the source fails before. */
  get first(): Promise<Sample> {
    return this.#first.promise
  }

  /** All rows to try, once the source was read to its end. Never settles if the source fails before. */
  get all(): Promise<Sample> {
    return this.#all.promise
  }

  /** At most how many rows are kept. */
  get planned(): number {
    return this.#ranges.reduce((sum, { from, to }) => sum + to - from, 0)
  }

  /** The number of rows that the source had in all. Known once `all` is. */
  get total(): number {
    return this.#seen
  }

  async open(counted?: (rows: number) => void): Promise<SourceHeader> {
    const header = await this.#source.open(counted)
    this.#ranges = plannedRows(this.#size, header.total)
    return header
  }

  async *rows(): AsyncGenerator<SourceRows> {
    let seq = 0
    for await (const piece of this.#source.rows()) {
      this.#look(piece, seq)
      seq += piece.rows.length
      if (this.#kept.rows.length >= FIRST_ROWS) this.#first.resolve(firstOf(this.#kept, FIRST_ROWS))
      yield piece
    }
    this.#first.resolve(firstOf(this.#kept, FIRST_ROWS))
    this.#all.resolve(this.#kept)
  }

  /** If an earlier publisher sent the rows, nobody has read them here yet. */
  async published(): Promise<void> {
    if (this.#seen === 0) for await (const _ of this.rows());
    await this.#source.published?.()
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  /** The source may be read twice. Rows are kept the first time. */
  #look({ rows, lines }: SourceRows, first: number): void {
    const end = first + rows.length
    for (const { from, to } of this.#ranges) {
      for (let seq = Math.max(from, first, this.#seen); seq < Math.min(to, end); seq++) {
        const row = rows[seq - first]!
        this.#bytes += rowBytes(row)
        if (this.#bytes > MOST_BYTES) continue
        this.#kept.rows.push(row)
        this.#kept.seqs.push(seq)
        this.#kept.lines.push(lines?.[seq - first] ?? null)
      }
    }
    this.#seen = Math.max(this.#seen, end)
  }
}
