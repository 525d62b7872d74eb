import { availableParallelism } from 'node:os'
import { RowmillError } from './errors.ts'
import { holdsCredentials, maskCredentials } from './support/credentials.ts'
import {
  checkAddress,
  checkBudget,
  checkNames,
  checkUrl,
  nonEmpty,
  parseObject,
  parseSwitch,
  wholeNumber,
} from './support/parse-value.ts'

/**
 * Every option once. The flag is the name in kebab-case, the environment twin the name in capitals behind ROWMILL_;
 * the flag wins. `parse` throws a message that says what would be right; whoever calls it names flag and value.
 */
export interface OptionSpec<T> {
  readonly flag: string
  /** The letter of a one-letter flag. */
  readonly short?: string
  /** Another long flag with the same meaning. It has no environment twin. */
  readonly alias?: string
  /** How the value is called in the help; null: a switch without value. */
  readonly value: string | null
  readonly doc: string
  readonly fallback: T
  /** How the help calls the default; null: it says nothing of it. */
  readonly fallbackDoc: string | null
  /**
   * Whether this value holds a secret: then it is taken from the environment and refused as a flag, since every user of
   * the machine can read a command line, and the shell keeps it. No error shows it, and no child process inherits it.
   */
  readonly holdsSecret?: (text: string) => boolean
  parse(text: string): T
}

/** The longest time-out: what setTimeout takes, in whole seconds. */
const MAX_SECONDS = 2_147_483

/** Kafka's codecs, in the order of the numbers that a record batch has for them. */
export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Compression = (typeof COMPRESSIONS)[number]

export const OPTIONS = {
  classifier: optional(
    'classifier',
    'FILE[:NAME]',
    'the function to run: a Python file or package.module (NAME: classify_df unless given), or a .ts or .js file (default export)',
  ),
  workers: integer('workers', 'N', 'worker processes, each with a classifier of its own', [1, 512], {
    fallback: availableParallelism(),
    doc: 'one for each core',
  }),
  batchRows: integer('batch-rows', 'N', 'rows that one call of the classifier gets at most', [1, 100_000], {
    fallback: 100,
  }),
  batchTimeout: integer(
    'batch-timeout',
    'SECONDS',
    'what one call of the classifier may take before it is taken to hang',
    [1, MAX_SECONDS],
    { fallback: 300 },
  ),
  classifierMemory: optionalInteger(
    'classifier-memory',
    'MB',
    'what one classifier may take of memory (default: no limit)',
    [1, 1_000_000],
  ),
  maxRejects: {
    ...text('max-rejects', 'N|P%', 'how many rows without result are no failure of the job', '0'),
    parse: checkBudget,
  },
  eventMaxRejects: {
    ...text('max-rejects', 'N|P%', 'how many rows without result are no failure of the job', '100%'),
    parse: checkBudget,
  },
  partitions: optionalInteger(
    'partitions',
    'N',
    'partitions of the rows topic (default: 4 for each worker, at least 8)',
    [1, 10_000],
  ),
  brokers: {
    ...list('brokers', 'HOST:PORT,...', 'Kafka to use; only run needs none: it starts a local broker'),
    short: 'b',
    alias: 'bootstrap-server',
  },
  brokerTimeout: integer(
    'broker-timeout',
    'SECONDS',
    'how long to go on trying while the broker does not answer, then exit 3',
    [1, MAX_SECONDS],
    { fallback: 300 },
  ),
  compression: choice(
    'compression',
    COMPRESSIONS,
    'what messages are compressed with on their way to the broker; every codec is read',
    'none',
  ),
  pipeline: optional('pipeline', 'NAME', 'the pipeline to run in (default: one of its own, removed at the end)'),
  sharedPipeline: text('pipeline', 'NAME', 'the pipeline that publish, work and collect have in common', 'rowmill'),
  schemaRegistry: {
    ...optional(
      'schema-registry',
      'URL',
      'write Confluent wire format with ids of this schema registry, and read it too',
    ),
    holdsSecret: holdsCredentials,
    parse: checkUrl,
  },
  schemaRegistryUserinfoFile: optional(
    'schema-registry-userinfo-file',
    'FILE',
    'a file whose only line is USER:PASSWORD for the schema registry',
  ),
  python: text('python', 'PATH', 'the Python interpreter with pandas', 'python3'),
  job: optional('job', 'ID', 'the id of the job, used once (default: a new one)'),
  delimiter: optional('delimiter', 'CHAR', 'what separates the values of IN (default: a comma)'),
  header: flag('header', 'write the column names as the first line of OUT'),
  indexKind: optional(
    'index-kind',
    'KIND',
    'what the index is: integer, range, unsigned, float, boolean, empty or text (default: as pandas infers it; of - and of events text)',
  ),
  cast: repeated('cast', 'COLUMN=DTYPE', 'give a column of the output this pandas dtype; may be repeated'),
  readCsv: json('read-csv', 'the keyword arguments the old job gave to read_csv'),
  toCsv: json('to-csv', 'the keyword arguments the old job gave to to_csv'),
  force: flag('force', 'replace OUT if it exists; mode and owner stay'),
  restart: flag('restart', 'throw away what an unfinished job left of OUT, and begin with the first row'),
  resume: optional('resume', 'OUT', 'go on with an unfinished run, as it was begun; in place of IN and OUT'),
  timeout: optionalInteger('timeout', 'SECONDS', 'give up after this time, exit 124', [1, MAX_SECONDS]),
  port: optionalInteger(
    'port',
    'N',
    'the port of 127.0.0.1 that the broker listens on (default: a free one)',
    [1, 65_535],
  ),
  data: optional('data', 'DIR', 'where the broker keeps its topics for the next start (default: nowhere)'),
  id: optional('job', 'ID', 'the job, as rowmill publish printed it'),
  only: optional('job', 'ID', 'list this job alone (default: all)'),
  rejectsOf: optional('job', 'ID', 'the job (default: list the messages that belong to no job)'),
  columns: names('columns', 'NAME,...', 'the columns of a job of events; as a JSON array where a name holds a comma'),
  output: {
    ...choice('output', ['text', 'json'], 'print text for people, or one JSON object a line for programs', 'text'),
    short: 'o',
  },
  follow: flag('follow', 'let OUT grow as the rows of a job come that does not end; it ends with the job'),
  format: choice('format', ['csv', 'json'], 'csv lines as in OUT, or one JSON object a line', 'csv'),
  from: choice('from', ['start', 'now'], 'begin with the first row, or with what is classified from now on', 'start'),
  against: optional('against', 'SERIAL.csv', 'a file of the old job that must have the same bytes'),
  untilDone: optional('until-done', 'JOB', 'end when every row of this job is classified (default: run on)'),
  quiet: flag('quiet', 'say nothing but errors'),
  progress: { ...flag('no-progress', 'show no progress'), fallback: true, parse: () => false },
  report: optional('report', 'FILE.json', 'write counts, times and versions of the run here'),
} satisfies Record<string, OptionSpec<unknown>>

