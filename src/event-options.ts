import { RowmillError } from './errors.ts'
import { INDEX_KINDS, type IndexKind } from './index-kinds.ts'
import type { JobOption } from './model.ts'
import { OPTIONS } from './options.ts'
import { checkToCsv } from './to-csv.ts'

/** What of an event job changes the bytes of its results, and what it bears. It stands in the job record for ever. */
export interface EventFormat {
  /** What the index, the first column, is. Default: text, which is what it was sent as. */
  readonly indexKind?: IndexKind
  /** Keyword arguments of the old job's read_csv, those that act on values: `dtype`, `na_values`, `index_col`, ... */
  readonly readCsv?: Readonly<Record<string, unknown>>
  /** Keyword arguments of the old job's to_csv. */
  readonly toCsv?: Readonly<Record<string, unknown>>
  /** The pandas dtype of columns of the output, by name. */
  readonly cast?: Readonly<Record<string, string>>
  /** How many rows without result are no failure of the job: a number, or a part such as `0.5%`. Default: `100%`. */
  readonly maxRejects?: string
}

/** The arguments of read_csv that act on values: events were never in a file, so the others say nothing of them. */
const OF_VALUES = [
  ...['engine', 'index_col', 'usecols', 'dtype', 'true_values', 'false_values', 'na_values', 'keep_default_na'],
  'na_filter',
]
/** What the old job reads a file with, unless it says otherwise (connectors/csv-dialect.ts). */
const READ_CSV_DEFAULTS = { engine: 'python', index_col: 0, dtype: 'str' }

/** The options of the record of a job with these columns. Throws USAGE naming the option, its value and what would be right. */
export function eventJobOptions(format: EventFormat, columns: readonly string[]): JobOption[] {
  const { readCsv = {}, toCsv = {}, cast = {}, maxRejects = '100%' } = format
  for (const [name, value] of Object.entries({ readCsv, toCsv, cast })) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw refused(name, value, 'it must be an object')
  }
  for (const name of ['index_col', 'usecols']) checkNames(readCsv, name, columns)
  const foreign = Object.keys(readCsv).find(name => !OF_VALUES.includes(name))
  if (foreign !== undefined) {
    const names = OF_VALUES.join(', ')
    throw refused('readCsv', readCsv, `events are not read from a file, so ${foreign} does nothing: only ${names} act`)
  }
  if ((readCsv['engine'] ?? 'python') !== 'python') throw refused('readCsv', readCsv, "engine must be 'python'")
  const written = { header: false, ...toCsv }
  checkToCsv(written)
  const dtypes = Object.entries(cast)
  const odd = dtypes.find(([column, dtype]) => column === '' || typeof dtype !== 'string' || dtype === '')
  if (odd) throw refused('cast', cast, 'it must give the pandas dtype of columns by name, as in { SCORE: "float64" }')
  try {
    OPTIONS.maxRejects.parse(String(maxRejects))
  } catch (cause) {
    throw refused('maxRejects', maxRejects, (cause as Error).message)
  }
  return [
    { name: 'readCsv', value: JSON.stringify({ ...READ_CSV_DEFAULTS, ...readCsv }) },
    { name: 'toCsv', value: JSON.stringify(written) },
    { name: 'cast', value: JSON.stringify(dtypes) },
    { name: 'maxRejects', value: String(maxRejects) },
    { name: 'quotesCarriageReturn', value: 'true' }, // as newer Pythons do: there is none here to ask
  ]
}

/** What an argument says of the columns must be there: pandas would find out with the first row, and blame it. */
function checkNames(readCsv: Readonly<Record<string, unknown>>, argument: string, columns: readonly string[]): void {
  const given = [readCsv[argument] ?? []].flat()
  const isThere = (name: unknown) =>
    typeof name === 'boolean' || (typeof name === 'number' ? name < columns.length : columns.includes(name as string))
  if (given.every(isThere)) return
  throw refused('readCsv', readCsv, `${argument} names a column that is not there: there are ${columns.join(', ')}`)
}

/** Throws USAGE unless it is one. */
export function checkIndexKind(kind: string): void {
  if (INDEX_KINDS.some(known => known === kind)) return
  throw refused('indexKind', kind, `it must be one of ${INDEX_KINDS.join(', ')}`)
}

/** The error for an option of the SDK that cannot be used. */
export function refused(option: string, value: unknown, why: string): RowmillError {
  return new RowmillError('USAGE', `openJob, ${option} ${JSON.stringify(value)}: ${why}`, { option })
}
