import { hasFailed, jobFailure, newJob } from '../core/job.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { appendJob } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { logEnds } from '../pipeline/log-ends.ts'
import { checkSameUnsequenced, type JobHeader } from '../pipeline/same-job.ts'
import { topicsOf } from '../pipeline/topic-names.ts'

/** The parts of a job for events without sequence that never change. */
export type UnsequencedHeader = JobHeader & Pick<Job, 'id'>

export interface OpenUnsequencedOptions {
  /** Partitions of the topic `rows` now: rows may come in each of them. */
  readonly partitions: number
  readonly by: string
}

/**
 * Opens a job for events that any program may send, without sequence and without end. Resolves with whether it is new.
 * Throws JOB_EXISTS if the id was used for anything else, and the failure of a job that failed.
 */
export async function openUnsequenced(
  context: PipelineContext,
  header: UnsequencedHeader,
  options: OpenUnsequencedOptions,
): Promise<boolean> {
  const { kafka, jobs, pipeline, say } = context
  const before = await jobs.latest(header.id)
  if (!before) {
    const sender = new PartitionSender(await kafka.producer(), say)
    try {
      await appendJob(sender, pipeline, await firstRecord(context, header, options))
    } finally {
      await sender.close()
    }
  }
  const job = before ?? (await jobs.latest(header.id))! // somebody else may have opened it meanwhile
  checkSameUnsequenced(job, header, pipeline)
  if (hasFailed(job)) throw jobFailure(job)
  return !before
}

async function firstRecord(
  context: PipelineContext,
  header: UnsequencedHeader,
  { partitions, by }: OpenUnsequencedOptions,
): Promise<Job> {
  const { rows: topic } = topicsOf(context.pipeline)
  const ends = await logEnds(context, topic, partitions)
  const flags = { sequenced: false, bounded: false, blockRows: 1 }
  return newJob({ ...header, ...flags, partitions, topic, ...ends, at: Date.now(), by })
}
