import { quotesCarriageReturn } from '../classifier/python/csv-quoting.ts'
import { RowmillError } from '../errors.ts'
import type { UnsequencedHeader } from '../events/unsequenced-job.ts'
import type { OptionValues } from '../options.ts'
import { layOut } from '../pandas/csv-columns.ts'
import { INDEX_KINDS } from '../pandas/index-kind.ts'
import { checkReadCsv } from '../pandas/read-csv.ts'
import type { Say } from '../support/say.ts'
import { jobOptions } from './job-options.ts'

/** What a command line says of a job of events, checked, as it goes into the job record. Throws USAGE. */
export async function unsequencedHeader(
  options: OptionValues<
    'columns' | 'indexKind' | 'cast' | 'eventMaxRejects' | 'header' | 'readCsv' | 'toCsv' | 'python'
  >,
  say: Say,
): Promise<Omit<UnsequencedHeader, 'id'>> {
  const { columns, readCsv, toCsv, indexKind, eventMaxRejects: maxRejects } = options
  if (columns === null) throw new RowmillError('USAGE', 'which columns has the job? Give --columns SKU,TEXT')
  const recorded = jobOptions({ ...options, delimiter: null, maxRejects })
  const plan = checkReadCsv(readCsv, null)
  const foreign = Object.keys(readCsv).find(name => !Object.hasOwn(plan.handedOn, name))
  if (foreign !== undefined)
    throw refusedArgument(
      foreign,
      readCsv[foreign],
      'events are not read from a file, so it does nothing: leave it out',
    )
  const layout = layOut(plan, { header: columns, width: null, first: null, name: '--columns' })
  if (layout.numbered && toCsv['index'] !== false) {
    const why = `rows are numbered by their place in the job, and events have none: add --to-csv '{"index": false}'`
    throw refusedArgument('index_col', readCsv['index_col'], why)
  }
  if (indexKind !== null && !INDEX_KINDS.some(kind => kind === indexKind))
    throw new RowmillError('USAGE', `--index-kind ${indexKind}: unknown. It must be one of ${INDEX_KINDS.join(', ')}`)
  const assumed = layout.inferredAt === null ? null : 'text' // which is what it was sent as
  return {
    columns: layout.columns,
    indexKind: layout.numbered ? null : (indexKind ?? assumed),
    options: [
      { name: 'readCsv', value: JSON.stringify(plan.handedOn) },
      ...recorded,
      { name: 'quotesCarriageReturn', value: String(await quotesCarriageReturn(options.python, say)) },
    ],
  }
}

function refusedArgument(name: string, value: unknown, why: string): RowmillError {
  return new RowmillError('USAGE', `--read-csv: ${name}=${JSON.stringify(value)} cannot be used: ${why}.`)
}
