import type { JobFacts } from './facts.ts'
import type { JobProcesses, RowsOfJob } from './job-rows.ts'
import type { JobCounts } from './result-tally.ts'
import type { WorkerView } from './view.ts'

/** A job that is not over, and what is known about it. */
export interface UnfinishedJob extends JobProcesses {
  readonly of: JobFacts
  readonly rows: RowsOfJob
  readonly counts: JobCounts | null
  readonly isClassified: boolean
  readonly movedAt: number | null
  /** Whether nothing moved for the stated time. */
  readonly isStill: boolean
  readonly workers: readonly WorkerView[]
  /** By partition of a topic. */
  readonly owners: ReadonlyMap<string, WorkerView>
}

/** A row that the ordered output needs next, or the partition whose rows are oldest in a job without sequence. */
export interface NextRow {
  readonly row: number | null
  readonly partition: number
}
