import type { Message } from '../kafka/index.ts'
import { PartitionFeed } from '../kafka/partition-feed.ts'
import { takeUntil } from '../kafka/read-now.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { endWithJob } from '../pipeline/job-log.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { decode, isOfUnknownSchema } from '../wire/codec.ts'
import { fingerprintOf } from '../wire/formats.ts'

/** Where the fingerprint of the schema stands in a message. */
const FINGERPRINT = [2, 10] as const

/**
 * Resolves when every row of the job has a result: workers put an end of input behind the last result of each
 * partition. Waits for a job that is not published yet. Throws what the job failed with, or the reason of `signal`, and
 * ROW_MALFORMED at a message of a schema registry that this reader was not given.
 */
export async function untilClassified(
  { kafka, pipeline, jobs, say, signal }: PipelineContext,
  id: string,
): Promise<void> {
  const stop = new AbortController()
  const found = await jobs.found(id, signal)
  // The end of input of an event job counts no longer where a newer publisher took the job over before it was ended.
  const job = found.bounded ? found : await jobs.until(id, ({ state }) => state !== 'open', signal)
  const { results: topic } = topicsOf(pipeline)
  const feed = await PartitionFeed.open(kafka, [topic], say)
  try {
    endWithJob(feed, jobs, { id, signal: AbortSignal.any([signal, stop.signal]) })
    const positions = job.resultsFrom.map((offset, partition) => ({ topic, partition, offset }))
    const queues = await feed.assign(positions)
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
    return false // malformed: whoever collects judges it
  }
}
