import { attemptOf, hasFailed } from '../core/job.ts'
import type { Job } from '../model.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import { untilAborted } from '../support/abort.ts'
import type { Say } from '../support/say.ts'
import type { Membership } from './membership.ts'

export interface ReopenedJobsOptions {
  readonly jobs: JobLog
  /** Opens and joins the group of this attempt of the job. */
  join(job: Job): Promise<Membership>
  /** Leaves a group that was joined. */
  leave(membership: Membership): Promise<void>
  readonly say: Say
  /** Called with the error that ends the worker. */
  failed(fault: unknown): void
}

/** A bound, because each attempt needs a group with its own connections. */
const MOST_AT_ONCE = 16

/**
 * For each reopened job, keeps the worker in one more group while the job's latest attempt has work to do. Resolves after
 * `signal` aborts, when the worker has left all these groups.
 */
export async function serveReopened(options: ReopenedJobsOptions, signal: AbortSignal): Promise<void> {
  const { jobs, say, failed } = options
  const serving = new Map<string, Promise<void>>()
  const done = new Set<string>()
  let saidWaiting = false
  const stopped = untilAborted(signal)
  await Promise.race([jobs.latest(''), stopped]) // an attempt that failed long ago needs no group
  while (!signal.aborted) {
    const news = jobs.news()
    const open = jobs.reopened.filter(job => !hasFailed(job) && !done.has(attemptOf(job)))
    for (const job of open) {
      const attempt = attemptOf(job)
      if (serving.has(attempt) || serving.size >= MOST_AT_ONCE) continue
      const serve = serveAttempt(job, options, signal).finally(() => {
        serving.delete(attempt)
        done.add(attempt)
      })
      serve.catch(failed)
      serving.set(attempt, serve)
    }
    const waiting = open.length - serving.size
    if (waiting > 0 && !saidWaiting)
      say(`${open.length} reopened jobs: this worker serves ${serving.size} at a time, the others wait`)
    saidWaiting = waiting > 0
    const served = [...serving.values()].map(attempt => attempt.catch(() => {})) // `failed` was called
    await Promise.race([news, stopped, ...served])
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
