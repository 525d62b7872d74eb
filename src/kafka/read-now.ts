import type { Say } from '../support/say.ts'
import type { Kafka, Message, PartitionOffset } from './index.ts'
import { PartitionFeed } from './partition-feed.ts'
import type { PartitionQueue } from './partition-queue.ts'

/**
 * Takes messages of all `queues` until `done` has been true for each. `done` is called with every message, and with null
 * when there is none for now. Throws the error that broke the feed.
 */
export async function takeUntil(
  feed: PartitionFeed,
  queues: readonly PartitionQueue[],
  done: (queue: PartitionQueue, message: Message | null) => boolean,
): Promise<void> {
  const isDone = (queue: PartitionQueue) => {
    for (let message = feed.take(queue); message; message = feed.take(queue)) if (done(queue, message)) return true
    return done(queue, null)
  }
  for (let open = queues; open.length > 0; ) {
    const arrival = feed.arrival()
    open = open.filter(queue => !isDone(queue))
    if (open.length > 0) await arrival
    else arrival.catch(() => {})
  }
}

/** Reads from these offsets to the present ends. `take` gets each message in log order. Throws the reason of `signal`. */
export async function readNow(
  { kafka, say, signal }: { kafka: Kafka; say: Say; signal: AbortSignal },
  offsets: readonly PartitionOffset[],
  take: (partition: number, message: Message) => void,
): Promise<void> {
  const feed = await PartitionFeed.open(kafka, [...new Set(offsets.map(({ topic }) => topic))], say)
  const interrupt = () => feed.interrupt(signal.reason)
  signal.addEventListener('abort', interrupt, { once: true })
  try {
    signal.throwIfAborted()
    const ends = new Map((await feed.offsets(offsets, 'end')).map(({ partition, offset }) => [partition, offset]))
    await takeUntil(feed, await feed.assign(offsets), ({ partition, nextOffset }, message) => {
      if (message) take(partition, message)
      return message === null && nextOffset >= ends.get(partition)!
    })
  } finally {
    signal.removeEventListener('abort', interrupt)
    await feed.close()
  }
}
