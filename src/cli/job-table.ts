import { hasFailed, jobFailure } from '../core/job.ts'
import type { JobProgress } from '../jobs/job-progress.ts'
import type { Job } from '../model.ts'
import { printableLine } from '../support/printable.ts'
import { duration } from './duration.ts'

/** What `jobs list --output json` prints of a job, in this order. */
export const JOB_LINE = {
  line: 'each job',
  fields: {
    job: 'its id',
    state:
      'open, ended (all its rows are published; the table says published, or classified when they all have results), failed or cancelled',
    attempt: 'the number of its latest attempt, from 0: a replay and a resume after a repair add one',
    type: 'csv (rows of a file), events (numbered by their producer) or unsequenced (events from anywhere)',
    rows: 'rows in all; null if not known',
    classified: 'rows with a result, rejected ones included; null unless it is a csv job that did not fail',
    rejects: 'how many of these are rejected; null as for classified',
    complete: 'whether every row is classified; null as for classified',
    at: 'when its state last changed, in ISO 8601',
    columns: 'the column names of its rows',
    code: 'the error code if it failed or was cancelled, else null',
    reason: 'why it failed or was cancelled, else null',
  },
}

/** A job, and how far the workers are with it, if that is known. */
export interface ListedJob {
  readonly job: Job
  readonly progress: JobProgress | null
}

export function jobLine({ job, progress }: ListedJob) {
  const { id, state, attempt, total, at, columns } = job
  const type = job.bounded ? 'csv' : job.sequenced ? 'events' : 'unsequenced'
  const failure = hasFailed(job) ? jobFailure(job) : null
  const why = { code: failure?.code ?? null, reason: failure?.message ?? null }
  const { classified = null, rejects = null, complete = null } = progress ?? {}
  const counts = { rows: total, classified, rejects, complete }
  return { job: id, state, attempt, type, ...counts, at: new Date(at).toISOString(), columns, ...why }
}

const HEADER = ['JOB', 'STAGE', 'TYPE', 'ROWS', 'CLASSIFIED', 'REJECTS', 'AT', 'REASON']

/** A line for each job, in columns. The job whose state changed last is the last one. `now` is in milliseconds. */
export function describeJobs(jobs: readonly ListedJob[], now: number): string {
  if (jobs.length === 0) return ''
  const sorted = [...jobs].sort((a, b) => a.job.at - b.job.at)
  const table = [HEADER, ...sorted.map(listed => cellsOf(listed, now))]
  const widths = table[0]!.map((_, column) => Math.max(...table.map(cells => cells[column]!.length)))
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')
  return table.map(cells => `${line(cells).trimEnd()}\n`).join('')
}

function cellsOf(listed: ListedJob, now: number): string[] {
  const { job: id, state, attempt, type, rows, classified, rejects, complete, at, code, reason } = jobLine(listed)
  const time = at.replace('T', ' ').replace(/\..*/, ' UTC')
  const when = `${time}, ${duration(Math.max(0, (now - listed.job.at) / 1000))} ago`
  const stage = complete ? 'classified' : complete === false && state === 'ended' ? 'published' : state
  const tries = attempt === 0 ? stage : `${stage}, attempt ${attempt}`
  const numbers = [rows, classified, rejects].map(count => (count === null ? '-' : String(count)))
  const why = code === null ? '' : `${code} ${reason!.split('\n', 1)[0]}`
  return [id, tries, type, ...numbers, when, why].map(printableLine)
}
