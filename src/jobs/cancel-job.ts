import { hasFailed } from '../core/job.ts'
import { RowmillError } from '../errors.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { failJob } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { findRejects } from './find-rejects.ts'

/** What a cancellation came to: the job is over already, one way or the other, or it is by this. */
export type Cancelled = 'complete' | 'over' | 'cancelled'

/**
 * Says in `jobs` that the job is cancelled: workers pass over its rows, and who reads or publishes it ends with
 * JOB_CANCELLED. A job that is complete stays so, or it could not be collected any more. Resolves with the job as it
 * is then. Throws USAGE for a job that is not there.
 */
export async function cancelJob(
  context: PipelineContext,
  id: string,
  { by, who }: { by: string; who: string },
): Promise<{ job: Job; was: Cancelled }> {
  const { kafka, pipeline, jobs, say } = context
  const job = await jobs.latest(id)
  if (!job) throw new RowmillError('USAGE', `no job ${id} in pipeline ${pipeline}: rowmill jobs list names them`)
  if (hasFailed(job)) return { job, was: 'over' }
  if (job.state === 'ended' && (await findRejects(context, job)).complete) return { job, was: 'complete' }
  const sender = new PartitionSender(await kafka.producer(), say)
  try {
    const error = new RowmillError('JOB_CANCELLED', `job ${id} was cancelled by ${who}`, { job: id })
    await failJob(sender, pipeline, job, { error, place: null, by, state: 'cancelled' })
  } finally {
    await sender.close()
  }
  const now = (await jobs.latest(id))! // somebody else may have ended it meanwhile: the first counts
  return { job: now, was: now.by === by ? 'cancelled' : 'over' }
}
