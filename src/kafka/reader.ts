import type { Socket } from 'node:net'
import type Cluster from 'kafkajs/src/cluster/index.js'
import { RowmillError } from '../errors.ts'
import type { ValueFormat } from './client.ts'
import { hangUp, READ_UNCOMMITTED } from './connection.ts'
import { noPartition } from './errors.ts'
import { byTopic, clusterOffsets, firstMissing, type Position, type TopicPartition } from './partitions.ts'

export interface Message {
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** What one fetch brought of one partition: the messages at and above the offset asked for. */
export interface Fetched extends Position {
  readonly messages: readonly Message[]
  /** The offset behind the last message of the partition. */
  readonly end: number
}

/** Reads partitions without a group: offsets in, messages out. */
export class Reader {
  readonly #cluster: Cluster
  readonly #sockets: Set<Socket>
  readonly #format: ValueFormat
  /** Ends requests that are asked again: KafkaJS would connect anew, and nobody close it. */
  readonly #closing = new AbortController()
  /** How long its user goes on trying while the broker does not answer. */
  readonly patienceMs: number

  constructor(cluster: Cluster, sockets: Set<Socket>, format: ValueFormat, patienceMs: number) {
    this.patienceMs = patienceMs
    this.#cluster = cluster
    this.#sockets = sockets
    this.#format = format
  }

  /** The partitions by the broker that leads them; refreshes what it knows when asked to. */
  async leaders(wanted: readonly TopicPartition[], refresh: boolean): Promise<Map<string, TopicPartition[]>> {
    if (refresh) await this.#cluster.refreshMetadata()
    else await this.#cluster.refreshMetadataIfNecessary()
    const byNode = new Map<string, TopicPartition[]>()
    for (const [topic, partitions] of byTopic(wanted)) {
      const numbers = partitions.map(({ partition }) => partition)
      for (const [node, led] of Object.entries(this.#cluster.findLeaderForPartitions(topic, numbers))) {
        const sum = byNode.get(node) ?? []
        byNode.set(node, [...sum, ...led.map(partition => ({ topic, partition }))])
      }
    }
    const missing = firstMissing(wanted, [...byNode.values()].flat())
    if (!missing) return byNode
    if (!refresh) return this.leaders(wanted, true)
    const { topic, partition } = missing
    throw new RowmillError('TOPIC_UNUSABLE', noPartition(missing).message, { topic, partition })
  }

  /**
   * One fetch from one broker. Waits up to `maxWaitMs` for a first message.
   * A partition whose messages below `end` were all compacted away brings none: the caller must move on.
   */
  async fetch(
    node: string,
    positions: readonly Position[],
    limits: { maxWaitMs: number; maxPartitionBytes: number; maxBytes: number },
  ): Promise<Fetched[]> {
    const broker = await this.#cluster.findBroker({ nodeId: node })
    const { responses } = await broker.fetch({
      maxWaitTime: limits.maxWaitMs,
      minBytes: 1,
      maxBytes: limits.maxBytes,
      isolationLevel: READ_UNCOMMITTED,
      topics: [...byTopic(positions)].map(([topic, partitions]) => ({
        topic,
        partitions: partitions.map(({ partition, offset }) => ({
          partition,
          fetchOffset: String(offset),
          maxBytes: limits.maxPartitionBytes,
        })),
      })),
    })
    const asked = new Map(positions.map(at => [`${at.topic}/${at.partition}`, at.offset]))
    return responses.flatMap(({ topicName: topic, partitions }) =>
      partitions.map(({ partition, messages, highWatermark }) => {
        const offset = asked.get(`${topic}/${partition}`)!
        return {
          topic,
          partition,
          offset,
          end: Number(highWatermark),
          messages: messages
            .filter(message => !message.isControlRecord && Number(message.offset) >= offset)
            .map(({ offset, key, value }) => ({
              offset: Number(offset),
              key,
              value: value && this.#format.read(value),
            })),
        }
      }),
    )
  }

  /** The first offset still there, or the offset behind the last message, of each partition. */
  offsets(wanted: readonly TopicPartition[], which: 'start' | 'end'): Promise<Position[]> {
    const patience = { signal: this.#closing.signal, silenceMs: this.patienceMs }
    return clusterOffsets(this.#cluster, wanted, { which, ...patience })
  }

  /** The offset behind the last message of each of the first `count` partitions, by partition. */
  async ends(topic: string, count: number): Promise<number[]> {
    const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
    const positions = await this.offsets(partitions, 'end')
    return positions.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  }

  /** How many partitions the topic has; 0 where there is no such topic. */
  partitions(topic: string): number {
    return this.#cluster.findTopicPartitionMetadata(topic).length
  }

  /** The same as of now. */
  async partitionsNow(topic: string): Promise<number> {
    try {
      await this.#cluster.refreshMetadata()
    } finally {
      if (this.#closing.signal.aborted) await hangUp(this.#cluster, this.#sockets) // it may have connected again
    }
    return this.partitions(topic)
  }

  close(): Promise<void> {
    this.#closing.abort(new Error('the reader was closed'))
    return hangUp(this.#cluster, this.#sockets)
  }
}
