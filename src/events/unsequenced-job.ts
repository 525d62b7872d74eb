import { hasFailed, jobFailure } from '../core/job.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { appendJob } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { checkSameUnsequenced, type JobHeader } from '../pipeline/same-job.ts'
import { topicsOf } from '../pipeline/topic-names.ts'

/** What is for ever the same of a job of events without sequence. */
export type UnsequencedHeader = JobHeader & Pick<Job, 'id'>

export interface OpenUnsequencedOptions {
  /** Partitions of the rows topic now: rows may come in all of them. */
  readonly partitions: number
  readonly by: string
}

/**
 * Opens a job for events that come from anywhere, without sequence and without end; resolves with whether it is new.
 * Throws JOB_EXISTS where the id was used for anything else, and what the job failed with.
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
  { kafka, pipeline }: PipelineContext,
  header: UnsequencedHeader,
  { partitions, by }: OpenUnsequencedOptions,
): Promise<Job> {
  const topics = topicsOf(pipeline)
  const reader = await kafka.reader([topics.rows, topics.results])
  try {
    return {
      ...header,
      epoch: 0,
      attempt: 0,
      state: 'open',
      reason: null,
      sequenced: false,
      bounded: false,
      partitions,
      blockRows: 1,
      topic: topics.rows,
      from: 0,
      total: null,
      source: null,
      at: Date.now(),
      by,
      rowsFrom: await reader.ends(topics.rows, partitions),
      resultsFrom: await reader.ends(topics.results, partitions),
    }
  } finally {
    await reader.close()
  }
}
