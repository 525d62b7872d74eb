import type { KafkaOptions } from '../client-config/kafka-options.ts'
import type { Sink, Source } from '../connector.ts'
import type { JobOption, Rejected } from '../model.ts'
import { type Compression, OPTIONS } from '../options.ts'
import type { Observer } from '../reports/observer.ts'
import type { Say, ShowOutput } from '../support/say.ts'

export interface RunOptions extends Partial<RunSettings> {
  readonly source: Source
  readonly sink: Sink
  /** `FILE[:NAME]` or `package.module:name`. */
  readonly classifier: string
}

/** The options with a default (RUN_DEFAULTS). */
export interface RunSettings {
  readonly python: string
  readonly workers: number
  readonly batchRows: number
  /** How many seconds a classifier call may run before it counts as hung. */
  readonly batchTimeout: number
  /** How much memory one classifier may use, in MB. Null: no limit. */
  readonly classifierMemory: number | null
  /** At most how many rows the probe tries in other batches. 0: no probe. */
  readonly probe: number
  /** Null: enough for the workers. */
  readonly partitions: number | null
  /** `host:port` of one or more brokers: the short form of `kafka`. Null: a local broker for this run. */
  readonly brokers: readonly string[] | null
  /** The cluster, and how to reach it. Null: `brokers`, without TLS and login. */
  readonly kafka: KafkaOptions | null
  /** How many seconds to retry while the broker does not answer. */
  readonly brokerTimeout: number
  /** Whether `say` gets what KafkaJS logs, at the level debug. */
  readonly logsClient: boolean
  /** How messages are compressed on their way to the broker. */
  readonly compression: Compression
  /** Where a local broker keeps its topics until the run is complete. Null: nowhere. */
  readonly brokerData: string | null
  /** A local broker that stays after the run and that other runs use too. Null: a broker for this run alone. */
  readonly keptBroker: KeptPlace | null
  /** The URL of a schema registry. Messages are then in Confluent wire format. */
  readonly schemaRegistry: string | null
  /** Null: a pipeline of its own, whose topics are deleted when the run ends. */
  readonly pipeline: string | null
  /** Null: a new id. */
  readonly job: string | null
  /** An unfinished run to resume, as `onOpen` was told of it. Its source and options must be the same. */
  readonly unfinished: UnfinishedRun | null
  /** Options for the job record: `toCsv`, `cast`, `maxRejects`. */
  readonly options: readonly JobOption[]
  /** Whether to make OpenTelemetry traces. Throws USAGE where the packages for it are missing. */
  readonly tracing: boolean
  /** Ends the run with its reason. */
  readonly signal: AbortSignal
  readonly say: Say
  /** Called at once with the job and the pipeline of the run. */
  readonly onNamed: (run: UnfinishedRun) => void
  /** Called once it is known who else reaches the brokers: with the file for clients of a local broker of this run alone, or with null. */
  readonly onBrokers: (clientConfig: string | null) => void
  /** Called before the run creates anything on a broker. If the process is killed later, this is how to find the run. */
  readonly onBegin: ((run: UnfinishedRun) => Promise<void> | void) | null
  /** Called before the first row. Null: a run that does not complete leaves nothing to resume. */
  readonly onOpen: ((run: UnfinishedRun) => Promise<void> | void) | null
  /** Gets what the classifier printed. */
  readonly onOutput: ShowOutput
  /** Gets what a process of workers prints otherwise, such as a warning of Node. Null: that goes to stderr. */
  readonly onStderr: ShowOutput | null
  readonly onProgress: (progress: RunProgress) => void
  /** Observes the run from within. Null: nobody does. */
  readonly observer: Observer | null
}

export const RUN_DEFAULTS: RunSettings = {
  python: OPTIONS.python.fallback,
  workers: OPTIONS.workers.fallback,
  batchRows: OPTIONS.batchRows.fallback,
  batchTimeout: OPTIONS.batchTimeout.fallback,
  classifierMemory: null,
  probe: OPTIONS.probe.fallback,
  partitions: null,
  brokers: null,
  kafka: null,
  brokerTimeout: OPTIONS.brokerTimeout.fallback,
  compression: OPTIONS.compression.fallback,
  logsClient: false,
  brokerData: null,
  keptBroker: null,
  schemaRegistry: null,
  pipeline: null,
  job: null,
  unfinished: null,
  options: [],
  tracing: false,
  signal: new AbortController().signal,
  say: () => {},
  onNamed: () => {},
  onBrokers: () => {},
  onBegin: null,
  onOpen: null,
  onOutput: () => {},
  onStderr: null,
  onProgress: () => {},
  observer: null,
}

/** How to find a run that was cut short. */
export interface UnfinishedRun {
  readonly job: string
  readonly pipeline: string
  /** The option `sourceDigest` of its source, if it has one: then the run is resumed only with the same bytes. */
  readonly sourceDigest?: string | null
  /** The folder of the kept broker that has its topics. Null, the default: no kept broker has them. */
  readonly keptIn?: string | null
}

/** Where a kept broker is, and how a run there is found again. */
export interface KeptPlace {
  readonly folder: string
  /** The file that names the run while it can be resumed. Null: it cannot be resumed. */
  readonly runFile: string | null
}

/** Rows so far. `total` is null if the source does not know it. */
export interface RunProgress {
  readonly published: number
  readonly classified: number
  readonly written: number
  readonly rejected: number
  readonly total: number | null
}

/** What the probe did. */
export interface ProbeReport {
  /** How many rows it tried. */
  readonly rows: number
  /** How often it called the classifier. */
  readonly calls: number
  /** How long these calls took. */
  readonly seconds: number
  /** Columns that differ even between two calls with the same rows. */
  readonly unstable: readonly string[]
  /** The code of the error that ended the probe without a verdict. Null: it has a verdict. */
  readonly failure: string | null
}

export interface RunReport {
  readonly job: string
  readonly pipeline: string
  /** Rows with a result. */
  readonly rows: number
  readonly rejects: number
  /** All rows of the source. */
  readonly rowsIn: number
  /** Rows that were written. */
  readonly rowsOut: number
  readonly duplicates: number
  /** The first of the rejected rows, at most 100: a run with its own pipeline leaves no topic to look them up in. */
  readonly rejected: readonly Rejected[]
  readonly partitions: number
  readonly blockRows: number
  readonly batchRows: number
  readonly rowsByWorker: Readonly<Record<string, number>>
  /** The versions the classifier ran under: `{ python, pandas }`, or `{ node }`. */
  readonly classifierVersions: Readonly<Record<string, string>>
  /** Null: there was nothing to probe, or `probe` is 0. */
  readonly probe: ProbeReport | null
  /** From the call to the last byte. */
  readonly seconds: number
  /** From the call until broker, Python and pandas had started and the first row was published. */
  readonly startSeconds: number
}
