import type Cluster from 'kafkajs/src/cluster/index.js'
import { noPartition, patiently } from './errors.ts'
import { byTopic, firstMissing, type TopicPartition } from './topic-partition.ts'

/** The first offset that each partition still holds, or the offset after its last message. */
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
    const offsets = (await cluster.fetchTopicsOffset(topics)).flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
    )
    const missing = firstMissing(wanted, offsets)
    if (missing) throw noPartition(missing)
    return offsets
  }
  return patiently(ask, () => cluster.refreshMetadata(), patience)
}
