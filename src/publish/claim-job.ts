import { newJob } from '../core/job.ts'
import type { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { appendJob } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { latestJob } from '../pipeline/latest-job.ts'
import { logEnds } from '../pipeline/log-ends.ts'
import { checkSameFile } from '../pipeline/same-job.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { crashPoint } from '../support/crash-point.ts'
import { uniqueName } from '../support/unique-name.ts'
import type { PublishOptions } from './publish-options.ts'

/** A job with more rows travels in `bulk`, where it does not make others wait. */
const SMALL_JOB_ROWS = 1000

/** The first record of the job. Its `by` belongs to this call alone, so that the author recognizes its own record. */
export async function firstRecord(
  context: PipelineContext,
  { header, layout, bulk = false, by, job, options }: PublishOptions,
): Promise<Job> {
  const topics = topicsOf(context.pipeline)
  const isLarge = (header.total ?? Number.POSITIVE_INFINITY) > SMALL_JOB_ROWS
  const topic = bulk && isLarge ? topics.bulk : topics.rows
  return newJob({
    id: job,
    columns: header.columns,
    partitions: layout.partitions,
    blockRows: layout.blockRows,
    topic,
    ...(await logEnds(context, topic, layout.partitions)),
    total: header.total,
    source: header.identity,
    indexKind: header.indexKind,
    options: [...header.options, ...options],
    at: Date.now(),
    by: `${by} ${uniqueName()}`,
  })
}

/**
 * Appends the first record of a job and reads `jobs` back. Two publishers may begin one id at the same moment: both
 * find no such job, and both append a record. Only the log tells which one is first. Resolves with `job` itself if its
 * record is the first. Otherwise resolves with the job of the other publisher, if that reads the same source under the
 * same options, or throws JOB_EXISTS. Throws BROKER_UNREACHABLE and the reason of the signal.
 */
export async function claimJob(
  context: PipelineContext,
  job: Job,
  { sender, options }: { sender: PartitionSender; options: PublishOptions },
): Promise<Job> {
  const { pipeline, jobs } = context
  await appendJob(sender, pipeline, job)
  crashPoint('job-opened')
  const begun = (await latestJob(context, job.id))!
  if (jobs.epochsOf(job.id)!.by === job.by) return job
  checkSameFile(begun, options.header, { pipeline, options: options.options })
  return begun
}
