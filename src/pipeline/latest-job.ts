import { RowmillError } from '../errors.ts'
import { Outage } from '../kafka/outage.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from './context.ts'

/**
 * The job, after `jobs` was read to its end as of the call. Asks again while the broker does not answer, up to the
 * broker timeout; the reader of `jobs` logs the outage. Throws what ended that reader, BROKER_UNREACHABLE, and the
 * reason of `signal`.
 */
export async function latestJob({ kafka, jobs, signal }: PipelineContext, id: string): Promise<Job | undefined> {
  const outage = new Outage('ask for the end of the job log', () => {}, kafka.patience)
  for (;;) {
    signal.throwIfAborted()
    try {
      return await jobs.latest(id)
    } catch (error) {
      const refused = error instanceof RowmillError && error.code === 'TOPIC_UNUSABLE' && error.cause !== undefined
      if (!refused) throw error
      await outage.failed(error.cause, signal)
    }
  }
}
