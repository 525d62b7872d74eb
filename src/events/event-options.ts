import type { KafkaOptions } from '../client-config/kafka-options.ts'
import { checkName } from '../core/names.ts'
import { RowmillError } from '../errors.ts'
import type { JobOption } from '../model.ts'
import { COMPRESSIONS, type Compression, OPTIONS } from '../options.ts'
import { csvColumnsOfEvents } from '../pandas/csv-columns.ts'
import { INDEX_KINDS, type IndexKind } from '../pandas/index-kind.ts'
import { checkToCsv } from '../pandas/to-csv.ts'
import type { Say } from '../support/say.ts'

/** The options of an event job that change the bytes of its results, and its budget. They never change. */
export interface EventFormat {
  /** The index kind. Default: text, as it was sent. */
  readonly indexKind?: IndexKind
  /**
   * Keyword arguments that the original job gave to read_csv, if they act on values: `dtype`, `na_values`, `index_col`,
   * ...
   */
  readonly readCsv?: Readonly<Record<string, unknown>>
  /** Keyword arguments that the original job gave to to_csv. */
  readonly toCsv?: Readonly<Record<string, unknown>>
  /** The pandas dtype of columns of the output, by name. */
  readonly cast?: Readonly<Record<string, string>>
  /** How many rows may be rejected before the job fails: a number, or a part such as `0.5%`. Default: `100%`. */
  readonly maxRejects?: string
  /** How many rows the classifier returns for each row: `one`, or `any` number. Then results() gives no row, or several, for a seq. */
  readonly rows?: 'one' | 'any'
}

export interface OpenJobOptions extends EventFormat {
  /** `host:port` of one or more brokers: the short form of `kafka`. */
  readonly brokers?: readonly string[]
  /** The cluster, and how to reach it: TLS, login, properties of a Kafka client. */
  readonly kafka?: KafkaOptions
  /** The pipeline that the workers serve. Default: rowmill. */
  readonly pipeline?: string
  /** The id of the job. Give the same id after a crash, and never use it for another job. */
  readonly id: string
  /** The header: the names of the columns, in order. Needed unless `like` is given. */
  readonly columns?: readonly string[]
  /**
   * The id of an earlier job of the pipeline, such as that of a nightly file. The events take its columns, its index and the
   * dtypes that pandas found in the file, and its arguments of to_csv: their results have the same bytes. A value that does not
   * fit a dtype is a reject. It replaces `columns`, `indexKind`, `readCsv`, `toCsv` and `cast`.
   */
  readonly like?: string
  /**
   * The Python of the original job, a path or a name. Its csv module decides how a cell with a carriage return is
   * quoted, and readers that write lines do the same. It needs no pandas. A job that exists keeps the quoting it began
   * with. Default: ROWMILL_PYTHON, or `python3`. Without a `python3`, such cells are quoted, and `say` is told.
   */
  readonly python?: string
  /** The URL of a schema registry: then messages are in Confluent wire format. */
  readonly schemaRegistry?: string | null
  /** How many seconds to retry while the broker does not answer. Default: 300. */
  readonly brokerTimeout?: number
  /** What messages are compressed with on their way to the broker: none, gzip, snappy, lz4 or zstd. Default: none. */
  readonly compression?: Compression
  /**
   * Whether a row carries the OpenTelemetry trace that is active where `send` is called. The batch that classifies the row links to it,
   * if the workers have --tracing. It needs `@opentelemetry/api`. Default: no.
   */
  readonly tracing?: boolean
  /** Told once when the broker stops answering, and once when it answers again. */
  readonly say?: Say
  /** Ends every wait with its reason. Rows that are not safe by then may be in the topic or not. */
  readonly signal?: AbortSignal
}

const REPLACED_BY_LIKE = ['columns', 'indexKind', 'readCsv', 'toCsv', 'cast', 'rows'] as const

