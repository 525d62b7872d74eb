import { attemptOf, hasFailed } from '../core/job.ts'
import type { Job } from '../model.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import { untilAborted } from '../support/abort.ts'
import { realTime, type Time } from '../support/clock.ts'
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
  /** Default: real time. */
  readonly time?: Time | undefined
}

/** A bound, because each attempt needs a group with its own connections, and memory for its rows. */
const MOST_AT_ONCE = 2
/** After this long an attempt without rows to classify makes room for others that wait. Its publisher may never end it. */
const TURN_MS = 10_000
const LOOK_EVERY_MS = 1000

/**
 * For each reopened job, keeps the worker in one more group while the job's latest attempt has work to do. If there are more
 * of them than at once, they take turns. Resolves after `signal` aborts, when the worker has left all these groups.
 */
export async function serveReopened(options: ReopenedJobsOptions, signal: AbortSignal): Promise<void> {
  const { jobs, say, failed } = options
  const serving = new Map<string, Promise<void>>()
  const done = new Set<string>()
  /** The attempts that made room for others, the longest ago first. */
  const again = new Set<string>()
  let othersWait = false
  let saidWaiting = false
  const stopped = untilAborted(signal)
  await Promise.race([jobs.latest(''), stopped]) // an attempt that failed long ago needs no group
  while (!signal.aborted) {
    const news = jobs.news()
    const open = jobs.reopened.filter(job => !hasFailed(job) && !done.has(attemptOf(job)))
    const order = [...again]
    const placeOf = (job: Job) => order.indexOf(attemptOf(job)) // -1, so first, if it had no turn yet
    const waiting = open.filter(job => !serving.has(attemptOf(job))).sort((a, b) => placeOf(a) - placeOf(b))
    for (const job of waiting.splice(0, MOST_AT_ONCE - serving.size)) {
      const attempt = attemptOf(job)
      again.delete(attempt)
      const serve = serveAttempt(job, options, { signal, othersWait: () => othersWait })
        .then(isDone => (isDone ? done : again).add(attempt))
        .then(() => {})
        .finally(() => serving.delete(attempt))
      serve.catch(failed)
      serving.set(attempt, serve)
    }
    othersWait = waiting.length > 0
    if (othersWait && !saidWaiting)
      say(`${open.length} reopened jobs: this worker serves ${serving.size} at a time, the others wait for their turn`)
    saidWaiting = othersWait
    const served = [...serving.values()].map(attempt => attempt.catch(() => {})) // `failed` was called
    await Promise.race([news, stopped, ...served])
  }
  await Promise.allSettled(serving.values())
}

/** Resolves with true if the attempt is over, and with false if it made room for others. */
async function serveAttempt(
  job: Job,
  { jobs, join, leave, say, time = realTime }: ReopenedJobsOptions,
  { signal, othersWait }: { signal: AbortSignal; othersWait: () => boolean },
): Promise<boolean> {
  const { id, attempt, topic, partitions } = job
  const over = new AbortController()
  const isOver = (now: Job) => hasFailed(now) || now.attempt !== attempt
  const end = () => over.abort()
  jobs.until(id, isOver, AbortSignal.any([signal, over.signal])).then(end, end)
  const membership = await join(job)
  const began = time.now()
  let isDone = true
  const stopLooking = time.every(LOOK_EVERY_MS, () => {
    if (!othersWait() || !membership.isIdle || time.now() - began < TURN_MS) return
    isDone = false
    over.abort()
  })
  try {
    const there = await membership.feed.partitionsNow(topic).catch(() => partitions) // the feed reports outages
    if (there < partitions) {
      say(
        `job ${id}, attempt ${attempt} is not served: its record has ${partitions} partitions, and ${topic} has ${there}`,
        { level: 'warn', job: id, topic },
      )
      return true
    }
    const published = await jobs.until(id, now => now.state === 'ended', over.signal)
    await membership.untilDone(published, over.signal)
  } catch (error) {
    if (!over.signal.aborted) throw error
  } finally {
    stopLooking()
    over.abort()
    await leave(membership)
  }
  return isDone
}
