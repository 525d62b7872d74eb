import { availableParallelism } from 'node:os'
import { RowmillError } from './errors.ts'
import { isProbablyUserinfo, maskUrl, mayHoldSecret, Secrets } from './support/credentials.ts'
import {
  checkAddress,
  checkBudget,
  checkNames,
  checkUrl,
  checkUserinfoFile,
  nonEmpty,
  parseObject,
  parseSwitch,
  wholeNumber,
} from './support/parse-value.ts'

/**
 * The declaration of an option: each has one. Its environment variable is its flag in capitals after ROWMILL_. The flag
 * wins. `parse` throws a message that says what a valid value is. The caller adds flag and value.
 */
export interface OptionSpec<T> {
  readonly flag: string
  /** The letter of a one-letter flag. */
  readonly short?: string
  /** Another long flag with the same meaning. It has no variable of its own. */
  readonly alias?: string
  /** The name of the value in the help. Null for a switch, which has no value. */
  readonly value: string | null
  readonly doc: string
  readonly fallback: T
  /** The default as the help shows it. Null if the help does not mention it. */
  readonly fallbackDoc: string | null
  /**
   * Whether this value is a secret. A secret is taken from the environment and refused as a flag, because every user of
   * the machine can read a command line, and the shell keeps it. No error shows it, and no child process inherits it.
   */
  readonly holdsSecret?: (text: string) => boolean
  parse(text: string): T
}

/** The longest time-out that setTimeout takes, in whole seconds. */
const MAX_SECONDS = 2_147_483

/** Kafka's codecs, in the order of their numbers in a record batch. */
export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Compression = (typeof COMPRESSIONS)[number]

export const OPTIONS = {
  classifier: optional(
    'classifier',
    'FILE[:NAME]',
    'the function to run: a Python file or package.module (default NAME: classify_df), or a .ts or .js file (default NAME: the default export)',
  ),
  workers: integer(
    'workers',
    'N',
    'worker processes, each with its own classifier; run starts no more than the file needs',
    [1, 512],
    {
      fallback: availableParallelism(),
      doc: 'one for each core',
    },
  ),
  batchRows: integer('batch-rows', 'N', 'the most rows in one call of the classifier', [1, 100_000], {
    fallback: 100,
  }),
  batchTimeout: integer(
    'batch-timeout',
    'SECONDS',
    'seconds that one call of the classifier may run before it counts as hung',
    [1, MAX_SECONDS],
    { fallback: 300 },
  ),
  classifierMemory: optionalInteger(
    'classifier-memory',
    'MB',
    'MB of memory that one classifier may use',
    [1, 1_000_000],
    'no limit',
  ),
  maxRejects: {
    ...text(
      'max-rejects',
      'N|P%',
      'how many rows may be rejected before the job fails: a number, or a share such as 0.5%',
      '0',
    ),
    parse: checkBudget,
  },
  eventMaxRejects: {
    ...text(
      'max-rejects',
      'N|P%',
      'how many rows may be rejected before the job fails: a number, or a share such as 0.5%',
      '100%',
    ),
    parse: checkBudget,
  },
  partitions: optionalInteger(
    'partitions',
    'N',
    'partitions of the topic of rows',
    [1, 10_000],
    '4 for each worker, at least 8',
  ),
  brokers: {
    ...list(
      'brokers',
      'HOST:PORT,...',
      'the Kafka brokers to use; without them run starts a local one, and other commands end',
    ),
    short: 'b',
    alias: 'bootstrap-server',
    holdsSecret: mayHoldSecret,
  },
  brokerTimeout: integer(
    'broker-timeout',
    'SECONDS',
    'seconds to retry while the broker does not answer, then exit 3',
    [1, MAX_SECONDS],
    { fallback: 300 },
  ),
  compression: choice(
    'compression',
    COMPRESSIONS,
    'the codec of the messages that are sent; every codec is read',
    'none',
  ),
  pipeline: optional('pipeline', 'NAME', 'the pipeline to run in', 'a new one, removed at the end'),
  sharedPipeline: text('pipeline', 'NAME', 'the pipeline that the commands share', 'rowmill'),
  schemaRegistry: {
    ...optional(
      'schema-registry',
      'URL',
      'write Confluent wire format with the ids of this schema registry, and read it too',
    ),
    holdsSecret: mayHoldSecret,
    parse: checkUrl,
  },
  schemaRegistryUserinfoFile: {
    ...optional(
      'schema-registry-userinfo-file',
      'FILE',
      'a file whose only line is USER:PASSWORD for the schema registry',
    ),
    holdsSecret: isProbablyUserinfo,
    parse: checkUserinfoFile,
  },
  python: text('python', 'PATH', 'the Python interpreter, with pandas', 'python3'),
  job: optional('job', 'ID', 'the id of the job', 'a new one'),
  delimiter: optional('delimiter', 'CHAR', 'the character between the values of IN', 'a comma'),
  header: flag('header', 'write the column names as the first line of OUT'),
  indexKind: optional(
    'index-kind',
    'KIND',
    'the type of the index: integer, range, unsigned, float, boolean, empty or text',
    'as pandas infers it; text for standard input and for events',
  ),
  cast: repeated('cast', 'COLUMN=DTYPE', 'convert a column of the output to this pandas dtype; may be repeated'),
  readCsv: json(
    'read-csv',
    'the keyword arguments that the original job gave to read_csv',
    "index_col=0, dtype=str, engine='python'",
  ),
  toCsv: json('to-csv', 'the keyword arguments that the original job gave to to_csv', 'header=False'),
  force: flag('force', 'replace OUT if it exists; it keeps its mode and owner, and a symbolic link is refused'),
  restart: flag('restart', 'discard what an unfinished job left of OUT, and start over from the first row'),
  resume: optional(
    'resume',
    'OUT',
    'resume an unfinished run with the options it began with; give this instead of IN and OUT',
  ),
  timeout: optionalInteger(
    'timeout',
    'SECONDS',
    'seconds until the command gives up, with exit 124',
    [1, MAX_SECONDS],
    'no limit',
  ),
  port: optionalInteger('port', 'N', 'the port on 127.0.0.1', [1, 65_535], 'a free one'),
  data: optional('data', 'DIR', 'keep the topics in this folder for the next start', 'they are deleted'),
  id: optional('job', 'ID', 'the job, as rowmill publish printed it'),
  only: optional('job', 'ID', 'list this job alone', 'all'),
  rejectsOf: optional('job', 'ID', 'the job', 'list the messages that belong to no job'),
  columns: names('columns', 'NAME,...', 'the columns of the job; give a JSON array if a name has a comma'),
  output: {
    ...choice('output', ['text', 'json'], 'print text for people, or one JSON object a line for programs', 'text'),
    short: 'o',
  },
  follow: flag('follow', 'append rows to OUT as they arrive, for a job without an end'),
  format: choice('format', ['csv', 'json'], 'print CSV lines as in OUT, or one JSON object a line', 'csv'),
  from: choice('from', ['start', 'now'], 'begin with the first row, or with the rows classified from now on', 'start'),
  against: optional('against', 'SERIAL.csv', 'the output of the original job; OUT must have the same bytes'),
  untilDone: optional('until-done', 'JOB', 'end when every row of this job is classified', 'run until stopped'),
  quiet: flag('quiet', 'log nothing but errors'),
  progress: { ...flag('no-progress', 'show no progress'), fallback: true, parse: () => false },
  report: optional('report', 'FILE.json', 'write the counts, times and versions of the run to this file'),
} satisfies Record<string, OptionSpec<unknown>>

