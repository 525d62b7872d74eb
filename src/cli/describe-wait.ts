import type { JobLog } from '../pipeline/job-log.ts'
import { workersGroup } from '../pipeline/topic-names.ts'
import { counted } from '../support/counted.ts'
import type { SharedPipeline } from './shared-pipeline.ts'

/** Says what a reader of the results of a job is waiting for when none arrive. */
export async function describeWait(job: string, jobs: JobLog, shared: SharedPipeline): Promise<string> {
  const { pipeline } = shared
  const known = jobs.peek(job)
  if (!known) return `job ${job} is not published yet in pipeline ${pipeline}`
  const workers = await shared.workers()
  const group = workersGroup(pipeline)
  if (!known.bounded && known.state === 'open' && (await shared.unclassified(known.topic)) === 0)
    return `job ${job}: every row so far is classified. Waiting for rows from its producer`
  if (known.state === 'ended' && (await shared.unclassified(known.topic)) === 0)
    return `job ${job} is classified: waiting until its rows are written`
  if (workers === 0) return `no worker in group ${group}: start rowmill work --pipeline ${pipeline}`
  const held = await shared.openTransaction(known.topic)
  if (held)
    return `${held.topic}[${held.partition}]: another producer has an open transaction at offset ${held.offset}. All messages after it wait until it ends`
  if (known.state === 'open' && known.bounded && known.source === null)
    return `job ${job} is not fully published yet, and its input can be read only once. If its publisher was stopped, run rowmill jobs cancel --job ${job}, and publish its rows as another job`
  if (known.state === 'open' && known.bounded)
    return `job ${job} is not fully published yet: waiting for its publisher (${counted(workers, 'worker')} ${workers === 1 ? 'is' : 'are'} running). If it was stopped, resume it with rowmill publish IN --job ${job}`
  return `waiting for the ${workers === 1 ? 'worker' : `${workers} workers`} of group ${group}`
}
