import { hasFailed, jobFailure } from '../jobs.ts'
import type { Job, JobState } from '../model.ts'
import { printableLine } from '../printable.ts'
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
  /** When the last news of it was written. */
  readonly at: string
  readonly columns: readonly string[]
  /** Why it failed or was cancelled. */
  readonly code: string | null
  readonly reason: string | null
}

export function jobLine(job: Job): JobLine {
  const { id, state, attempt, total, at, columns } = job
  const kind = job.bounded ? 'csv' : job.sequenced ? 'events' : 'unsequenced'
  const failure = hasFailed(job) ? jobFailure(job) : null
  const why = { code: failure?.code ?? null, reason: failure?.message ?? null }
  return { job: id, state, attempt, kind, rows: total, at: new Date(at).toISOString(), columns, ...why }
}

/** A line for each job, in columns, the one with the latest news last; `now` is in milliseconds. */
export function describeJobs(jobs: readonly Job[], now: number): string {
  if (jobs.length === 0) return ''
  const sorted = [...jobs].sort((a, b) => a.at - b.at)
  const table = [['JOB', 'STATE', 'KIND', 'ROWS', 'AT', 'REASON'], ...sorted.map(job => cellsOf(job, now))]
  const widths = table[0]!.map((_, column) => Math.max(...table.map(cells => cells[column]!.length)))
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')
  return table.map(cells => `${line(cells).trimEnd()}\n`).join('')
}

function cellsOf(job: Job, now: number): string[] {
  const { job: id, state, attempt, kind, rows, at, code, reason } = jobLine(job)
  const time = at.replace('T', ' ').replace(/\..*/, ' UTC')
  const when = `${time}, ${duration(Math.max(0, (now - job.at) / 1000))} ago`
  const tries = attempt === 0 ? state : `${state}, attempt ${attempt}`
  const why = code === null ? '' : `${code} ${reason!.split('\n', 1)[0]}`
  return [id, tries, kind, rows === null ? '-' : String(rows), when, why].map(printableLine)
}
