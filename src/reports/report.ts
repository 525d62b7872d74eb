/**
 * What a command of a pipeline reports about itself while it runs: who it is, and what no topic shows. It is a JSON text in the
 * topic `<pipeline>.reports`, compacted by the key `process`. No guarantee rests on it: a command that may not write there works
 * all the same. docs/wire-format.md has the same fields.
 */
export interface Report {
  readonly version: 1
  /** `HOST-PID`. It is the key of the message. */
  readonly process: string
  readonly command: ReportingCommand
  readonly host: string
  readonly pid: number
  /** The version of rowmill. */
  readonly rowmill: string
  /** Milliseconds since 1970, by the clock of this machine. */
  readonly startedAt: number
  /** The next report comes within this many seconds. Later than that, the process is silent. */
  readonly everySeconds: number
  /** Whether the command ended in an orderly way: no further report comes. */
  readonly isLast: boolean
  /** What it works with, for the command that starts it again. An older rowmill does not tell. */
  readonly uses?: ReportedUse
  /** Why it ended, in its last report. Undefined: it did what it was asked to, or an older rowmill does not tell. */
  readonly failure?: ReportedFailure
  readonly publishing: PublishingReport | null
  readonly working: WorkingReport | null
  readonly collecting: CollectingReport | null
}

/** Paths of files are absolute, on the machine of the command. */
export interface ReportedUse {
  /** What it classifies with, as --classifier takes it. */
  readonly classifier?: string
  /** What it writes. */
  readonly output?: string
}

export interface ReportedFailure {
  readonly code: string
  /** Its first line. */
  readonly message: string
}

export type ReportingCommand = 'run' | 'publish' | 'work' | 'collect'

export interface PublishingReport {
  readonly job: string
  /** Rows that the broker acknowledged. */
  readonly published: number
  /** Null: the source does not know it. */
  readonly total: number | null
}

export interface CollectingReport {
  readonly job: string
  readonly written: number
  readonly rejected: number
  /** Second copies of rows that were dropped. */
  readonly duplicates: number
  /** What the ordered output waits for. Null: it waits for nothing that it knows of. */
  readonly waiting: { readonly row: number | null; readonly partition: number; readonly seconds: number } | null
}

/** The workers of one supervisor. */
export interface WorkingReport {
  /** How often a worker was started again. */
  readonly restarts: number
  /** The `--batch-timeout` of its workers, in seconds. Undefined: an older rowmill does not tell. */
  readonly batchTimeout?: number
  /** How often a worker joined a consumer group, or got another share of the partitions. */
  readonly rebalances: number
  readonly workers: readonly WorkerReport[]
}

export interface WorkerReport {
  /** As in results: `HOST-PID-NUMBER`. */
  readonly name: string
  /** The process that it lives in, perhaps with others. Undefined: an older rowmill does not tell. */
  readonly pid?: number
  /** `starting`: its classifier is being imported. `idle`: it has no batch. `busy`: it has one, of its own or of another worker. */
  readonly state: 'starting' | 'idle' | 'busy'
  /** How long ago its supervisor heard of it. Above SILENT_SECONDS it may be frozen. */
  readonly heardSeconds: number
  readonly partitions: readonly ReportedPartition[]
  readonly batch: BatchInHand | null
  /** Rows that its classifier answered, rejects included, since the supervisor began. Those of a batch that it lent too. */
  readonly rows: number
  /** Copies that it wrote to `rejects`: rows, and messages that belong to no job. */
  readonly rejected: number
  /** How often its process was started again. */
  readonly restarts: number
  /**
   * How often its classifier alone was started again, by code: `CLASSIFIER_TIMEOUT` (a call took longer than `--batch-timeout`) or
   * `CLASSIFIER_DIED`. Undefined: an older rowmill does not tell.
   */
  readonly classifierRestarts?: Readonly<Record<string, number>>
  /**
   * How long its classifier takes for a row, on average over the batches for which it was not started again. Null: none yet.
   * Undefined: an older rowmill does not tell.
   */
  readonly secondsPerRow?: number | null
  /** What it spent its time on since the supervisor began, the batch in hand included. Undefined: an older rowmill does not tell. */
  readonly time?: WorkerTime
}

/** A worker tells its supervisor every second that it lives. */
export const SILENT_SECONDS = 3

export interface ReportedPartition {
  readonly topic: string
  readonly partition: number
}

/** A batch that the classifier has now. */
export interface BatchInHand extends ReportedPartition {
  readonly job: string
  /** The number of its first row in the job. Null in a job without sequence. */
  readonly row: number | null
  readonly rows: number
  readonly seconds: number
}

/**
 * The stages of a batch in a worker. `queue`: from the arrival of its first message until a classifier began with it. `classify`:
 * in the classifier. `send`: until its results were acknowledged. Batches wait side by side, so the sums of `queue` and `send`
 * may grow faster than time passes.
 */
export const BATCH_STAGES = ['queue', 'classify', 'send'] as const

/**
 * What a worker spends its time on: one of these at any moment. `start`: its classifier is being imported. `classify`: its classifier has a
 * batch, whatever else happens beside it. `send`: results are on their way, and no batch is left. `wait`: it waits for rows.
 */
export const WORKER_ACTIVITIES = ['start', 'classify', 'send', 'wait'] as const
/** Seconds. They add up to the time that the process of the worker has run. */
export type WorkerTime = Readonly<Record<(typeof WORKER_ACTIVITIES)[number], number>>

/** What a command reports of its parts. Null: it has no such part. */
export type ReportedParts = Pick<Report, 'publishing' | 'working' | 'collecting'>
