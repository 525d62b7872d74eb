import type { Socket } from 'node:net'
import type Cluster from 'kafkajs/src/cluster/index.js'
import { RowmillError } from '../errors.ts'
import { collectGarbage } from '../support/collect-garbage.ts'
import { hangUp } from './connection.ts'
import { noPartition } from './errors.ts'
import { type FetchLimits, fetchRaw } from './fetch.ts'
import { clusterOffsets } from './offsets.ts'
import { MAX_BATCH_BYTES, type Message, readBatches } from './record-batch.ts'
import { byTopic, firstMissing, type Position, type TopicPartition } from './topic-partition.ts'
import type { ValueFormat } from './value-format.ts'

/** What one fetch brought of one partition. */
export interface Fetched extends Position {
  /** The messages at and above the offset asked for, without those of aborted transactions. */
  readonly messages: readonly Message[]
  /** The offset to ask for next: behind the last batch that was read. */
  readonly next: number
  /** Whether the broker sent nothing at all of this partition. */
  readonly empty: boolean
  /** The offset behind the last message that can be read now: the first one of an open transaction, or `logEnd`. */
  readonly end: number
  /** The offset behind the last message of the partition. */
  readonly logEnd: number
  /** Why there is nothing of this partition, and whether that is because the log does not hold the offset asked for. */
  readonly error: Error | null
  readonly outOfRange: boolean
}

/** How much one answer may be unpacked to. What is beyond it is fetched again. */
const ANSWER_BYTES = MAX_BATCH_BYTES / 2
/** After so many bytes of answers that unpacked to more than was asked for, the dropped ones are collected. */
const COLLECT_EVERY_BYTES = 2 * MAX_BATCH_BYTES

/** Reads partitions without a group: offsets in, messages out. */
export class Reader {
  readonly #cluster: Cluster
  readonly #sockets: Set<Socket>
  readonly #format: ValueFormat
  /** Ends requests that are asked again: KafkaJS would connect anew, and nobody close it. */
  readonly #closing = new AbortController()
  /** What answers unpacked to, if that was more than was asked for, since the last collection of garbage. */
  #unpackedBytes = 0
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
   * One fetch from one broker. Waits up to `maxWaitMs` for a first message. The first of `positions` that has any gets at
   * least one batch of them.
   */
  async fetch(node: string, positions: readonly Position[], limits: FetchLimits): Promise<Fetched[]> {
    const broker = await this.#cluster.findBroker({ nodeId: node })
    const answer = await fetchRaw(broker, positions, limits)
    const asked = new Map(positions.map(at => [`${at.topic}/${at.partition}`, at.offset]))
    let left = ANSWER_BYTES
    const fetched = answer.map(({ topic, partition, records, aborted, stableEnd: end, logEnd, error, outOfRange }) => {
      const offset = asked.get(`${topic}/${partition}`)!
      const enough = Math.min(left, limits.maxPartitionBytes)
      const { messages, next, bytes } = readBatches(records, { from: offset, aborted, enough })
      left -= bytes
      const found = { topic, partition, offset, next, empty: records.length === 0, end, logEnd, error, outOfRange }
      return { ...found, messages: messages.map(message => this.#formatted(message)) }
    })
    this.#noteUnpacked(ANSWER_BYTES - left, limits)
    return fetched
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

  #noteUnpacked(bytes: number, { maxBytes }: FetchLimits): void {
    if (bytes > maxBytes) this.#unpackedBytes += bytes
    if (this.#unpackedBytes < COLLECT_EVERY_BYTES) return
    this.#unpackedBytes = 0
    collectGarbage()
  }

  #formatted(message: Message): Message {
    return message.value === null ? message : { ...message, value: this.#format.read(message.value) }
  }

  close(): Promise<void> {
    this.#closing.abort(new Error('the reader was closed'))
    return hangUp(this.#cluster, this.#sockets)
  }
}
