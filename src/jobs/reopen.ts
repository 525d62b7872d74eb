import { hasFailed, jobFailure, MAX_ATTEMPT } from '../core/job.ts'
import { isRemoved } from '../core/removed-job.ts'
import { isCurable, RowmillError } from '../errors.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { appendJob } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { logEnds } from '../pipeline/log-ends.ts'
import { findPublished } from '../publish/published-rows.ts'
import { findRejects } from './find-rejects.ts'

export interface Reopened {
  readonly job: Job
  /** How many rows were rejected, and are classified again. */
  readonly rejects: number
}

/**
 * Opens another attempt of a job that failed because of its classifier, or that finished with rejects. If the last
 * attempt is still open, returns that. Resolves with null if there is nothing to do. Throws USAGE if there is no such
 * job, if it is still being classified, or if no other classifier cures it.
 */
export async function reopen(context: PipelineContext, id: string, by: string): Promise<Reopened | null> {
  const { kafka, pipeline, jobs, say } = context
  const job = await jobs.latest(id)
  const refuse = (why: string) => new RowmillError('USAGE', `job ${id} ${why}`, { job: id })
  if (!job) throw refuse(`is not in pipeline ${pipeline}: give --job as rowmill publish printed it`)
  if (isRemoved(job)) throw jobFailure(job)
  if (!job.bounded)
    throw refuse(
      'is one of events: it has one attempt. rowmill rejects export writes its rejects as CSV: send them again',
    )
  if (hasFailed(job) && !isCurable(jobFailure(job)))
    throw refuse(`ended with ${jobFailure(job).code}, which no further attempt cures: publish its rows as another job`)
  const { rejected, complete } = await findRejects(context, job)
  if (!hasFailed(job) && !complete && job.attempt > 0) return { job, rejects: rejected.length }
  if (!hasFailed(job) && !complete) throw refuse(stillOpen(job))
  if (!hasFailed(job) && rejected.length === 0) return null
  if (job.attempt >= MAX_ATTEMPT)
    throw refuse(`has had ${job.attempt} further attempts, which is the most: publish its rows as another job`)
  const published = await findPublished(context, job)
  const state = published.every(({ ended }) => ended) ? 'ended' : 'open'
  const sender = new PartitionSender(await kafka.producer(), say)
  try {
    const next: Job = { ...job, attempt: job.attempt + 1, state, reason: null, at: Date.now(), by }
    const { resultsFrom } = await logEnds(context, job.topic, job.partitions)
    await appendJob(sender, pipeline, { ...next, resultsFrom })
    return { job: next, rejects: rejected.length }
  } finally {
    await sender.close()
  }
}

function stillOpen({ id, state }: Job): string {
  const who =
    state === 'ended'
      ? 'rowmill work'
      : `its publisher. If that was stopped, resume it with rowmill publish IN --job ${id}`
  return `is not classified to its end yet: wait for ${who}`
}
