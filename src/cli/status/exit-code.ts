import { COMPLETE_WITH_REJECTS } from '../../errors.ts'
import { isOpen } from '../../watch/phase.ts'
import type { JobView, PipelineView } from '../../watch/view.ts'

/** The exit codes of `rowmill status` that no other command has. 0 and 4 mean what they mean elsewhere. */
export const NOT_COMPLETE = 7
export const STALLED = 8
export const FAILED = 9

/**
 * That of the job `id`. Null: that of all jobs, which is that of those that are open if there are any, a stalled one first, or else
 * that of the latest job. 0 without a job. A job that is not there is that of a run that has not opened it yet.
 */
export function exitOf({ jobs }: PipelineView, id: string | null): number {
  const asked = id === null ? jobs : jobs.filter(job => job.id === id)
  const open = asked.filter(isOpen)
  if (open.some(({ phase }) => phase === 'stalled')) return STALLED
  if (open.length > 0) return NOT_COMPLETE
  const latest = asked.at(-1)
  if (latest) return exitOfJob(latest)
  return id === null ? 0 : NOT_COMPLETE
}

function exitOfJob(job: JobView): number {
  if (job.phase !== 'complete') return FAILED
  return job.rows.rejected ? COMPLETE_WITH_REJECTS : 0
}
