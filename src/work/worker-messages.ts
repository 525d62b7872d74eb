/** What a supervisor, its processes of workers and these workers tell each other, over the channel of each process. */
import type { ClassifierRuntime } from '../classifier/boundary.ts'
import type { ErrorRecord } from '../errors.ts'
import type { KafkaSettings } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import type { ForkServerAddress } from '../python/forked-process.ts'
import type { LogFacts } from '../support/say.ts'
import type { RegistryIds } from '../wire/confluent.ts'
import type { WorkerActivity } from './activity.ts'
import type { JoinedGroup } from './dead-members.ts'
import type { Question } from './job-judge.ts'
import type { FromDesk, ToDesk } from './lending-messages.ts'
import type { Share } from './run-partitions.ts'

/** What a worker is when it begins. */
export interface WorkerArguments {
  readonly name: string
  readonly python: string
  /** `FILE[:NAME]` or `package.module:name`. */
  readonly target: string
  readonly batchRows: number
  /** How long a classifier call may take, in seconds. */
  readonly batchTimeout: number
  /** How much memory a classifier may use, in MB. Null: no limit. */
  readonly classifierMemory: number | null
  /** At most how many of the first rows of a job to try in other batches. Default: 0, nothing is tried. */
  readonly probe?: number
  /** Whether to ask the supervisor about jobs. Default: no. */
  readonly asks?: boolean
  /** Whether there are workers beside it that lend each other their classifiers. Default: no. */
  readonly lends?: boolean
  /** Whether batches have spans of OpenTelemetry. Default: no. */
  readonly tracing?: boolean
  /** Whether the supervisor says from which fork server to have the classifier. Default: from none. */
  readonly forks?: boolean
  /** Whether to tell the supervisor every second what it does. Default: no. */
  readonly reports?: boolean
  /** Whether to tell it then how long each batch took. Default: no. */
  readonly timings?: boolean
}

/** The pipeline that workers serve. */
export interface WorkAssignment {
  readonly pipeline: string
  /** Whether the pipeline has the topic `bulk`. Then it has other workers too, so ours join only when they can classify. Default: no. */
  readonly bulk?: boolean
  /** How many partitions it has, if only these workers serve it: then the supervisor deals them. Null (the default): a group does. */
  readonly ownPartitions?: number | null
  /** The ids in a schema registry, or null (the default) for messages in Avro's own single-object encoding. */
  readonly registryIds?: RegistryIds | null
}

/** What a worker is told, and what it answers, about its share of the partitions. */
export type ToSharer = { type: 'ping' } | ({ type: 'share' } & Share)
export type FromSharer = { type: 'alive' } | { type: 'released'; turn: number }

/** What the supervisor tells a worker. */
export type ToWorker =
  | ({
      type: 'work'
      kafka: Omit<KafkaSettings, 'clientId' | 'format'>
    } & WorkAssignment)
  | ToSharer
  /** A group has changed. */
  | { type: 'wake' }
  /** The address of the fork server, or null: it has none. */
  | { type: 'forks'; address: ForkServerAddress | null }
  /** The answer to a question: the error that ends the job, or null. */
  | { type: 'verdict'; id: number; error: ErrorRecord | null }
  | FromDesk

/** What a worker tells its supervisor. */
export type FromWorker =
  | ({ type: 'ready' } & ClassifierRuntime)
  | FromSharer
  | ({ type: 'joined' } & JoinedGroup)
  | { type: 'batch'; rows: number }
  | ({ type: 'activity' } & WorkerActivity)
  | { type: 'say'; text: string; facts?: LogFacts | undefined }
  | { type: 'output'; text: string; facts?: LogFacts | undefined }
  /** Null: all rows of the job in a partition are classified. */
  | { type: 'ask'; id: number; job: Job; question: Question }
  | { type: 'failed'; error: ErrorRecord }
  | ToDesk

/** What the supervisor tells a process of workers (worker-process.ts). */
export type ToProcess =
  /** One more worker begins in it. */
  | { type: 'start'; worker: WorkerArguments }
  | { type: 'to'; worker: string; message: ToWorker }
  /** All of its workers are to leave. */
  | { type: 'drain' }

/** What one of its workers tells the supervisor. */
export interface FromProcess {
  readonly worker: string
  readonly message: FromWorker
}

/** A process says every second that it runs, if its workers report. */
export type FromProcessOrBeat = FromProcess | { readonly type: 'beat' }
