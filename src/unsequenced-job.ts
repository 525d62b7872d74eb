import { RowmillError } from './errors.ts'
import { describeDifference, type JobHeader } from './job-differences.ts'
import { appendJob, hasFailed, type JobLog, jobFailure } from './jobs.ts'
import type { Kafka } from './kafka.ts'
import type { Job } from './model.ts'
import type { Say } from './outage.ts'
import { PartitionSender } from './partition-sender.ts'
import { topicsOf } from './topics.ts'

/** What is for ever the same of a job of events without sequence. */
export type UnsequencedHeader = JobHeader & Pick<Job, 'id'>

export interface UnsequencedPlace {
  readonly kafka: Kafka
  readonly pipeline: string
  /** Partitions of the rows topic now: rows may come in all of them. */
  readonly partitions: number
  readonly jobs: JobLog
  readonly by: string
  readonly say: Say
}

/**
 * Opens a job for events that come from anywhere, without sequence and without end; resolves with whether it is new.
 * Throws JOB_EXISTS where the id was used for anything else, and what the job failed with.
 */
export async function openUnsequenced(header: UnsequencedHeader, place: UnsequencedPlace): Promise<boolean> {
  const { jobs, pipeline } = place
  const before = await jobs.latest(header.id)
  if (!before) {
    const sender = new PartitionSender(await place.kafka.producer(), place.say)
    try {
      await appendJob(sender, pipeline, await firstRecord(header, place))
    } finally {
      await sender.close()
    }
  }
  const job = before ?? (await jobs.latest(header.id))! // somebody else may have opened it meanwhile
  checkSame(job, header, pipeline)
  if (hasFailed(job)) throw jobFailure(job)
  return !before
}

async function firstRecord(header: UnsequencedHeader, place: UnsequencedPlace): Promise<Job> {
  const { kafka, pipeline, partitions, by } = place
  const topics = topicsOf(pipeline)
  const reader = await kafka.reader([topics.rows, topics.results])
  try {
    return {
      ...header,
      ...{ epoch: 0, attempt: 0, state: 'open', reason: null, sequenced: false, bounded: false, partitions },
      ...{ blockRows: 1, topic: topics.rows, from: 0, total: null, source: null, at: Date.now(), by },
      rowsFrom: await reader.ends(topics.rows, partitions),
      resultsFrom: await reader.ends(topics.results, partitions),
    }
  } finally {
    await reader.close()
  }
}

function checkSame(job: Job, header: UnsequencedHeader, pipeline: string): void {
  const refuse = (why: string) => {
    const message = `job ${job.id} exists already in pipeline ${pipeline}, ${why}: a job id is used once, choose another --job`
    return new RowmillError('JOB_EXISTS', message, { job: job.id })
  }
  if (job.bounded) throw refuse('with the rows of a file')
  if (job.sequenced) throw refuse('with events of a program that numbers them')
  const differing = describeDifference(job, header)
  if (differing) throw refuse(differing)
}
