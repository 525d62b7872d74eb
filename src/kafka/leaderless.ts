import type Cluster from 'kafkajs/src/cluster/index.js'
import type { Broker } from 'kafkajs/src/cluster/index.js'
import metadata from 'kafkajs/src/protocol/requests/metadata/index.js'
import type { TopicPartition } from './topic-partition.ts'

/** The key of the request. */
const METADATA = 3
const LEADER_NOT_AVAILABLE = 5

/** A partition that nobody leads, so nobody can read or write it. */
export interface LeaderlessPartition extends TopicPartition {
  /** The ids of the brokers that have all of it. It has a leader again when one of them is back. */
  readonly brokers: readonly number[]
}

/**
 * KafkaJS takes a partition without a leader for an error of the whole request for metadata, which it repeats for seconds. The
 * metadata of this cluster have it with the leader -1 instead.
 */
export function keepLeaderless(cluster: Cluster): void {
  const { brokerPool } = cluster
  const findConnectedBroker = brokerPool.findConnectedBroker.bind(brokerPool)
  brokerPool.findConnectedBroker = async () => {
    const broker = await findConnectedBroker()
    broker.metadata = topics => metadataOf(broker, topics)
    return broker
  }
}

/** The partitions of a topic that nobody leads, as far as the cluster was made to keep them. */
export function leaderlessOf(cluster: Cluster, topic: string): LeaderlessPartition[] {
  return cluster
    .findTopicPartitionMetadata(topic)
    .filter(({ leader }) => leader < 0)
    .map(({ partitionId: partition, isr, replicas }) => ({
      topic,
      partition,
      brokers: isr.length > 0 ? isr : replicas,
    }))
    .sort((a, b) => a.partition - b.partition)
}

function metadataOf(broker: Broker, topics: readonly string[]) {
  const { request, response } = broker.lookupRequest(METADATA, metadata)({ topics, allowAutoTopicCreation: false })
  const parse = async (answer: Awaited<ReturnType<typeof response.decode>>) => {
    const topicMetadata = answer.topicMetadata.map(({ partitionMetadata, ...topic }) => ({
      ...topic,
      partitionMetadata: partitionMetadata.filter(({ partitionErrorCode: code }) => code !== LEADER_NOT_AVAILABLE),
    }))
    await response.parse({ ...answer, topicMetadata }) // it throws every other error
    return answer
  }
  return broker.connectionPool.send({ request, response: { decode: response.decode, parse } })
}
