import { RowmillError } from '../errors.ts'
import { Outage } from '../kafka/outage.ts'
import type { Job } from '../model.ts'
import type { JobLog } from './job-log.ts'

/**
 * The job, after `jobs` was read to its end as of the call. While the broker does not answer it is asked again, for
 * `patienceMs`; the reader of `jobs` says so. Throws what that broke with, and BROKER_UNREACHABLE.
 */
export async function latestJob(
  jobs: JobLog,
  id: string,
  { patienceMs, signal }: { patienceMs: number; signal: AbortSignal },
): Promise<Job | undefined> {
  const outage = new Outage('ask for the end of the job log', () => {}, patienceMs)
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
