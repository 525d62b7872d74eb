import type { Sink } from '../../src/connector.ts'
import { newJob } from '../../src/core/job.ts'
import type { Kafka } from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import type { Job, Values } from '../../src/model.ts'
import { decode } from '../../src/wire/codec.ts'
import type { WireRecord } from '../../src/wire/record.ts'

/** Every record of a topic as of now, by partition. */
export async function readTopic(
  kafka: Kafka,
  topic: string,
  partitions: number,
  { skipJunk = false } = {},
): Promise<WireRecord[][]> {
  const feed = await PartitionFeed.open(kafka, [topic], () => {})
  try {
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 }))
    const records: WireRecord[][] = []
    for (const queue of await feed.assign(all)) {
      const here: WireRecord[] = []
      while (!queue.drained) {
        const message = feed.take(queue)
        if (!message) await feed.arrival()
        else if (!skipJunk || isRecord(message.value)) here.push(decode(message.value))
      }
      records.push(here)
    }
    return records
  } finally {
    await feed.close()
  }
}

function isRecord(value: Uint8Array | null): boolean {
  return value?.[0] === 0xc3 && value[1] === 1
}

/** A sink that keeps its rows in `written`. */
export function memorySink(written: Values[]): Sink {
  return {
    open: async () => null,
    restart: async () => void written.splice(0),
    begin: async () => {},
    write: async rows => void written.push(...rows),
    checkpoint: async () => {},
    commit: async () => {},
    close: async () => {},
  }
}

/** The first record of a job with one column, in one partition unless `more` says otherwise. */
export function jobRecord(more: Partial<Job> = {}): Job {
  const layout = { partitions: 1, blockRows: 1, topic: 't', rowsFrom: [0], resultsFrom: [0] }
  return newJob({ id: 'j', columns: ['ID'], ...layout, at: 1, by: 'test', ...more })
}
