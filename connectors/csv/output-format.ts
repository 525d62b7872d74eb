import { checkToCsv, optionOf, type SinkHeader, type Values } from '../../src/index.ts'
import { csvFormatter } from './writer.ts'

/** The lines of one job's output file: what pandas' to_csv would have written, from the options of the job record. */
export class OutputFormat {
  readonly #line: (cells: Values) => string
  /** The line of column names, or an empty text where the old job wrote none. */
  readonly headerLine: string
  /** The argument `compression` of the old job's to_csv. */
  readonly compression: unknown

  constructor({ columns, options }: SinkHeader) {
    const { sink, compression } = checkToCsv(JSON.parse(optionOf(options, 'toCsv') ?? '{}'))
    const quotesCarriageReturn = optionOf(options, 'quotesCarriageReturn') === 'true'
    this.compression = compression
    this.#line = csvFormatter(sink, quotesCarriageReturn)
    this.headerLine = sink.header ? this.#line(columns) : ''
  }

  lines(rows: readonly Values[]): string {
    let lines = ''
    for (const row of rows) lines += this.#line(row)
    return lines
  }
}
