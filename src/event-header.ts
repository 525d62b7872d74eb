import { RowmillError } from './errors.ts'
import { describeDifference } from './job-differences.ts'
import { hasFailed, jobFailure } from './jobs.ts'
import type { Job } from './model.ts'

/**
 * Throws unless the job can be gone on with by a producer that would have begun it as `wanted`: JOB_EXISTS where it is
 * another job, was begun otherwise, or has ended, and what it failed with.
 */
export function checkJob(job: Job, wanted: Job, pipeline: string): void {
  const refuse = (why: string) => {
    const message = `job ${job.id} exists already in pipeline ${pipeline}, ${why}: a job id is used once, choose another id`
    return new RowmillError('JOB_EXISTS', message, { job: job.id, state: job.state })
  }
  if (job.bounded) throw refuse('with the rows of a file')
  if (!job.sequenced) throw refuse('for events without sequence, which no producer holds')
  const differing = describeDifference(job, wanted)
  if (differing) throw refuse(differing)
  if (hasFailed(job)) throw jobFailure(job)
  if (job.state === 'ended') throw refuse(`and has ended with ${job.total} rows`)
}
