import { createHash } from 'node:crypto'
import type { RowmillError } from '../errors.ts'
import type { Values } from '../model.ts'
import type { ComparedFile } from './compared-file.ts'
import { firstDifference, goesOn, type OutputRecord, unlikeEachOther, unlikeExpected } from './difference.ts'
import type { OutputPart } from './output-rows.ts'

/** How many bytes of rows are collected before they are compared. Four times as much took 70 MB more memory. */
const CHUNK_BYTES = 64 * 1024

/** How rows become bytes. The text of several rows is the concatenation of their texts. */
export interface RowFormat {
  /** The line of column names, or empty text if there is none. */
  readonly headerLine: string
  lines(rows: readonly Values[]): string
}

type RowsOfOutput = Omit<OutputPart, 'kinds'>

/** SHA-256 in hex. `expected` is null if not all rows are known. `against` is null if there is no second file. */
export interface OutputDigests {
  readonly expected: string | null
  readonly out: string
  readonly against: string | null
}

/**
 * Compares OUT, chunk by chunk, with the expected bytes, and with a second file byte for byte. The lengths of the records
 * tell which row a byte belongs to. We cannot count lines, because a quoted cell may hold line ends.
 */
export class SameBytes {
  readonly #out: ComparedFile
  readonly #against: ComparedFile | null
  readonly #hash = createHash('sha256')
  #format: RowFormat | null = null
  #header = ''
  #kept: RowsOfOutput[] = []
  /** The bytes that are expected next. Its first `#length` bytes are in use. */
  #chunk = Buffer.alloc(CHUNK_BYTES)
  #length = 0
  /** The offset of the chunk in the file. */
  #at = 0
  #unlikeExpected: RowmillError | null = null
  #unlikeAgainst: RowmillError | null = null

  constructor(out: ComparedFile, against: ComparedFile | null) {
    this.#out = out
    this.#against = against
  }

  /** Called once, before the first `add`. */
  begin(format: RowFormat): void {
    this.#format = format
    this.#header = format.headerLine
    this.#collect(this.#header, Buffer.byteLength(this.#header))
  }

  async add(part: RowsOfOutput): Promise<void> {
    const text = this.#format!.lines(part.rows.flatMap(outputs => outputs ?? []))
    const bytes = Buffer.byteLength(text)
    if (this.#length + bytes > CHUNK_BYTES) await this.#compareChunk()
    this.#kept.push(part)
    this.#collect(text, bytes)
  }

  /** Reads the files to their ends, and returns the first differences. `whole`: the added rows are all rows of the job. */
  async finish(whole: boolean): Promise<{ differences: RowmillError[]; digests: OutputDigests }> {
    await this.#compareChunk()
    await this.#compareRest(whole ? { name: 'after the last row', row: null, start: this.#at, bytes: null } : null)
    const digests = {
      expected: whole ? this.#hash.digest('hex') : null,
      out: await this.#out.digest(),
      against: (await this.#against?.digest()) ?? null,
    }
    return { differences: [this.#unlikeExpected, this.#unlikeAgainst].filter(error => error !== null), digests }
  }

  #collect(text: string, bytes: number): void {
    if (bytes > this.#chunk.length - this.#length) {
      this.#chunk = Buffer.concat([this.#chunk.subarray(0, this.#length)], this.#length + bytes)
    }
    this.#length += this.#chunk.write(text, this.#length)
  }

  async #compareChunk(): Promise<void> {
    if (this.#length === 0) return
    const expected = this.#chunk.subarray(0, this.#length)
    this.#hash.update(expected)
    const [out, against] = await this.#take(expected.length)
    const at = firstDifference(expected, out)
    if (at >= 0) this.#unlikeExpected ??= await unlikeExpected(this.#out, this.#recordAt(at), this.#at + at)
    await this.#compareFiles(out, against, at => this.#recordAt(at))
    this.#at += expected.length
    this.#length = 0
    this.#header = ''
    this.#kept = []
  }

  /** Compares what follows the known rows. `end` is null if more rows may follow. */
  async #compareRest(end: OutputRecord | null): Promise<void> {
    for (let first = true; ; first = false) {
      const [out, against] = await this.#take()
      if (first && end && out.length > 0) this.#unlikeExpected ??= await goesOn(this.#out, end)
      await this.#compareFiles(out, against, () => end)
      if (out.length === 0 || this.#unlikeAgainst || !this.#against) return
      this.#at += out.length
    }
  }

  async #compareFiles(
    out: Buffer,
    against: Buffer | null,
    recordAt: (at: number) => OutputRecord | null,
  ): Promise<void> {
    const at = against ? firstDifference(out, against) : -1
    if (at < 0) return
    this.#unlikeAgainst ??= await unlikeEachOther([this.#out, this.#against!], recordAt(at), this.#at + at)
  }

  #take(bytes?: number): Promise<[Buffer, Buffer | null]> {
    return Promise.all([this.#out.take(bytes), this.#against?.take(bytes) ?? null])
  }

  /** The record of the chunk that holds this byte. */
  #recordAt(at: number): OutputRecord {
    const bytes = Buffer.from(this.#header)
    if (at < bytes.length) return { name: 'the header', row: null, start: this.#at, bytes }
    let start = bytes.length
    for (const { seq, rows } of this.#kept) {
      for (const [i, outputs] of rows.entries()) {
        const bytes = Buffer.from(this.#format!.lines(outputs ?? []))
        const end = start + bytes.length
        if (at < end) return { name: `row ${seq + i}`, row: seq + i, start: this.#at + start, bytes }
        start = end
      }
    }
    throw new Error(`byte ${at} is outside of the chunk of ${start} bytes`)
  }
}
