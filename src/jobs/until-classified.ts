import type { Message } from '../kafka/index.ts'
import { PartitionFeed } from '../kafka/partition-feed.ts'
import { takeUntil } from '../kafka/read-now.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { endWithJob } from '../pipeline/job-log.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { decode, isOfUnknownSchema } from '../wire/codec.ts'
import { fingerprintOf } from '../wire/formats.ts'

/** The bytes of a message that hold the fingerprint of its schema. */
const FINGERPRINT = [2, 10] as const

/**
 * Resolves when every row of the job has a result: workers write an end of input after the last result of each
 * partition. Waits for a job that is not published yet. Throws the failure of the job, the reason of `signal`, and
 * ROW_MALFORMED at a message that needs a schema registry that this reader was not given.
 */
export async function untilClassified(
  { kafka, pipeline, jobs, say, signal }: PipelineContext,
  id: string,
): Promise<void> {
  const stop = new AbortController()
  const found = await jobs.found(id, signal)
  // If a newer producer takes an event job over before it has ended, the earlier end of input no longer counts.
  const job = found.bounded ? found : await jobs.until(id, ({ state }) => state !== 'open', signal)
  const { results: topic } = topicsOf(pipeline)
  const feed = await PartitionFeed.open(kafka, [topic], say)
  try {
    endWithJob(feed, jobs, { id, signal: AbortSignal.any([signal, stop.signal]) })
    const offsets = job.resultsFrom.map((offset, partition) => ({ topic, partition, offset }))
    const queues = await feed.assign(offsets)
    await takeUntil(feed, queues, (_, message) => message !== null && ends(message, job))
  } finally {
    stop.abort()
    await feed.close()
  }
}

function ends({ value }: Message, { id, attempt, epoch }: Job): boolean {
  const mayEnd = value?.subarray(...FINGERPRINT).equals(fingerprintOf('end')) || value?.[0] === 0
  if (!mayEnd) return false
  try {
    const record = decode(value)
    return (
      record.kind === 'end' &&
      record.value.job === id &&
      record.value.attempt === attempt &&
      record.value.epoch === epoch
    )
  } catch (error) {
    if (isOfUnknownSchema(error)) throw error
    return false // malformed: a collector reports it
  }
}
