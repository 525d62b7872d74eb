import { hasFailed } from '../core/job.ts'
import { isRemoved } from '../core/removed-job.ts'
import type { Job } from '../model.ts'
import type { OpenedJob } from '../pipeline/job-log.ts'
import type { JobFacts } from './facts.ts'
import type { CommittedPartition } from './partition-book.ts'
import type { HeardProcess } from './report-board.ts'

/** The most jobs that a view has: the open ones first, then the latest. */
const MOST_JOBS = 100
/** The most later attempts whose groups are asked. */
const MOST_ATTEMPTS = 4
/** How far the clocks of two machines may differ. */
const CLOCKS_MS = 60_000

/** The jobs that are shown, in the order in which they were opened. `only`: the one job that is asked for. */
export function shownJobs(all: readonly OpenedJob[], only: string | null): OpenedJob[] {
  const there = all.filter(({ job }) => !isRemoved(job) && (only === null || job.id === only))
  const latest = (jobs: readonly OpenedJob[], count: number) => (count > 0 ? jobs.slice(-count) : [])
  const open = latest(
    there.filter(({ job }) => job.state === 'open'),
    MOST_JOBS,
  )
  const others = latest(
    there.filter(({ job }) => job.state !== 'open'),
    MOST_JOBS - open.length,
  )
  const shown = new Set([...open, ...others])
  return there.filter(job => shown.has(job))
}

/** Where the log of a partition of rows ends, and what the group of the workers committed. */
export interface CommittedLog {
  readonly end: number
  readonly committed: number
}

/**
 * Whether the commits of the workers say that every row of an ended job has a result. A worker commits an offset only after
 * the results of all rows below. All rows of the job are below the end of the log now, and below the rows of every job that
 * was opened after it ended. `committedOf`: null for a partition that is not known.
 */
export function isCommitted(
  { job }: OpenedJob,
  all: readonly OpenedJob[],
  committedOf: (topic: string, partition: number) => CommittedLog | null,
): boolean {
  const { id, topic, attempt, state, at } = job
  if (state !== 'ended' || attempt > 0) return false // a later attempt has a group of its own
  const next = all.find(other => other.job.id !== id && other.job.topic === topic && other.openedAt > at + CLOCKS_MS)
  return job.rowsFrom.every((from, partition) => {
    const here = committedOf(topic, partition)
    if (here === null) return false
    const end = next?.job.rowsFrom[partition] ?? here.end
    return here.committed >= end || end <= from
  })
}

/**
 * Where the rows begin that somebody waits for, as if all before were committed: rows of jobs that were cancelled, or that failed,
 * wait for nobody. `committed`: the ids of the jobs whose rows are. A later attempt has a group of its own.
 */
export function awaitedRows(
  rows: readonly CommittedPartition[],
  shown: readonly OpenedJob[],
  committed: ReadonlySet<string>,
): CommittedPartition[] {
  const waiting = jobsOf(shown).filter(job => job.attempt === 0 && !hasFailed(job) && !committed.has(job.id))
  return rows.map(at => {
    const here = waiting.filter(({ topic }) => topic === at.topic)
    const begin = Math.min(at.offset, ...here.map(job => rowsFromOf(job, at.partition)))
    return { ...at, committed: Math.max(at.committed, begin) }
  })
}

/** The later attempts whose groups are asked: the last ones that are not over, because each needs a connection. */
export function askedAttempts(jobs: readonly JobFacts[]): Job[] {
  const open = jobs.filter(({ job, tally, attempts }) => {
    if (job.attempt === 0 || hasFailed(job)) return false
    return tally === null || tally.counts(job, attempts).ends < job.partitions
  })
  return open
    .map(({ job }) => job)
    .sort((a, b) => a.at - b.at)
    .slice(-MOST_ATTEMPTS)
}

/** The jobs with sequence that are not published to their end, as far as it is known, and whose publisher says nothing now. */
export function unreported(jobs: readonly Job[], heard: readonly HeardProcess[]): Job[] {
  const reported = heard.filter(({ state }) => state === 'running').map(({ report }) => report.publishing?.job)
  return jobs.filter(job => job.sequenced && job.state !== 'ended' && !reported.includes(job.id))
}

export interface Interest {
  /** The id of the one job that is asked for. Null: all are. */
  readonly only: string | null
  /** Whether to tell how many rows of the latest job were rejected. */
  readonly countsLatest: boolean
}

/**
 * The jobs whose results must be read to say how far they are. `isCounted`: whether all rows of a job are known to have a result.
 */
export function neededJobs(
  shown: readonly OpenedJob[],
  isCounted: (job: Job) => boolean,
  { only, countsLatest }: Interest,
): OpenedJob[] {
  const latest = countsLatest ? shown.at(-1) : null
  return shown.filter(each => {
    if (each.job.id === only) return true
    return !hasFailed(each.job) && (each === latest || !isCounted(each.job))
  })
}

export function jobsOf(opened: readonly OpenedJob[]): Job[] {
  return opened.map(({ job }) => job)
}

/**
 * For each partition of `results`, where reading begins: at the first result of the oldest of these jobs. `ends`: where the
 * partitions end now, for those that none of the jobs has. NaN: it is not known.
 */
export function beginnings(jobs: readonly Job[], ends: readonly number[]): number[] {
  return ends.map((end, partition) => {
    const from = jobs.map(job => resultsFromOf(job, partition)).filter(offset => offset !== null)
    return from.length > 0 ? Math.min(...from) : Number.isNaN(end) ? 0 : end
  })
}

/** Whether a reader that began at `from` reads all results of a job. */
export function isCovered(job: Job, from: readonly number[]): boolean {
  return from.every((offset, partition) => (resultsFromOf(job, partition) ?? offset) >= offset)
}

/** Null: the job has no results there. A job without sequence also uses partitions that were added later. */
function resultsFromOf({ resultsFrom, sequenced }: Job, partition: number): number | null {
  return resultsFrom[partition] ?? (sequenced ? null : 0)
}

/** A job without sequence also uses partitions that were added later. */
function rowsFromOf({ rowsFrom, sequenced }: Job, partition: number): number {
  return rowsFrom[partition] ?? (sequenced ? Number.POSITIVE_INFINITY : 0)
}
