import type { DescribedGroup, LeaderlessPartition } from '../../src/kafka/index.ts'
import type { Job } from '../../src/model.ts'
import type { Report, WorkerReport } from '../../src/reports/report.ts'
import type { JobFacts, PartitionFacts, PipelineFacts } from '../../src/watch/facts.ts'
import { ReportBoard } from '../../src/watch/report-board.ts'
import { ResultTally } from '../../src/watch/result-tally.ts'
import { jobRecord } from '../helpers/pipeline.ts'
import { resultRecord } from '../helpers/result-record.ts'

/** The moment of all made facts, in ms since 1970. */
export const NOW = Date.UTC(2026, 2, 1, 2)
const TOPIC = 'p.rows'

/** A job of 40 rows in 2 partitions of blocks of 10, opened 100 s ago. */
export function madeJob(more: Partial<Job> = {}): Job {
  const layout = { partitions: 2, blockRows: 10, topic: TOPIC, rowsFrom: [0, 0], resultsFrom: [0, 0] }
  const source = { name: 'rows.csv', size: 1, mtimeMs: 1 }
  return jobRecord({ ...layout, total: 40, state: 'ended', source, at: NOW - 100_000, by: 'publish', ...more })
}

/** `done`: for each partition, how many positions have a result. The last of them came 5 s ago. */
export function madeJobFacts(job: Job = madeJob(), done: readonly number[] = [10, 10]): JobFacts {
  const tally = new ResultTally(job)
  for (const [partition, count] of done.entries())
    if (count > 0) tally.take(partition, { kind: 'result', value: resultRecord({ count }) }, NOW - 5000)
  return {
    job,
    openedAt: NOW - 100_000,
    openedBy: job.by,
    attempts: [0],
    tally,
    isCommitted: false,
    laterAttempt: null,
    inLog: null,
  }
}

export function madePartition(more: Partial<PartitionFacts> = {}): PartitionFacts {
  return { end: 2, committed: 1, oldestAt: NOW - 60_000, grewAt: null, openTransaction: null, ...more }
}

export function madeWorker(more: Partial<WorkerReport> = {}): WorkerReport {
  return {
    ...{ name: 'host-7-1', pid: 8, state: 'busy', heardSeconds: 0, batch: null, rows: 1000, rejected: 0, restarts: 0 },
    partitions: [0, 1].map(partition => ({ topic: TOPIC, partition })),
    ...{ classifierRestarts: {}, secondsPerRow: 0.01 },
    time: { start: 1, classify: 10, send: 0, wait: 0 },
    ...more,
  }
}

export function madeReport(more: Partial<Report> = {}): Report {
  const who = { process: 'host-7', command: 'work', host: 'host', pid: 7, rowmill: '0.1.0' } as const
  const parts = { publishing: null, working: null, collecting: null }
  return { version: 1, ...who, startedAt: NOW - 90_000, everySeconds: 10, isLast: false, ...parts, ...more }
}

export function workersReport(workers: readonly WorkerReport[], more: Partial<Report> = {}): Report {
  return madeReport({ working: { restarts: 0, rebalances: 0, workers }, ...more })
}

interface Made {
  readonly jobs?: readonly JobFacts[]
  /** Each with how many seconds ago it was made. */
  readonly reports?: readonly (readonly [report: Report, secondsAgo: number])[]
  readonly partitions?: readonly PartitionFacts[]
  readonly group?: DescribedGroup | null
  readonly leaderless?: readonly LeaderlessPartition[]
}

export function madeFacts({
  jobs = [madeJobFacts()],
  reports = [],
  partitions,
  group = null,
  leaderless = [],
}: Made = {}): PipelineFacts {
  const board = new ReportBoard()
  for (const [report, secondsAgo] of reports) board.take(report, NOW - secondsAgo * 1000)
  const logs = partitions ?? [madePartition(), madePartition()]
  return {
    ...{ pipeline: 'p', host: 'host', brokers: 'kafka:9092', at: NOW, stalledAfterMs: 60_000, unreachableSince: null },
    ...{ jobs, group, board, workerRows: new Map(), hearing: { from: 0, upTo: NOW } },
    ...{ leaderless, hasEnded: () => false },
    partitions: new Map(logs.map((log, partition) => [`${TOPIC}/${partition}`, log])),
  }
}
