/** What a pipeline looks like at one moment. Everything that shows a pipeline (status, metrics, the page) shows this. */
import type { Reason } from '../model.ts'
import type { BatchInHand, Report, ReportedPartition, WorkerTime } from '../reports/report.ts'

export interface PipelineView {
  readonly pipeline: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** The brokers as the user gave them. */
  readonly brokers: string
  /** Since when no broker answers, in milliseconds since 1970. Null: they answer. The rest is then as of `at`. */
  readonly unreachableSince: number | null
  /** The pipeline lacks topics, and nothing else is known of it. Null: it has them, as far as is known. */
  readonly noTopics: NoTopicsView | null
  /** In the order in which they were opened. */
  readonly jobs: readonly JobView[]
  /** The workers of all commands that report, and the members of the group that do not. */
  readonly workers: readonly WorkerView[]
  /** The commands that report. */
  readonly processes: readonly ProcessView[]
  /** What happened since the watch began, oldest first: restarts, rebalances, faults. At most the last 200. */
  readonly events: readonly EventView[]
}

export interface NoTopicsView {
  /** Since when, as far as it was seen, in milliseconds since 1970. */
  readonly since: number
  /** The name of one that is missing. */
  readonly missing: string
  /** Whether the watch saw the topics before. */
  readonly wereThere: boolean
  /** The latest job, as it was when the topics were last there. Null: none was seen. */
  readonly lastJob: JobView | null
}

/**
 * - `waiting`: open, and no row is published yet
 * - `publishing`: rows are published, and their number or end is not known yet
 * - `classifying`: all rows are published, and some have no result
 * - `writing`: every row has a result, and a collector writes them, or none is there
 * - `complete`: every row has a result, and a collector wrote all of them or none is known to exist
 * - `stalled`: rows wait, and nothing moved for the stated time
 */
export type JobPhase =
  | 'waiting'
  | 'publishing'
  | 'classifying'
  | 'writing'
  | 'complete'
  | 'failed'
  | 'cancelled'
  | 'stalled'

export interface JobView {
  readonly id: string
  readonly phase: JobPhase
  readonly openedAt: number
  /**
   * When something of the job last moved, in milliseconds since 1970. Events that arrive are no move: the one that has waited
   * longest begins the wait. Null: never since the watch began.
   */
  readonly movedAt: number | null
  /** Who opened it. */
  readonly by: string
  readonly bounded: boolean
  readonly sequenced: boolean
  readonly attempt: number
  readonly topic: string
  readonly rows: JobRows
  /** Rows classified a second: over the last 30 s, and since the first result that the watch saw. */
  readonly rate: { readonly now: number; readonly average: number }
  /** Until the slowest partition is done. Null: not known, it has no end, or what the output waits for does not move. */
  readonly etaSeconds: number | null
  /** What the ordered output waits for. Null: for nothing. */
  readonly waitsFor: WaitView | null
  readonly rejectsByReason: Readonly<Record<string, number>>
  /** The last five, newest last. */
  readonly lastRejects: readonly RejectView[]
  readonly partitions: readonly PartitionView[]
  /** Why it failed or was cancelled. */
  readonly failure: Reason | null
  /** What helps, and the command for it, ready to copy. Null: nothing is known to help. */
  readonly help: HelpView | null
}

export interface HelpView {
  readonly why: string
  /** Null: no command does it from here. */
  readonly command: string | null
}

/** Null: not known. */
export interface JobRows {
  readonly total: number | null
  /**
   * Rows in the topic of the job. Its publisher reports those that are acknowledged. Where none reports, the last messages of each
   * partition tell: exactly, unless rows of other jobs hide later ones, and then it is a lower bound. Of a job without sequence
   * it is `classified` and the messages that wait in its topic, if no other open job uses that.
   */
  readonly published: number | null
  /** Rejects included. Of a job without sequence, those whose results are not deleted yet. */
  readonly classified: number | null
  readonly written: number | null
  readonly rejected: number | null
}

