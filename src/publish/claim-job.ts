import type { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { appendJob } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { latestJob } from '../pipeline/latest-job.ts'
import { checkSameFile } from '../pipeline/same-job.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { crashPoint } from '../support/crash-point.ts'
import { uniqueName } from '../support/unique-name.ts'
import type { PublishOptions } from './publish-options.ts'

/** A job with more rows makes others wait, so it waits for them. */
const SMALL_JOB_ROWS = 1000

/** The first record of the job. Its `by` is of this call alone, so that its author knows it again. */
export async function firstRecord(
  { kafka, pipeline }: PipelineContext,
  { header, layout, bulk = false, by, job, options }: PublishOptions,
): Promise<Job> {
  const topics = topicsOf(pipeline)
  const topic = bulk && (header.total ?? Number.POSITIVE_INFINITY) > SMALL_JOB_ROWS ? topics.bulk : topics.rows
  const reader = await kafka.reader([topic, topics.results])
  try {
    return {
      id: job,
      epoch: 0,
      attempt: 0,
      state: 'open',
      reason: null,
      columns: header.columns,
      sequenced: true,
      bounded: true,
      partitions: layout.partitions,
      blockRows: layout.blockRows,
      topic,
      from: 0,
      total: header.total,
      rowsFrom: await reader.ends(topic, layout.partitions),
      resultsFrom: await reader.ends(topics.results, layout.partitions),
      source: header.identity,
      indexKind: header.indexKind,
      options: [...header.options, ...options],
      at: Date.now(),
      by: `${by} ${uniqueName()}`,
    }
  } finally {
    await reader.close()
  }
}

/**
 * Appends the first record of a job and reads `jobs` back. Of two publishers that begin one id at the same moment, both
 * find no job of it: who comes second in the log sees that only here. Resolves with `job` itself where its record is the
 * first. Else it resolves with the job of the other publisher where that reads the same source under the same options,
 * or throws JOB_EXISTS. Throws BROKER_UNREACHABLE and the reason of the signal.
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
