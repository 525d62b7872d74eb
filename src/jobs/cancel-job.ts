import { hasFailed } from '../core/job.ts'
import { RowmillError } from '../errors.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { failJob } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { findRejects } from './find-rejects.ts'

/** The outcome of a cancellation: the job was complete before, was over before, or is cancelled now. */
export type Cancelled = 'complete' | 'over' | 'cancelled'

/**
 * Records in `jobs` that the job is cancelled. Workers then skip its rows, and its publisher and readers end with
 * JOB_CANCELLED. A complete job is not cancelled, since nobody could collect it any more. Resolves with the job as it
 * is afterwards. Throws USAGE if there is no such job.
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
  const now = (await jobs.latest(id))! // if somebody else ended it meanwhile, the first record counts
  return { job: now, was: now.by === by ? 'cancelled' : 'over' }
}
