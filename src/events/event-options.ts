import { checkName } from '../core/names.ts'
import { RowmillError } from '../errors.ts'
import type { JobOption } from '../model.ts'
import { COMPRESSIONS, type Compression, OPTIONS } from '../options.ts'
import { INDEX_KINDS, type IndexKind } from '../pandas/index-kind.ts'
import { checkToCsv } from '../pandas/to-csv.ts'
import type { Say } from '../support/say.ts'

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

export interface OpenJobOptions extends EventFormat {
  /** `host:port` of one or more brokers. */
  readonly brokers: readonly string[]
  /** The pipeline that the workers serve. Default: rowmill. */
  readonly pipeline?: string
  /** The id of the job: the same after a crash, and used once. */
  readonly id: string
  /** The header: the names of the columns, in order. */
  readonly columns: readonly string[]
  /**
   * The Python of the old job, a path or a name. It is asked how its csv module quotes a cell with a carriage return,
   * which readers that write lines do likewise. It needs no pandas. A job that is there already keeps what it began with.
   * Default: that of ROWMILL_PYTHON, or `python3`; where that is not there, such cells are quoted, and `say` is told.
   */
  readonly python?: string
  /** The URL of a schema registry: then messages are in Confluent wire format. */
  readonly schemaRegistry?: string | null
  /** How long to go on trying while the broker does not answer, in seconds. Default: 300. */
  readonly brokerTimeout?: number
  /** What messages are compressed with on their way to the broker: none, gzip, snappy, lz4 or zstd. Default: none. */
  readonly compression?: Compression
  /** Told once that the broker does not answer, and that it does again. */
  readonly say?: Say
  /** Ends every wait with its reason: what is not safe by then may be in the topic or not. */
  readonly signal?: AbortSignal
}

/** The arguments of read_csv that act on values: events were never in a file, so the others say nothing of them. */
const OF_VALUES = [
  'engine',
  'index_col',
  'usecols',
  'dtype',
  'true_values',
  'false_values',
  'na_values',
  'keep_default_na',
  'na_filter',
]
/** What the old job reads a file with, unless it says otherwise (src/pandas/read-csv.ts). */
const READ_CSV_DEFAULTS = { engine: 'python', index_col: 0, dtype: 'str' }

/** Checks what a producer gives, and returns the options of the job record that it chose. Throws USAGE. */
export function checkOptions(options: OpenJobOptions): JobOption[] {
  const { brokers, columns, brokerTimeout = OPTIONS.brokerTimeout.fallback, indexKind = 'text' } = options
  if (!Array.isArray(brokers) || brokers.length === 0) throw refused('brokers', brokers, "give ['HOST:PORT', ...]")
  const { id, pipeline = OPTIONS.sharedPipeline.fallback } = options
  if (typeof id !== 'string') throw refused('id', id, 'give the id of the job, a text')
  if (typeof pipeline !== 'string') throw refused('pipeline', pipeline, 'give the name of the pipeline, a text')
  const { python } = options
  if (python !== undefined && (typeof python !== 'string' || python === ''))
    throw refused('python', python, 'give the path or the name of the Python interpreter, a text')
  checkName('job id', id)
  checkName('pipeline', pipeline)
  const isColumn = (column: unknown) => typeof column === 'string' && column.isWellFormed()
  const named = Array.isArray(columns) && columns.length > 0 && Array.from(columns).every(isColumn)
  if (!named) throw refused('columns', columns, 'give the names of the columns, at least one')
  const { compression = 'none' } = options
  if (!COMPRESSIONS.includes(compression))
    throw refused('compression', compression, `give one of ${COMPRESSIONS.join(', ')}`)
  if (!(brokerTimeout > 0)) throw refused('brokerTimeout', brokerTimeout, 'it is a number of seconds, more than 0')
  checkIndexKind(indexKind)
  return eventJobOptions(options, columns)
}

/** What of the record of a job with these columns its producer chose. Throws USAGE naming the option, its value and what would be right. */
function eventJobOptions(format: EventFormat, columns: readonly string[]): JobOption[] {
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
function checkIndexKind(kind: string): void {
  if (INDEX_KINDS.some(known => known === kind)) return
  throw refused('indexKind', kind, `it must be one of ${INDEX_KINDS.join(', ')}`)
}

/** The error for an option of the SDK that cannot be used. */
function refused(option: string, value: unknown, why: string): RowmillError {
  return new RowmillError('USAGE', `openJob, ${option} ${JSON.stringify(value)}: ${why}`, { option })
}
