import { type ErrorFacts, RowmillError } from '../errors.ts'
import { tellFailure } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { isFinal, type OrderedResults } from '../results/ordered-results.ts'

/**
 * Decides what a failure of reading means for the job. If only the collector can see it, and collecting again cannot help,
 * it fails the job for everyone. If the job had failed before, that is the reason: a failed job has gaps, and it is always
 * marked as failed before the first gap.
 *
 * A job that does not end continues for its other readers, unless its own budget is exceeded: if a reader paused for longer
 * than retention, the job is not at fault.
 */
export async function judgeFailure(
  context: PipelineContext,
  results: OrderedResults,
  error: unknown,
): Promise<unknown> {
  const reason = await results.reasonOf(error)
  const { job } = results
  if (!isFinal(reason) || !(job.bounded || reason.code === 'REJECTS_OVER_BUDGET')) return reason
  await tellFailure(context, job, { error: reason, place: null, by: 'collector' })
  const { code, message, facts } = reason
  return new RowmillError(code, message, { ...(facts as ErrorFacts), attempt: job.attempt }, { cause: reason })
}
