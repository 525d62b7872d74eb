import { hasFailed, jobFailure } from '../core/job.ts'
import type { JobProgress } from '../jobs/job-progress.ts'
import type { Job, JobState } from '../model.ts'
import { printableLine } from '../support/printable.ts'
import { duration } from './terminal.ts'

/** What `jobs list` says of a job, in this order. */
export interface JobLine {
  readonly job: string
  readonly state: JobState
  readonly attempt: number
  /** `csv`: it ends. `events`: a program numbers them. `unsequenced`: they come from anywhere. */
  readonly kind: 'csv' | 'events' | 'unsequenced'
  /** Rows in all, where that is known. */
  readonly rows: number | null
  /** Rows that have a result or are rejected, of a csv job that did not fail; else null. */
  readonly classified: number | null
  /** How many of these are rejected. */
  readonly rejects: number | null
  /** Whether every row of it is classified; null where its rows do not end, or it failed. */
  readonly complete: boolean | null
  /** When the last news of it was written. */
  readonly at: string
  readonly columns: readonly string[]
  /** Why it failed or was cancelled. */
  readonly code: string | null
  readonly reason: string | null
}

/** A job, and how far the workers are with it, where that is known. */
export interface ListedJob {
  readonly job: Job
  readonly progress: JobProgress | null
}

export function jobLine({ job, progress }: ListedJob): JobLine {
  const { id, state, attempt, total, at, columns } = job
  const kind = job.bounded ? 'csv' : job.sequenced ? 'events' : 'unsequenced'
  const failure = hasFailed(job) ? jobFailure(job) : null
  const why = { code: failure?.code ?? null, reason: failure?.message ?? null }
  const { classified = null, rejects = null, complete = null } = progress ?? {}
  const counts = { rows: total, classified, rejects, complete }
  return { job: id, state, attempt, kind, ...counts, at: new Date(at).toISOString(), columns, ...why }
}

const HEADER = ['JOB', 'STATE', 'KIND', 'ROWS', 'CLASSIFIED', 'REJECTS', 'AT', 'REASON']

/** A line for each job, in columns, the one with the latest news last; `now` is in milliseconds. */
export function describeJobs(jobs: readonly ListedJob[], now: number): string {
  if (jobs.length === 0) return ''
  const sorted = [...jobs].sort((a, b) => a.job.at - b.job.at)
  const table = [HEADER, ...sorted.map(listed => cellsOf(listed, now))]
  const widths = table[0]!.map((_, column) => Math.max(...table.map(cells => cells[column]!.length)))
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')
  return table.map(cells => `${line(cells).trimEnd()}\n`).join('')
}

function cellsOf(listed: ListedJob, now: number): string[] {
  const { job: id, state, attempt, kind, rows, classified, rejects, complete, at, code, reason } = jobLine(listed)
  const time = at.replace('T', ' ').replace(/\..*/, ' UTC')
  const when = `${time}, ${duration(Math.max(0, (now - listed.job.at) / 1000))} ago`
  const stage = complete ? 'classified' : complete === false && state === 'ended' ? 'published' : state
  const tries = attempt === 0 ? stage : `${stage}, attempt ${attempt}`
  const numbers = [rows, classified, rejects].map(count => (count === null ? '-' : String(count)))
  const why = code === null ? '' : `${code} ${reason!.split('\n', 1)[0]}`
  return [id, tries, kind, ...numbers, when, why].map(printableLine)
}
