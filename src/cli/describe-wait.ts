import type { JobLog } from '../pipeline/job-log.ts'
import { workersGroup } from '../pipeline/topic-names.ts'
import type { SharedPipeline } from './shared-pipeline.ts'

/** What a reader of the results of a job waits for when none come, in words. */
export async function describeWait(job: string, jobs: JobLog, shared: SharedPipeline): Promise<string> {
  const { pipeline } = shared
  const known = jobs.peek(job)
  if (!known) return `job ${job} is not published yet in pipeline ${pipeline}`
  const workers = await shared.workers()
  const group = workersGroup(pipeline)
  if (!known.bounded && known.state === 'open' && (await shared.unclassified(known.topic)) === 0)
    return `job ${job}: every row that came is classified: waiting for rows of its producer`
  if (workers === 0) return `no worker in group ${group}: start rowmill work --pipeline ${pipeline}`
  const held = await shared.openTransaction(known.topic)
  if (held)
    return `${held.topic}[${held.partition}]: another producer has a transaction open at offset ${held.offset}: its messages from there on wait until that ends`
  if (known.state === 'open' && known.bounded && known.source === null)
    return `job ${job} is not published to its end, and its input can be read only once: if its publisher was stopped, rowmill jobs cancel --job ${job}, and publish its rows as another job`
  if (known.state === 'open' && known.bounded)
    return `job ${job} is not published to its end: waiting for its publisher (${workers} workers are there). If that was stopped, rowmill publish IN --job ${job} goes on`
  return `waiting for the ${workers} workers of group ${group}`
}
