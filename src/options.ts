import { availableParallelism } from 'node:os'
import {
  age,
  choice,
  flag,
  integer,
  json,
  list,
  names,
  type OptionSpec,
  optional,
  optionalInteger,
  repeated,
  text,
} from './option-spec.ts'
import { isProbablyUserinfo, mayHoldSecret } from './support/credentials.ts'
import { checkBudget, checkUrl, checkUserinfoFile, parseSwitch } from './support/parse-value.ts'
import { holdsSecretProperty, maskProperty, type Property, parseProperty } from './support/property-text.ts'
import { LOG_LEVELS } from './support/say.ts'

export type { OptionSpec } from './option-spec.ts'

/** The longest time-out that setTimeout takes, in whole seconds. */
const MAX_SECONDS = 2_147_483

/** Kafka's codecs, in the order of their numbers in a record batch. */
export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Compression = (typeof COMPRESSIONS)[number]

/** What a user does in a pipeline (src/pipeline/roles.ts says which rights that takes). */
export const ROLES = ['publish', 'work', 'collect', 'monitor', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** A property of the client, or a file of them. */
export type ClientInput = Property | { readonly file: string }

const ONE_ROLE = choice('role', ROLES, '', 'work')

export const OPTIONS = {
  classifier: optional(
    'classifier',
    'FILE[:NAME]',
    'the function to run: a Python file or package.module (default NAME: classify_df), or a .ts or .js file (default NAME: the default export)',
  ),
  workers: integer('workers', 'N', 'workers, each with its own classifier', [1, 512], {
    fallback: availableParallelism(),
    doc: 'one for each core',
  }),
  batchRows: integer(
    'batch-rows',
    'N',
    'the most rows in one call of the classifier (run, work), and in one message (run, publish)',
    [1, 100_000],
    {
      fallback: 100,
    },
  ),
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
  probe: integer(
    'probe',
    'N',
    'rows at most to classify once more, in other batches, to see whether the classifier looks at other rows; 0 turns it off',
    [0, 10_000],
    { fallback: 300 },
  ),
  maxRejects: {
    ...text(
      'max-rejects',
      'N|P%',
      'how many rows may be rejected before the job fails: a number, or a share such as 0.5%',
      '0',
    ),
    schema: { type: ['string', 'integer'] },
    parse: checkBudget,
  },
  eventMaxRejects: {
    ...text(
      'max-rejects',
      'N|P%',
      'how many rows may be rejected before the job fails: a number, or a share such as 0.5%',
      '100%',
    ),
    schema: { type: ['string', 'integer'] },
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
      'the Kafka brokers to use, unless the client properties name them (bootstrap.servers)',
    ),
    short: 'b',
    alias: 'bootstrap-server',
    holdsSecret: mayHoldSecret,
  },
  commandConfig: optional(
    'command-config',
    'FILE',
    'a file with properties of a Kafka client, such as login, certificates and timeouts, under the names of Java clients or librdkafka',
  ),
  property: {
    ...repeated('property', 'NAME=VALUE', 'one property of a Kafka client; overrides the file; may be repeated'),
    short: 'X',
    fallback: [] as readonly ClientInput[],
    holdsSecret: holdsSecretProperty,
    mask: maskProperty,
    parse: (text: string, where: string) => [parseProperty(text, where)],
  },
  allowSaslWithoutTls: flag(
    'allow-sasl-without-tls',
    'allow a login without TLS at brokers on other machines: everybody on the network can then read the rows',
  ),
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
  read: optional(
    'read',
    'CALL',
    'the call of read_csv as it stands in the original program, such as "pd.read_csv(IN, sep=\';\')", or MODULE:NAME, a dict of its arguments',
    '--read-csv',
  ),
  write: optional(
    'write',
    'CALL',
    'the call of to_csv as it stands in the original program, such as "df.to_csv(OUT, index=False)", or MODULE:NAME',
    '--to-csv',
  ),
  lowMemory: flag(
    'low-memory',
    'let pandas read one column after the other with --read: the memory of one column, about twice the time',
  ),
  like: optional(
    'like',
    'JOB',
    'take the columns, the index and the dtypes of this earlier job, and its arguments of read_csv and to_csv',
  ),
  outputRows: {
    ...choice(
      'rows',
      ['one', 'any'],
      'how many rows the classifier returns for each row: one, or any number of them (a filter, an explode)',
      'one',
    ),
    commandLineOnly: true,
  },
  force: flag('force', 'replace OUT if it exists; it keeps its mode and owner, and a symbolic link is refused'),
  forceRemoval: {
    ...flag('force', 'also remove open or unfinished jobs; workers skip their remaining rows'),
    commandLineOnly: true,
  },
  doneBefore: age(
    'done-before',
    'remove the jobs that ended, failed or were cancelled at least this long ago: 30m, 12h or 7d',
  ),
  dryRun: flag('dry-run', 'remove nothing, and print what would be removed'),
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
  monitorPort: {
    ...integer('port', 'N', 'the port to listen on; 0 is any free one', [0, 65_535], { fallback: 7696 }),
    commandLineOnly: true, // ROWMILL_PORT would be set by Kubernetes for a service of this name
  },
  metricsPort: optionalInteger(
    'metrics-port',
    'N',
    'serve /metrics, /livez and /readyz over HTTP on this port; 0 is any free one',
    [0, 65_535],
    'nothing is served',
  ),
  metricsAddress: text(
    'metrics-address',
    'ADDRESS',
    'where to listen for HTTP: an address of this machine, or 0.0.0.0 for all of them; any but loopback needs --metrics-token-file',
    '127.0.0.1',
  ),
  metricsTokenFile: optional(
    'metrics-token-file',
    'FILE',
    'a file whose only line is the token that clients send, as Authorization: Bearer TOKEN',
  ),
  metricsAllowedHost: repeated(
    'metrics-allowed-host',
    'NAME',
    'a name by which HTTP clients call this machine, besides localhost and its IP addresses; may be repeated',
  ),
  stalledAfter: integer(
    'stalled-after',
    'SECONDS',
    'a job is stalled when rows wait and nothing has moved for this long',
    [1, MAX_SECONDS],
    { fallback: 60 },
  ),
  followStatus: {
    ...flag('follow', 'refresh it every second, until the job is complete, failed or cancelled'),
    commandLineOnly: true,
  },
  showAll: flag('all', 'show every job, partition and worker, not only those that matter most'),
  data: optional('data', 'DIR', 'keep the topics in this folder for the next start', 'they are removed at the end'),
  stop: flag('stop', 'end the local Kafka that runs left, or let it end after the runs that use it'),
  auth: flag('auth', 'require a login; stderr names the file that has it, for --command-config of clients'),
  id: optional('job', 'ID', 'the id of the job, as rowmill publish or jobs open printed it'),
  only: optional('job', 'ID', 'list this job alone', 'all'),
  rejectsOf: optional('job', 'ID', 'the job', 'list the messages that belong to no job'),
  columns: names('columns', 'NAME,...', 'the columns of the job; give a JSON array if a name has a comma'),
  output: {
    ...choice('output', ['text', 'json'], 'print text for people, or one JSON object a line for programs', 'text'),
    short: 'o',
  },
  role: {
    ...optional('role', ROLES.join('|'), 'the role of the user in the pipeline'),
    parse: ONE_ROLE.parse,
    schema: ONE_ROLE.schema,
  } as OptionSpec<Role | null>,
  principal: optional('principal', 'User:NAME', 'the user, as the cluster knows it', 'User:rowmill-ROLE'),
  planRows: integer('rows', 'N', 'how many rows the topics hold at a time, of all jobs together', [1, 1e12], {
    fallback: 1_000_000,
  }),
  rowsPerSecond: optionalInteger(
    'rows-per-second',
    'N',
    'rows per second of one worker; used to check that --hours is long enough',
    [1, 1e9],
    'unknown',
  ),
  rowBytes: integer('row-bytes', 'N', 'average bytes of a row; a partition gets at most 10 GB', [1, 16_000_000], {
    fallback: 200,
  }),
  hours: integer(
    'hours',
    'N',
    'hours that the topics keep rows and results; each job must be classified and collected within them',
    [1, 100_000],
    { fallback: 168 },
  ),
  resourceOutput: {
    ...choice(
      'output',
      ['text', 'json', 'strimzi'],
      'print text, one JSON object a line, or Strimzi resources in YAML',
      'text',
    ),
    short: 'o',
  },
  follow: flag('follow', 'append rows to OUT as they arrive, for a job without an end'),
  format: choice('format', ['csv', 'json'], 'print CSV lines as in OUT, or one JSON object a line', 'csv'),
  from: choice('from', ['start', 'now'], 'begin with the first row, or with the rows classified from now on', 'start'),
  against: optional('against', 'SERIAL.csv', 'the output of the original job; OUT must have the same bytes'),
  untilDone: optional('until-done', 'JOB', 'end when every row of this job is classified', 'run until stopped'),
  config: optional('config', 'FILE', 'a YAML file with options; the command line and the environment override it'),
  keep: {
    ...flag('keep', 'use the local Kafka that an earlier run left, and leave it for later ones; this is the default'),
    fallback: true,
  },
  noKeep: flag('no-keep', 'start a local Kafka for this run alone, and end it with the run'),
  quiet: flag('quiet', 'log nothing but errors'),
  logFormat: choice(
    'log-format',
    ['text', 'json'],
    'log text for people, or one JSON object a line for programs',
    'text',
  ),
  logLevel: choice('log-level', LOG_LEVELS, 'log lines of this level, and of those before it', 'info'),
  progress: { ...flag('no-progress', 'show no progress'), fallback: true, parse: given => !parseSwitch(given) },
  progressFormat: choice(
    'progress',
    ['text', 'json'],
    'show the progress to people, or as one JSON object a second for programs',
    'text',
  ),
  tracing: flag(
    'tracing',
    'make OpenTelemetry traces, as the OTEL_ variables say; needs the packages @opentelemetry/api and @opentelemetry/sdk-node, or an SDK of your own',
  ),
  report: optional('report', 'FILE.json', 'write the counts, times and versions of the run to this file'),
} satisfies Record<string, OptionSpec<unknown>>

export type OptionName = keyof typeof OPTIONS
export type OptionValues<N extends OptionName> = { [K in N]: (typeof OPTIONS)[K]['fallback'] }

/** The environment variable of an option that is not for the command line alone. */
export function environmentOf({ flag }: OptionSpec<unknown>): string {
  return `ROWMILL_${flag.toUpperCase().replaceAll('-', '_')}`
}
