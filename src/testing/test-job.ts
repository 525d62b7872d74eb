import { newJob } from '../core/job.ts'
import type { Layout } from '../core/sequence.ts'
import { RowmillError } from '../errors.ts'
import type { Job, Values } from '../model.ts'
import { type CsvColumns, csvColumnsOf } from '../pandas/csv-columns.ts'
import { INDEX_KINDS, IndexKindInference } from '../pandas/index-kind.ts'
import { checkReadCsv } from '../pandas/read-csv.ts'
import { checkToCsv } from '../pandas/to-csv.ts'

/** The options of a job that change its bytes, as the command line takes them. */
export interface TestJobOptions {
  /** The header. */
  readonly columns: readonly string[]
  /** The values of each row as text, in the order of the header. A row may be shorter, as in a CSV file. */
  readonly rows: readonly Values[]
  /** As `--index-kind`. Default: the kind that pandas infers over these rows. Live events have `text`. */
  readonly indexKind?: string
  /** The keyword arguments that the original job gave to `read_csv`. Those that only split lines do nothing here. */
  readonly readCsv?: Readonly<Record<string, unknown>>
  /** The keyword arguments that the original job gave to `to_csv`. Those that only join lines do nothing here. */
  readonly toCsv?: Readonly<Record<string, unknown>>
  /** The dtype of columns of the output: `{ SCORE: 'float64' }`. */
  readonly cast?: Readonly<Record<string, string>>
  /** As `--rows`: how many rows the classifier returns for each row. Default: one. */
  readonly outputRows?: 'one' | 'any'
}

/** The job record of a CSV file with these rows. Throws what `publish` would throw. */
export function testJob(options: TestJobOptions, { partitions, blockRows }: Layout): Job {
  const { rows, readCsv = {}, toCsv = {}, cast = {}, outputRows = 'one' } = options
  const plan = checkReadCsv(readCsv, null)
  checkToCsv(toCsv)
  const first = rows.length > 0 ? { byte: 0, line: 2 } : null
  const columns = csvColumnsOf(plan, { header: options.columns, width: rows[0]?.length ?? null, first, name: 'rows' })
  const zeros = Array.from({ length: partitions }, () => 0)
  return newJob({
    id: 'test',
    state: 'ended',
    columns: columns.columns,
    partitions,
    blockRows,
    topic: 'rows',
    total: rows.length,
    rowsFrom: zeros,
    resultsFrom: zeros,
    indexKind: indexKindOf(columns, options),
    options: [
      { name: 'readCsv', value: JSON.stringify(plan.handedOn) },
      { name: 'toCsv', value: JSON.stringify(toCsv) },
      { name: 'cast', value: JSON.stringify(Object.entries(cast)) },
      { name: 'rows', value: outputRows },
    ],
    at: 0,
    by: 'test',
  })
}

function indexKindOf(csvColumns: CsvColumns, { rows, indexKind }: TestJobOptions): string | null {
  if (indexKind !== undefined && !INDEX_KINDS.some(kind => kind === indexKind)) {
    throw new RowmillError('USAGE', `indexKind ${indexKind}: unknown. It must be one of ${INDEX_KINDS.join(', ')}.`)
  }
  const { inferredAt, numbered, columns } = csvColumns
  if (numbered) return null
  if (indexKind !== undefined || inferredAt === null) return indexKind ?? null
  const inference = new IndexKindInference(csvColumns.indexRules, csvColumns.indexReadAsText)
  for (const [seq, row] of rows.entries()) inference.add(row[inferredAt], seq + 2)
  return inference.kind(`column ${columns[inferredAt]}`)
}
