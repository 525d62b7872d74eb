import { quotesCarriageReturn } from '../classifier/python/csv-quoting.ts'
import { checkName } from '../core/names.ts'
import { RowmillError } from '../errors.ts'
import { headerLike } from '../events/like-job.ts'
import type { UnsequencedHeader } from '../events/unsequenced-job.ts'
import { OPTIONS, type OptionValues } from '../options.ts'
import { csvColumnsOfEvents } from '../pandas/csv-columns.ts'
import { INDEX_KINDS } from '../pandas/index-kind.ts'
import { refused } from '../pandas/read-csv.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import type { Say } from '../support/say.ts'
import { jobOptions } from './job-options.ts'

/** The header of a job of events, as it goes into the job record, from a command line. Throws USAGE. */
export async function unsequencedHeader(
  options: OptionValues<
    'columns' | 'indexKind' | 'cast' | 'eventMaxRejects' | 'outputRows' | 'header' | 'readCsv' | 'toCsv' | 'python'
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

const REPLACED_BY_LIKE = ['columns', 'indexKind', 'cast', 'outputRows', 'header', 'readCsv', 'toCsv'] as const

type LikeValues = OptionValues<(typeof REPLACED_BY_LIKE)[number] | 'like' | 'eventMaxRejects'>

/** Throws USAGE if an option says what the job of `--like` says. */
export function checkLike(options: LikeValues): void {
  if (options.like === null) return
  checkName('--like', options.like)
  const isGiven = (name: (typeof REPLACED_BY_LIKE)[number]) =>
    JSON.stringify(options[name]) !== JSON.stringify(OPTIONS[name].fallback)
  const both = REPLACED_BY_LIKE.find(isGiven)
  if (both === undefined) return
  const message = `--like and --${OPTIONS[both].flag} say the same: leave out --${OPTIONS[both].flag}`
  throw new RowmillError('USAGE', message)
}

/** The header of a job of events that is like an earlier job of the pipeline. Throws USAGE. */
export async function headerOfLike(
  { jobs, pipeline, say }: PipelineContext,
  { like, eventMaxRejects }: LikeValues,
): Promise<Omit<UnsequencedHeader, 'id'>> {
  const header = await headerLike(jobs, like!, { pipeline, sequenced: false, say })
  return { ...header, options: [...header.options, { name: 'maxRejects', value: eventMaxRejects }] }
}
