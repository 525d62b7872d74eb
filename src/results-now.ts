import { decode, type WireRecord } from './codec.ts'
import type { JobLog } from './jobs.ts'
import type { Kafka } from './kafka.ts'
import type { Job } from './model.ts'
import type { Say } from './outage.ts'
import { PartitionFeed, takeUntil } from './partition-feed.ts'
import { topicsOf } from './topics.ts'

export interface ResultsPlace {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly jobs: JobLog
  readonly say: Say
  readonly signal: AbortSignal
}

/**
 * Reads what `results` holds of the job in these partitions by now, in log order; `take` is given each result and each
 * end of input of any attempt that counts. What is no record is passed over: whoever collects says so. Throws the reason of `signal`.
 */
export async function readResultsNow(
  job: Job,
  partitions: readonly number[],
  { kafka, pipeline, jobs, say, signal }: ResultsPlace,
  take: (partition: number, record: WireRecord & { kind: 'result' | 'end' }) => void,
): Promise<void> {
  const { results: topic } = topicsOf(pipeline)
  const attempts = new Set(jobs.attemptsOf(job.id).map(({ attempt }) => attempt))
  const feed = await PartitionFeed.open(kafka, [topic], say)
  const interrupt = () => feed.interrupt(signal.reason)
  signal.addEventListener('abort', interrupt, { once: true })
  try {
    signal.throwIfAborted()
    const positions = partitions.map(partition => ({ topic, partition, offset: job.resultsFrom[partition]! }))
    const ends = new Map((await feed.offsets(positions, 'end')).map(({ partition, offset }) => [partition, offset]))
    await takeUntil(feed, await feed.assign(positions), (queue, message) => {
      const record = message && recordOf(message.value, job.id)
      if (record && attempts.has(record.value.attempt)) take(queue.partition, record)
      return message === null && queue.position >= ends.get(queue.partition)!
    })
  } finally {
    signal.removeEventListener('abort', interrupt)
    await feed.close()
  }
}

function recordOf(value: Buffer | null, job: string): (WireRecord & { kind: 'result' | 'end' }) | null {
  try {
    const record = decode(value)
    return (record.kind === 'result' || record.kind === 'end') && record.value.job === job ? record : null
  } catch {
    return null
  }
}
