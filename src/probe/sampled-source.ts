import type { PackedSourceRows, Source, SourceHeader, SourceRows } from '../connector.ts'
import { packedRows } from '../wire/packed-rows.ts'
import { packedPiecesOf } from '../wire/packed-source.ts'
import { PassingRow } from './passing-row.ts'
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
      const packed = packedRows(piece.rows)
      if (packed !== null) this.#look({ packed, lines: piece.lines }, seq)
      seq += piece.rows.length
      yield piece
    }
    this.#end()
  }

  async *packed(): AsyncGenerator<SourceRows | PackedSourceRows> {
    let seq = 0
    for await (const piece of packedPiecesOf(this.#source)) {
      if ('packed' in piece) {
        this.#look(piece, seq)
        seq += piece.packed.count
      }
      yield piece
    }
    this.#end()
  }

  /** If an earlier publisher sent the rows, nobody has read them here yet. */
  async published(): Promise<void> {
    if (this.#seen === 0) for await (const _ of this.packed());
    await this.#source.published?.()
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  /** The source may be read twice. Rows are kept the first time. */
  #look({ packed, lines }: PackedSourceRows, first: number): void {
    const row = new PassingRow(packed, { lines, first })
    while (row.next()) {
      const { seq } = row
      if (seq < this.#seen) continue
      this.#twins.see(row, seq < this.#ranges[0]!.to)
      this.#rare.see(row)
      if (!this.#isPlanned(seq)) continue
      this.#bytes += row.bytes
      if (this.#bytes <= MOST_BYTES) this.#kept.push(row.kept())
    }
    this.#seen = Math.max(this.#seen, first + packed.count)
    if (this.#kept.length >= FIRST_ROWS) this.#first.resolve(this.#firstRows)
  }

  #isPlanned(seq: number): boolean {
    for (const { from, to } of this.#ranges) if (seq >= from && seq < to) return true
    return false
  }

  get #firstRows(): Sample {
    return sampleOf(this.#kept.slice(0, FIRST_ROWS))
  }

  #end(): void {
    this.#first.resolve(this.#firstRows)
    this.#all.resolve(this.#withOthers())
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