export type OptionName = keyof typeof OPTIONS
export type OptionValues<N extends OptionName> = { [K in N]: (typeof OPTIONS)[K]['fallback'] }

/** The environment twin of an option. */
export function environmentOf({ flag }: OptionSpec<unknown>): string {
  return `ROWMILL_${flag.toUpperCase().replaceAll('-', '_')}`
}

/** Refuses a secret on the command line. Throws USAGE that says where else to put it, and does not show it. */
export function refuseSecret(spec: OptionSpec<unknown>, text: string): void {
  if (!spec.holdsSecret?.(text)) return
  const value = maskCredentials(text)
  const message =
    `--${spec.flag} ${value}: every user of this machine can read a password on a command line. ` +
    `Give the same URL in the environment, as ${environmentOf(spec)}, ` +
    `or USER:PASSWORD in a file: --${OPTIONS.schemaRegistryUserinfoFile.flag} FILE`
  throw new RowmillError('USAGE', message, { option: spec.flag, value })
}

/** Parses a value given as flag or in the environment; throws USAGE naming `given`, the value and what would be right. */
export function parseOption<T>(spec: OptionSpec<T>, given: string, text: string): T {
  try {
    return spec.parse(text)
  } catch (cause) {
    const value = spec.holdsSecret?.(text) ? maskCredentials(text) : text
    const message = `${given} ${JSON.stringify(value)}: ${(cause as Error).message}`
    throw new RowmillError('USAGE', message, { option: spec.flag, value }, { cause })
  }
}

function text(flag: string, value: string, doc: string, fallback: string): OptionSpec<string> {
  return { flag, value, doc, fallback, fallbackDoc: fallback, parse: nonEmpty }
}

function choice<const T extends string>(
  flag: string,
  values: readonly T[],
  doc: string,
  fallback: NoInfer<T>,
): OptionSpec<T> {
  const parse = (given: string) => {
    const value = values.find(known => known === given)
    if (value === undefined) throw new Error(`must be ${values.join(' or ')}`)
    return value
  }
  return { flag, value: values.join('|'), doc, fallback, fallbackDoc: fallback, parse }
}

function optional(flag: string, value: string, doc: string): OptionSpec<string | null> {
  return { flag, value, doc, fallback: null, fallbackDoc: null, parse: nonEmpty }
}

function list(flag: string, value: string, doc: string): OptionSpec<readonly string[] | null> {
  const parse = (given: string) => given.split(',').map(address => checkAddress(address.trim()))
  return { flag, value, doc, fallback: null, fallbackDoc: null, parse }
}

function names(flag: string, value: string, doc: string): OptionSpec<readonly string[] | null> {
  return { flag, value, doc, fallback: null, fallbackDoc: null, parse: checkNames }
}

function repeated(flag: string, value: string, doc: string): OptionSpec<readonly string[]> {
  return { flag, value, doc, fallback: [], fallbackDoc: null, parse: given => [nonEmpty(given)] }
}

function flag(name: string, doc: string): OptionSpec<boolean> {
  return { flag: name, value: null, doc, fallback: false, fallbackDoc: null, parse: parseSwitch }
}

function json(flag: string, doc: string): OptionSpec<Readonly<Record<string, unknown>>> {
  return { flag, value: 'JSON', doc, fallback: {}, fallbackDoc: null, parse: parseObject }
}

function integer(
  flag: string,
  value: string,
  doc: string,
  bounds: readonly [number, number],
  { fallback, doc: fallbackDoc }: { fallback: number; doc?: string },
): OptionSpec<number> {
  const parse = (given: string) => wholeNumber(given, bounds)
  return { flag, value, doc, fallback, fallbackDoc: fallbackDoc ?? String(fallback), parse }
}

function optionalInteger(
  flag: string,
  value: string,
  doc: string,
  bounds: readonly [number, number],
): OptionSpec<number | null> {
  return { flag, value, doc, fallback: null, fallbackDoc: null, parse: given => wholeNumber(given, bounds) }
}
