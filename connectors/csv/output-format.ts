import { RowmillError } from '../../src/errors.ts'
import type { PackedRows, SinkHeader, Values } from '../../src/index.ts'
import { optionOf } from '../../src/model.ts'
import { type FileForm, toCsvOf } from '../../src/pandas/to-csv.ts'
import { PackedLines } from './packed-lines.ts'
import { type LineFormat, lineFormat } from './writer.ts'

/** The lines of one job's output file, as pandas' to_csv would write them under the options of the job record. */
export class OutputFormat {
  readonly #format: LineFormat
  readonly #packed: PackedLines
  /** The line of column names. Empty if the original job wrote none. */
  readonly headerLine: string
  /** What ends each line. */
  readonly lineEnd: string
  /** How the original job's to_csv made a file of the lines. */
  readonly file: FileForm

  /** Throws USAGE for options that no sink can obey: anybody can write a job record. */
  constructor({ columns, options }: SinkHeader) {
    const { sink, file } = toCsvOf({ options })
    const quotesCarriageReturn = optionOf(options, 'quotesCarriageReturn') === 'true'
    this.file = file
    this.lineEnd = sink.lineterminator
    this.#format = lineFormat(sink, quotesCarriageReturn)
    this.#packed = new PackedLines(this.#format)
    this.headerLine = sink.header ? this.#format.line(sink.index_label ? columns : columns.slice(1)) : ''
  }

  lines(rows: readonly Values[]): string {
    let lines = ''
    for (const row of rows) lines += this.#format.line(row)
    return lines
  }

  /** The same lines in UTF-8. The next call overwrites the bytes. */
  packedLines(rows: PackedRows): Uint8Array {
    return this.#packed.lines(rows)
  }
}

/** Throws USAGE if `where` (standard output, a socket, ...) cannot get the bytes of a file of this form, which are not UTF-8. */
export function checkPlain({ encoding }: FileForm, where: string): void {
  if (encoding === null) return
  const message = `--to-csv encoding=${JSON.stringify(encoding)}: ${where} gets UTF-8. Leave it out, or write a file`
  throw new RowmillError('USAGE', message, { argument: 'encoding', value: encoding })
}
