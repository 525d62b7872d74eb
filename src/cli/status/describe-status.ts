import { isOpen } from '../../watch/phase.ts'
import type { JobView, PipelineView } from '../../watch/view.ts'
import { describeJob, type Room } from './describe-job.ts'
import { describePipeline } from './describe-pipeline.ts'
import { type TextLine, wrapped } from './layout.ts'
import { since } from './words.ts'

/** What `rowmill status` shows of a view: the job `id`, or if it is null the only open job or the only job, or else all jobs. */
export function describeStatus(view: PipelineView, id: string | null, room: Room): TextLine[] {
  const job = jobOf(view, id)
  const lines = job === null ? describePipeline(view, room) : describeJob(view, job, room)
  return [...describeOutage(view, room.width), ...lines]
}

/** The job that is asked for: the one named `id`, or the only one that is open, or the only one. */
export function jobOf({ jobs }: PipelineView, id: string | null): JobView | null {
  if (id !== null) return jobs.find(job => job.id === id) ?? null
  const open = jobs.filter(isOpen)
  const meant = open.length > 0 ? open : jobs
  return meant.length === 1 ? meant[0]! : null
}

function describeOutage({ at, unreachableSince, brokers }: PipelineView, width: number): TextLine[] {
  if (unreachableSince === null) return []
  const text = `no broker of ${brokers} has answered for ${since(unreachableSince, at)}. This was true before:`
  return wrapped(text, width, { tone: 'bad' })
}
