import type Cluster from 'kafkajs/src/cluster/index.js'
import { noPartition, patiently } from './errors.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface Position extends TopicPartition {
  /** The offset of the next message to read. */
  readonly offset: number
}

/** The first offset still there, or the offset behind the last message, of each partition. */
export async function clusterOffsets(
  cluster: Cluster,
  wanted: readonly TopicPartition[],
  { which, ...patience }: { which: 'start' | 'end'; signal?: AbortSignal; silenceMs?: number },
) {
  const topics = [...byTopic(wanted)].map(([topic, partitions]) => ({
    topic,
    partitions: partitions.map(({ partition }) => ({ partition })),
    fromBeginning: which === 'start',
  }))
  const ask = async () => {
    const positions = (await cluster.fetchTopicsOffset(topics)).flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
    )
    const missing = firstMissing(wanted, positions)
    if (missing) throw noPartition(missing)
    return positions
  }
  return patiently(ask, () => cluster.refreshMetadata(), patience)
}

/** KafkaJS passes over partitions that its metadata does not name, and answers as if nobody had asked for them. */
export function firstMissing(
  wanted: readonly TopicPartition[],
  found: readonly TopicPartition[],
): TopicPartition | undefined {
  const known = new Set(found.map(({ topic, partition }) => `${topic}/${partition}`))
  return wanted.find(({ topic, partition }) => !known.has(`${topic}/${partition}`))
}

export function byTopic<T extends TopicPartition>(items: readonly T[]): Map<string, T[]> {
  return Map.groupBy(items, ({ topic }) => topic)
}
