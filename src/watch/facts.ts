import type { DescribedGroup, LeaderlessPartition } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import type { Hearing } from './broker-silence.ts'
import type { RateWindow } from './rate-window.ts'
import type { ReportBoard } from './report-board.ts'
import type { ResultTally } from './result-tally.ts'

/** What was read of a pipeline, as of one moment: everything that its view is made of. */
export interface PipelineFacts {
  readonly pipeline: string
  /** The machine that watches. */
  readonly host: string
  /** Whether that machine has no process of this pid. */
  readonly hasEnded: (pid: number) => boolean
  /** As the user gave them. */
  readonly brokers: string
  /** Milliseconds since 1970, by the clock of the broker as far as it is known. */
  readonly at: number
  readonly stalledAfterMs: number
  readonly unreachableSince: number | null
  readonly hearing: Hearing
  /** In the order in which they were opened. */
  readonly jobs: readonly JobFacts[]
  /** The partitions of `rows` and `bulk`, by `keyOf`. */
  readonly partitions: ReadonlyMap<string, PartitionFacts>
  /** The partitions of the pipeline that nobody leads. What is in them is not known, or as of an earlier look. */
  readonly leaderless: readonly LeaderlessPartition[]
  /** The group of the workers. Null: the broker did not tell. */
  readonly group: DescribedGroup | null
  readonly board: ReportBoard
  /** By the name of the worker, the rows of its results. */
  readonly workerRows: ReadonlyMap<string, WorkerRows>
}

export interface JobFacts {
  readonly job: Job
  readonly openedAt: number
  readonly openedBy: string
  /** The attempts whose results count, in order. */
  readonly attempts: readonly number[]
  /** Null: its results are not read. */
  readonly tally: ResultTally | null
  /** Whether the commits of the workers say that every row has a result. Then nobody needs to read the results. */
  readonly isCommitted: boolean
  /** Null: it has its first attempt, or nobody asked the group of its later one. */
  readonly laterAttempt: LaterAttempt | null
  /** Null: nobody looked, because its publisher tells, or all of it is published. */
  readonly inLog: RowsInLog | null
}

/** How many rows of a job are in the topic of its rows, as its last messages there say. */
export interface RowsInLog {
  /** By partition: so many, or more if rows of other jobs hide later messages. Null: no message of the job was found. */
  readonly rows: readonly (number | null)[]
  /** Of the whole job, by an end of input. Null: none was found. */
  readonly total: number | null
}

/** A later attempt has a group of its own, which reads the rows again. */
export interface LaterAttempt {
  readonly group: DescribedGroup
  /** By `keyOf`, as its group has them. */
  readonly partitions: ReadonlyMap<string, PartitionFacts>
}

/** A partition that rows travel in. */
export interface PartitionFacts {
  /** The offset after its last message. */
  readonly end: number
  /** The group of the workers has results for all rows below this offset. */
  readonly committed: number
  /** When the first message from there on was appended, in ms since 1970. Null: there is none, or it is not known. */
  readonly oldestAt: number | null
  /** When the watch last saw it grow, in ms since 1970. Null: never. */
  readonly grewAt: number | null
  /** The offset of the open transaction of another producer, after which nobody can read. Null: there is none. */
  readonly openTransaction: number | null
}

export interface WorkerRows {
  readonly window: RateWindow
  rows: number
  rejected: number
}
