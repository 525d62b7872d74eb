import type { Source, SourceHeader, SourceRows } from '../connector.ts'
import { rowBytes } from '../wire/packed-rows.ts'
import { RareRows } from './rare-rows.ts'
import {
  FIRST_ROWS,
  type KeptRow,
  plannedRows,
  type RowRange,
  type Sample,
  type SampleSize,
  sampleOf,
} from './sample.ts'
import { Twins } from './twins.ts'

/** Rows that take more than this together are not kept. */
const MOST_BYTES = 2 * 1024 * 1024
/** One of so many rows may be a twin, and one of so many a rare one. */
const TWIN_SHARE = 10
const RARE_SHARE = 10

/** A source that keeps some of the rows that it hands on. */
export class SampledSource implements Source {
  readonly #source: Source
  readonly #size: SampleSize
  readonly #first = Promise.withResolvers<Sample>()
  readonly #all = Promise.withResolvers<Sample>()
  readonly #kept: KeptRow[] = []
  readonly #twins: Twins
  readonly #rare = new RareRows()
  #ranges: readonly RowRange[] = []
  #bytes = 0
  /** Every row below this seq was looked at. */
  #seen = 0

  constructor(source: Source, size: SampleSize) {
    this.#source = source
    this.#size = size
    this.#twins = new Twins(Math.floor(size.most / TWIN_SHARE))
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
      if (this.#kept.length >= FIRST_ROWS) this.#first.resolve(sampleOf(this.#kept.slice(0, FIRST_ROWS)))
      yield piece
    }
    this.#first.resolve(sampleOf(this.#kept.slice(0, FIRST_ROWS)))
    this.#all.resolve(this.#withOthers())
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
    for (let seq = Math.max(first, this.#seen); seq < end; seq++) {
      const kept = { row: rows[seq - first]!, seq, line: lines?.[seq - first] ?? null }
      this.#twins.see(kept, seq < this.#ranges[0]!.to)
      this.#rare.see(kept)
      if (!this.#ranges.some(({ from, to }) => seq >= from && seq < to)) continue
      this.#bytes += rowBytes(kept.row)
      if (this.#bytes <= MOST_BYTES) this.#kept.push(kept)
    }
    this.#seen = Math.max(this.#seen, end)
  }

  /** All rows to try. Twins and rare rows take the place of the last ones. */
  #withOthers(): Sample {
    const planned = new Set(this.#kept.map(({ seq }) => seq))
    const rare = this.#rare.found.filter(({ seq }) => !planned.has(seq))
    const others = [...this.#twins.found, ...rare.slice(0, Math.floor(this.planned / RARE_SHARE))]
    const all = new Map([...others, ...this.#kept].map(kept => [kept.seq, kept]))
    return sampleOf([...all.values()].slice(0, this.planned))
  }
}
