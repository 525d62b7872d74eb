import { decode, type WireRecord } from '../../src/codec.ts'
import type { Sink } from '../../src/connector.ts'
import type { Kafka } from '../../src/kafka.ts'
import type { Values } from '../../src/model.ts'
import { PartitionFeed } from '../../src/partition-feed.ts'

/** Every record of a topic as of now, by partition. */
export async function readTopic(kafka: Kafka, topic: string, partitions: number): Promise<WireRecord[][]> {
  const feed = await PartitionFeed.open(kafka, [topic], () => {})
  try {
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 }))
    const records: WireRecord[][] = []
    for (const queue of await feed.assign(all)) {
      const here: WireRecord[] = []
      while (!queue.drained) {
        const message = feed.take(queue)
        if (message) here.push(decode(message.value))
        else await feed.arrival()
      }
      records.push(here)
    }
    return records
  } finally {
    await feed.close()
  }
}

/** A sink that keeps the rows it gets in `written`. */
export function memorySink(written: Values[]): Sink {
  return {
    open: async () => {},
    begin: async () => {},
    write: async rows => void written.push(...rows),
    checkpoint: async () => ({ bytes: 0, digest: '' }),
    commit: async () => {},
    close: async () => {},
  }
}
