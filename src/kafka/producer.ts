import type { Socket } from 'node:net'
import type Cluster from 'kafkajs/src/cluster/index.js'
import type { Compression } from '../options.ts'
import { realTime } from '../support/clock.ts'
import { Backoff } from './backoff.ts'
import { hangUp } from './connection.ts'
import { noPartition } from './errors.ts'
import { LeaderRequests, type PartitionMessages, type Take } from './leader-requests.ts'
import type { Patience } from './limits.ts'
import { type OutgoingBatch, type OutgoingMessage, outgoingBatch } from './outgoing-batch.ts'
import { type BatchOutcome, produce } from './produce-request.ts'
import type { Right, Rights } from './rights.ts'
import type { TopicPartition } from './topic-partition.ts'
import type { ValueFormat } from './value-format.ts'

/** The type of the error of a partition that has no leader now. */
const NO_LEADER = 'LEADER_NOT_AVAILABLE'

/** Sends messages. What waits for partitions of one leader travels in one request, and each partition has an outcome of its own. */
export class Producer {
  readonly #cluster: Cluster
  readonly #sockets: ReadonlySet<Socket>
  readonly #format: ValueFormat
  readonly #rights: Rights
  readonly #compression: Compression
  readonly #retries: { readonly most: number; readonly firstMs: number; readonly longestMs: number }
  readonly #requests: LeaderRequests
  /** The batches of messages that were sent and not forgotten, so that a repetition has the same bytes. */
  readonly #batches = new WeakMap<readonly OutgoingMessage[], Promise<OutgoingBatch>>()
  readonly #topics = new Set<string>()
  /** Whether a request failed since we last began to ask who leads the partitions. */
  #isStale = false
  /** Resolves when the cluster has told us who leads the partitions. Null if we do not ask now. */
  #refreshing: Promise<void> | null = null
  /** How the user of this producer retries. */
  readonly patience: Patience

  constructor(
    cluster: Cluster,
    parts: {
      sockets: ReadonlySet<Socket>
      format: ValueFormat
      compression: Compression
      rights: Rights
      patience: Patience
      /** How often `send` repeats a request by itself, and the pauses before that. */
      retries: { readonly most: number; readonly firstMs: number; readonly longestMs: number }
      /** The most bytes that a request may have. Null: our own limit. */
      maxRequestBytes: number | null
    },
  ) {
    this.#cluster = cluster
    this.#sockets = parts.sockets
    this.#format = parts.format
    this.#compression = parts.compression
    this.#rights = parts.rights
    this.#retries = parts.retries
    this.patience = parts.patience
    const leaders = { of: this.#leaderOf.bind(this), produce: this.#produce.bind(this) }
    this.#requests = new LeaderRequests(leaders, { maxRequestBytes: parts.maxRequestBytes })
  }

  /**
   * Resolves with the offset of the first message when all in-sync replicas have all messages. A request that fails is repeated
   * a few times with the same bytes, until `signal` aborts. One call at a time for a partition keeps its messages in order.
   * Throws NOT_AUTHORIZED, or what the broker said last.
   */
  async send(
    to: TopicPartition,
    messages: readonly OutgoingMessage[] | Take,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<number> {
    const take = typeof messages === 'function' ? messages : wholly(messages)
    const backoff = new Backoff(this.#retries)
    for (let left = this.#retries.most; ; left--) {
      try {
        return await this.#rights.needing(write(to.topic), () => this.#requests.send(to, take))
      } catch (error) {
        const isRetriable = (error as { retriable?: boolean }).retriable === true
        if (isRetriable) this.#isStale = true
        if (!isRetriable || left === 0) throw error
        await realTime.sleep(backoff.nextMs(), signal)
        if (signal.aborted) throw error
      }
    }
  }

  /** How many partitions a topic has now. */
  async partitions(topic: string): Promise<number> {
    await this.#rights.needing(write(topic), async () => {
      await this.#cluster.addMultipleTargetTopics([topic])
      await this.#cluster.refreshMetadata()
    })
    return this.#cluster.findTopicPartitionMetadata(topic).length
  }

  /** Waits for the answers to what was sent. */
  close(): Promise<void> {
    return this.#cluster.disconnect()
  }

  /** Waits for no answer: what was sent may be written or not. */
  hangUp(): Promise<void> {
    return hangUp(this.#cluster, this.#sockets)
  }

  async #leaderOf({ topic, partition }: TopicPartition): Promise<string> {
    if (!this.#topics.has(topic)) await this.#cluster.addMultipleTargetTopics([topic])
    this.#topics.add(topic)
    // A request that fails while we ask may have met a later change. The answer may not show it, so we ask once more.
    while (this.#refreshing || this.#isStale) {
      this.#refreshing ??= this.#refresh()
      await this.#refreshing
    }
    await this.#cluster.refreshMetadataIfNecessary()
    const found = this.#cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)
    if (!found) {
      this.#isStale = true // the partition may be new
      throw noPartition({ topic, partition })
    }
    if (found.leader < 0) throw noLeader({ topic, partition })
    return String(found.leader)
  }

  async #refresh(): Promise<void> {
    this.#isStale = false
    try {
      await this.#cluster.refreshMetadata()
    } catch (error) {
      this.#isStale = true
      throw error
    } finally {
      this.#refreshing = null
    }
  }

  async #produce(nodeId: string, parts: readonly PartitionMessages[], connection: 0 | 1): Promise<BatchOutcome[]> {
    const broker = await this.#cluster.findBroker({ nodeId })
    const batches = parts.map(async ({ topic, partition, messages }) => {
      return { topic, partition, batch: await this.#batchOf(messages) }
    })
    return await produce(broker, await Promise.all(batches), connection)
  }

  #batchOf(messages: readonly OutgoingMessage[]): Promise<OutgoingBatch> {
    const known = this.#batches.get(messages)
    if (known) return known
    const formatted = messages.map(({ key, value, headers = null }) => {
      return { key, value: this.#format.write(value), headers }
    })
    const batch = outgoingBatch(formatted, { timeMs: Date.now(), compression: this.#compression })
    this.#batches.set(messages, batch)
    return batch
  }
}

/** These messages together, in the next request that has room for them. */
function wholly(messages: readonly OutgoingMessage[]): Take {
  return room => (room.isEmpty || room.fitting(messages) === messages.length ? messages : [])
}

function noLeader({ topic, partition }: TopicPartition): Error {
  const text = `partition ${partition} of topic ${topic} has no leader now`
  return Object.assign(new Error(text), { type: NO_LEADER, retriable: true })
}

function write(topic: string): Right {
  return { operation: 'Write', resource: 'topic', name: topic }
}
