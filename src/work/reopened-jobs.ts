import { hasFailed } from '../core/job.ts'
import type { Job } from '../model.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import { untilAborted } from '../support/abort.ts'
import type { Membership } from './membership.ts'

export interface ReopenedJobsOptions {
  readonly jobs: JobLog
  /** Opens and joins the group of this attempt of the job. */
  join(job: Job): Promise<Membership>
  /** Leaves a group that was joined. */
  leave(membership: Membership): Promise<void>
  /** Told what ends the worker. */
  failed(fault: unknown): void
}

/**
 * Keeps a worker a member of one more group for each job that was opened again, as long as the last attempt of the job has
 * anything to do. Resolves when `signal` aborts and all of them are left.
 */
export async function serveReopened(options: ReopenedJobsOptions, signal: AbortSignal): Promise<void> {
  const { jobs, failed } = options
  const serving = new Map<string, Promise<void>>()
  await jobs.latest('') // an attempt that failed long ago needs no group
  const stopped = untilAborted(signal)
  while (!signal.aborted) {
    const news = jobs.news()
    for (const job of jobs.reopened) {
      const attempt = `${job.id}/${job.attempt}`
      if (hasFailed(job) || serving.has(attempt)) continue
      const served = serveAttempt(job, options, signal)
      served.catch(failed)
      serving.set(attempt, served)
    }
    await Promise.race([news, stopped])
  }
  await Promise.allSettled(serving.values())
}

async function serveAttempt(job: Job, { jobs, join, leave }: ReopenedJobsOptions, signal: AbortSignal): Promise<void> {
  const { id, attempt } = job
  const over = new AbortController()
  const isOver = (now: Job) => hasFailed(now) || now.attempt !== attempt
  const end = () => over.abort()
  jobs.until(id, isOver, AbortSignal.any([signal, over.signal])).then(end, end)
  const membership = await join(job)
  try {
    const published = await jobs.until(id, now => now.state === 'ended', over.signal)
    await membership.untilDone(published, over.signal)
  } catch (error) {
    if (!over.signal.aborted) throw error
  } finally {
    over.abort()
    await leave(membership)
  }
}