export interface PartitionView {
  readonly topic: string
  readonly partition: number
  /** Rows of the job in this partition, once the end of input tells. */
  readonly total: number | null
  readonly published: number | null
  readonly classified: number | null
  /** Rows that are published and have no result. Of a job that was opened again, also rejects that it has yet to classify again. */
  readonly lagRows: number | null
  /** The age of the oldest of them. 0 if there is none. */
  readonly lagSeconds: number | null
  readonly rowsPerSecond: number
  /** The name of the worker that has it, or of the member of the group. */
  readonly owner: string | null
  /** Whether the ordered output waits for it. */
  readonly blocks: boolean
}

export type WaitReason =
  | 'publisher' // rows are not published yet
  | 'publisher-silent'
  | 'no-worker'
  | 'worker-starting'
  | 'queued' // its worker classifies other rows
  | 'classifying'
  | 'slow-batch' // the batch takes ten times as long as the average one, and more than 4 s; the first one: more than 30 s
  | 'worker-silent'
  | 'rebalance' // nobody has its partition
  | 'open-transaction'
  | 'no-leader' // of a partition that it needs
  | 'no-collector'
  | 'collector' // it is classified, and being written
  | 'collector-silent'
  | 'run-ended' // its rowmill run has ended, and nobody else continues it
  | 'broker'

export interface WaitView {
  readonly reason: WaitReason
  readonly row: number | null
  readonly partition: number | null
  readonly worker: string | null
  /** Milliseconds since 1970. */
  readonly since: number | null
  /** One sentence, for people. */
  readonly text: string
}

export interface WorkerView {
  readonly name: string
  readonly host: string
  /** The process that it lives in. Its name has that of its supervisor. Null: not known. */
  readonly pid: number | null
  /** The command that reports it. Null: it does not report; the group names it. */
  readonly process: string | null
  readonly state: 'starting' | 'idle' | 'busy' | 'silent' | 'gone'
  readonly silentSeconds: number
  readonly partitions: readonly ReportedPartition[]
  readonly batch: BatchInHand | null
  readonly rows: number
  readonly rowsPerSecond: number
  readonly rejected: number
  /** How often its process was started again. */
  readonly restarts: number
  /** How often its classifier alone was started again, by code: `CLASSIFIER_TIMEOUT` or `CLASSIFIER_DIED`. */
  readonly classifierRestarts: Readonly<Record<string, number>>
  /** How long its classifier takes for a row, on average. Null: not known. */
  readonly secondsPerRow: number | null
  /** What it spent its time on since its supervisor began. Null: not known. */
  readonly time: WorkerTime | null
}

export interface ProcessView extends Pick<Report, 'process' | 'command' | 'host' | 'pid' | 'rowmill' | 'startedAt'> {
  /** `gone`: it said that it ended. `silent`: its next report is late. */
  readonly state: 'running' | 'silent' | 'gone'
  readonly job: string | null
}

export interface RejectView {
  /** Its number in the job. Null in a job without sequence. */
  readonly row: number | null
  readonly line: number | null
  readonly reason: string
  readonly detail: string
}

export type EventKind =
  | 'job-opened'
  | 'job-complete'
  | 'job-failed'
  | 'job-cancelled'
  | 'job-stalled'
  | 'worker-started'
  | 'worker-restarted'
  | 'classifier-restarted'
  | 'worker-silent'
  | 'worker-gone'
  | 'rebalance'
  | 'broker-lost'
  | 'broker-back'
  | 'topics-gone'
  | 'topics-back'
  | 'rejects'

export interface EventView {
  /** Counts from 0 since the watch began. */
  readonly number: number
  readonly at: number
  readonly kind: EventKind
  readonly job: string | null
  readonly worker: string | null
  /** One sentence, for people. */
  readonly text: string
}

/** Where views come from. */
export interface ViewSource {
  /** Null before the first look. */
  readonly latest: PipelineView | null
  /** Calls `listener` with each view until the returned function is called. */
  subscribe(listener: (view: PipelineView) => void): () => void
}
