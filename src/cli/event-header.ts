import { quotesCarriageReturn } from '../classifier/python/csv-quoting.ts'
import { RowmillError } from '../errors.ts'
import type { UnsequencedHeader } from '../events/unsequenced-job.ts'
import type { OptionValues } from '../options.ts'
import { csvColumnsOfEvents } from '../pandas/csv-columns.ts'
import { INDEX_KINDS } from '../pandas/index-kind.ts'
import { refused } from '../pandas/read-csv.ts'
import type { Say } from '../support/say.ts'
import { jobOptions } from './job-options.ts'

/** The header of a job of events, as it goes into the job record, from a command line. Throws USAGE. */
export async function unsequencedHeader(
  options: OptionValues<
    'columns' | 'indexKind' | 'cast' | 'eventMaxRejects' | 'header' | 'readCsv' | 'toCsv' | 'python'
  >,
  say: Say,
): Promise<Omit<UnsequencedHeader, 'id'>> {
  const { columns, readCsv, toCsv, indexKind, eventMaxRejects: maxRejects } = options
  if (columns === null) throw new RowmillError('USAGE', 'which columns does the job have? Give --columns SKU,TEXT')
  const recorded = jobOptions({ ...options, delimiter: null, maxRejects })
  const { csvColumns, handedOn } = csvColumnsOfEvents(readCsv, columns)
  if (csvColumns.numbered && toCsv['index'] !== false) {
    const why = `rows are numbered by their seq, and these events have none: add --to-csv '{"index": false}'`
    throw refused('index_col', readCsv['index_col'], why)
  }
  if (indexKind !== null && !INDEX_KINDS.some(kind => kind === indexKind))
    throw new RowmillError('USAGE', `--index-kind ${indexKind}: unknown. It must be one of ${INDEX_KINDS.join(', ')}`)
  const assumed = csvColumns.inferredAt === null ? null : 'text' // producers send it as text
  return {
    columns: csvColumns.columns,
    indexKind: csvColumns.numbered ? null : (indexKind ?? assumed),
    options: [
      { name: 'readCsv', value: JSON.stringify(handedOn) },
      ...recorded,
      { name: 'quotesCarriageReturn', value: String(await quotesCarriageReturn(options.python, say)) },
    ],
  }
}