export type OptionName = keyof typeof OPTIONS
export type OptionValues<N extends OptionName> = { [K in N]: (typeof OPTIONS)[K]['fallback'] }

/** The environment variable of an option. */
export function environmentOf({ flag }: OptionSpec<unknown>): string {
  return `ROWMILL_${flag.toUpperCase().replaceAll('-', '_')}`
}

/** Refuses a secret in a valid value on the command line. Throws USAGE that says where to put it, without showing it. */
export function refuseSecret(spec: OptionSpec<unknown>, text: string): void {
  if (!spec.holdsSecret?.(text)) return
  const value = shown(spec, text)
  const message =
    `--${spec.flag} ${value}: every user of this machine can read a password on a command line. ` +
    `Give the same URL in the environment, as ${environmentOf(spec)}, ` +
    `or USER:PASSWORD in a file: --${OPTIONS.schemaRegistryUserinfoFile.flag} FILE`
  throw new RowmillError('USAGE', message, { option: spec.flag, value })
}

/** Parses a value. `given` is the flag or the variable. Throws USAGE with `given`, the value and what a valid one is. */
export function parseOption<T>(spec: OptionSpec<T>, given: string, text: string): T {
  try {
    return spec.parse(text)
  } catch (cause) {
    const value = shown(spec, text)
    if (value === text) {
      const message = `${given} ${JSON.stringify(value)}: ${(cause as Error).message}`
      throw new RowmillError('USAGE', message, { option: spec.flag, value }, { cause })
    }
    // What JSON.parse says quotes the text, so such an error is no cause of ours.
    const why = (cause as Error).message.replace(/, (\.\.\.)?".*is not valid JSON$/s, '')
    throw new RowmillError('USAGE', `${given} ${JSON.stringify(value)}: ${why}`, { option: spec.flag, value })
  }
}

/** A value as messages may show it. */
function shown(spec: OptionSpec<unknown>, text: string): string {
  if (!spec.holdsSecret?.(text)) return new Secrets([text]).mask(text)
  return mayHoldSecret(text) ? maskUrl(text) : '***'
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

function optional(
  flag: string,
  value: string,
  doc: string,
  fallbackDoc: string | null = null,
): OptionSpec<string | null> {
  return { flag, value, doc, fallback: null, fallbackDoc, parse: nonEmpty }
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

function json(flag: string, doc: string, fallbackDoc: string): OptionSpec<Readonly<Record<string, unknown>>> {
  return { flag, value: 'JSON', doc, fallback: {}, fallbackDoc, parse: parseObject }
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
  fallbackDoc: string,
): OptionSpec<number | null> {
  return { flag, value, doc, fallback: null, fallbackDoc, parse: given => wholeNumber(given, bounds) }
}