/** Checks the options of a producer, and returns those that go into the job record. Throws USAGE. */
export function checkOptions(options: OpenJobOptions): JobOption[] {
  const { brokers, kafka, columns, like, brokerTimeout = OPTIONS.brokerTimeout.fallback, indexKind = 'text' } = options
  const isList = Array.isArray(brokers) && brokers.length > 0
  if (brokers === undefined ? kafka === undefined : !isList)
    throw refused('brokers', brokers, "give ['HOST:PORT', ...]")
  const { id, pipeline = OPTIONS.sharedPipeline.fallback } = options
  if (typeof id !== 'string') throw refused('id', id, 'give the id of the job, a text')
  if (typeof pipeline !== 'string') throw refused('pipeline', pipeline, 'give the name of the pipeline, a text')
  const { python } = options
  if (python !== undefined && (typeof python !== 'string' || python === ''))
    throw refused('python', python, 'give the path or the name of the Python interpreter, a text')
  checkName('job id', id)
  checkName('pipeline', pipeline)
  if (like !== undefined) checkLike(options)
  const isColumn = (column: unknown) => typeof column === 'string' && column.isWellFormed()
  const named = Array.isArray(columns) && columns.length > 0 && Array.from(columns).every(isColumn)
  if (!named && like === undefined) throw refused('columns', columns, 'give the names of the columns, at least one')
  const { compression = 'none' } = options
  if (!COMPRESSIONS.includes(compression))
    throw refused('compression', compression, `give one of ${COMPRESSIONS.join(', ')}`)
  if (!(brokerTimeout > 0)) throw refused('brokerTimeout', brokerTimeout, 'it is a number of seconds, more than 0')
  checkIndexKind(indexKind)
  const budget = budgetOf(options)
  return like === undefined ? [...eventJobOptions(options, columns!), budget] : [budget]
}

function checkLike(options: OpenJobOptions): void {
  if (typeof options.like !== 'string') throw refused('like', options.like, 'give the id of a job, a text')
  checkName('like', options.like)
  const both = REPLACED_BY_LIKE.find(name => options[name] !== undefined)
  if (both) throw refused(both, options[both], `the job that \`like\` names has it: leave one of them out`)
}

/** The options of the job record. Throws USAGE naming the option, its value and what would be right. */
function eventJobOptions(format: EventFormat, columns: readonly string[]): JobOption[] {
  const { readCsv = {}, toCsv = {}, cast = {}, rows = 'one' } = format
  if (rows !== 'one' && rows !== 'any') throw refused('rows', rows, "it must be 'one' or 'any'")
  for (const [name, value] of Object.entries({ readCsv, toCsv, cast })) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw refused(name, value, 'it must be an object')
  }
  const handedOn = checkReadCsv(readCsv, columns)
  const written = { header: false, ...toCsv }
  checkToCsv(written)
  const dtypes = Object.entries(cast)
  const odd = dtypes.find(([column, dtype]) => column === '' || typeof dtype !== 'string' || dtype === '')
  if (odd) throw refused('cast', cast, 'it must give the pandas dtype of columns by name, as in { SCORE: "float64" }')
  return [
    { name: 'readCsv', value: handedOn },
    { name: 'toCsv', value: JSON.stringify(written) },
    { name: 'cast', value: JSON.stringify(dtypes) },
    ...(rows === 'any' ? [{ name: 'rows', value: rows }] : []),
  ]
}

function budgetOf({ maxRejects = '100%' }: EventFormat): JobOption {
  try {
    OPTIONS.maxRejects.parse(String(maxRejects))
  } catch (cause) {
    throw refused('maxRejects', maxRejects, (cause as Error).message)
  }
  return { name: 'maxRejects', value: String(maxRejects) }
}

/** The arguments of read_csv that workers apply to these rows, as they go into the job record. */
function checkReadCsv(readCsv: Readonly<Record<string, unknown>>, columns: readonly string[]): string {
  try {
    return JSON.stringify(csvColumnsOfEvents(readCsv, columns).handedOn)
  } catch (cause) {
    throw refused('readCsv', readCsv, (cause as Error).message)
  }
}

function checkIndexKind(kind: string): void {
  if (INDEX_KINDS.some(known => known === kind)) return
  throw refused('indexKind', kind, `it must be one of ${INDEX_KINDS.join(', ')}`)
}

/** The error for an option of the SDK that cannot be used. */
function refused(option: string, value: unknown, why: string): RowmillError {
  return new RowmillError('USAGE', `openJob, ${option} ${JSON.stringify(value)}: ${why}`, { option })
}
