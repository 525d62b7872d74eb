import { optionOf, type SinkHeader, type Values } from '../../src/index.ts'
import { toCsvOf } from '../../src/pandas/to-csv.ts'
import { csvFormatter } from './writer.ts'

/** The lines of one job's output file, as pandas' to_csv would write them under the options of the job record. */
export class OutputFormat {
  readonly #line: (cells: Values) => string
  /** The line of column names. Empty if the original job wrote none. */
  readonly headerLine: string
  /** What ends each line. */
  readonly lineEnd: string
  /** The argument `compression` of the original job's to_csv. */
  readonly compression: unknown

  /** Throws USAGE for options that no sink can obey: anybody can write a job record. */
  constructor({ columns, options }: SinkHeader) {
    const { sink, compression } = toCsvOf({ options })
    const quotesCarriageReturn = optionOf(options, 'quotesCarriageReturn') === 'true'
    this.compression = compression
    this.lineEnd = sink.lineterminator
    this.#line = csvFormatter(sink, quotesCarriageReturn)
    this.headerLine = sink.header ? this.#line(columns) : ''
  }

  lines(rows: readonly Values[]): string {
    let lines = ''
    for (const row of rows) lines += this.#line(row)
    return lines
  }
}
