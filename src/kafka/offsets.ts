import type Cluster from 'kafkajs/src/cluster/index.js'
import { noPartition, patiently } from './errors.ts'
import { leaderlessOf } from './leaderless.ts'
import { byTopic, firstMissing, keyOf, type TopicPartition } from './topic-partition.ts'

/** The first offset that each partition still holds, or the offset after its last message. Those without a leader are left out. */
export async function clusterOffsets(
  cluster: Cluster,
  wanted: readonly TopicPartition[],
  { which, ...patience }: { which: 'start' | 'end'; signal?: AbortSignal; silenceMs?: number },
) {
  const ask = async () => {
    const names = new Set(wanted.map(({ topic }) => topic))
    const leaderless = new Set([...names].flatMap(topic => leaderlessOf(cluster, topic)).map(keyOf))
    const led = wanted.filter(at => !leaderless.has(keyOf(at)))
    const topics = [...byTopic(led)].map(([topic, partitions]) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ partition })),
      fromBeginning: which === 'start',
    }))
    const offsets = (await cluster.fetchTopicsOffset(topics)).flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
    )
    const missing = firstMissing(led, offsets)
    if (missing) throw noPartition(missing)
    return offsets
  }
  return patiently(ask, () => cluster.refreshMetadata(), patience)
}
