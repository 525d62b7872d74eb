import type { Socket } from 'node:net'
import type Cluster from 'kafkajs/src/cluster/index.js'
import { RowmillError } from '../errors.ts'
import { collectGarbage } from '../support/collect-garbage.ts'
import { shareBytes } from '../support/free-bytes.ts'
import { hangUp } from './connection.ts'
import { answered, noPartition } from './errors.ts'
import { type FetchedPartition, type FetchLimits, fetchRaw } from './fetch.ts'
import { type LeaderlessPartition, leaderlessOf } from './leaderless.ts'
import type { Patience } from './limits.ts'
import type { Message } from './message.ts'
import { clusterOffsets } from './offsets.ts'
import { codecOf, MAX_BATCH_BYTES, readBatches, timestampOf } from './record-batch.ts'
import { isOfRights, type Right, type Rights } from './rights.ts'
import { byTopic, keyOf, type PartitionOffset, type TopicPartition } from './topic-partition.ts'
import type { ValueFormat } from './value-format.ts'

/** What one fetch brought from one partition. */
export interface Fetched extends PartitionOffset {
  /** The messages from the requested offset on, without those of aborted transactions. */
  readonly messages: readonly Message[]
  /** The offset to ask for next: the one after the last batch that was read, or of the first message that was not kept. */
  readonly next: number
  /** Whether the broker sent no bytes at all from this partition. */
  readonly empty: boolean
  /** Whether no message was kept, since the first one needs more than `keepBytes`. */
  readonly tooLarge: boolean
  /** The end of what can be read now: the first message of an open transaction, or `logEnd`. */
  readonly end: number
  /** The offset after the last message of the partition. */
  readonly logEnd: number
  /** Why there is nothing from this partition, or null. */
  readonly error: Error | null
  /** Whether the reason is that the log does not hold the requested offset. */
  readonly outOfRange: boolean
  /** The broker to read this partition from instead, since it is in our rack. Null: read on from the same one. */
  readonly preferredNode: string | null
}

/** The most that one answer is unpacked to. The rest is fetched again. */
const ANSWER_BYTES = MAX_BATCH_BYTES / 2
/** We collect garbage after this many bytes from answers that unpacked to more than was requested. */
const COLLECT_EVERY_BYTES = 2 * MAX_BATCH_BYTES

/** The leader of a partition that has none. */
const NOBODY = '-1'

/** Enough for the head of a batch and, mostly, for the batch. */
const HEAD_OF_BATCH_BYTES = 1024

/** Reads partitions without a group: offsets in, messages out. */
export class Reader {
  readonly #cluster: Cluster
  readonly #sockets: Set<Socket>
  readonly #format: ValueFormat
  /** Where we are. The broker may name a replica there. Empty: we do not say. */
  readonly #rack: string
  readonly #rights: Rights
  readonly #operation: Right['operation']
  /** Ends retries: KafkaJS would connect again, and nobody would close that connection. */
  readonly #closing = new AbortController()
  /** The unpacked bytes of such answers since the last collection. */
  #unpackedBytes = 0
  /** How the user of this reader retries. */
  readonly patience: Patience
  /** How old the knowledge of leaders may be. */
  readonly metadataMaxAgeMs: number
  /** The names of the headers that messages keep. */
  readonly #headers: readonly string[]
  /** The most that an answer has, and of one partition, unless its first batch is longer. */
  readonly #most: Pick<FetchLimits, 'maxBytes' | 'maxPartitionBytes'>

  constructor(
    cluster: Cluster,
    sockets: Set<Socket>,
    parts: {
      format: ValueFormat
      rights: Rights
      operation: Right['operation']
      patience: Patience
      metadataMaxAgeMs: number
      rack: string
      headers: readonly string[]
      /** The most that the user of the cluster wants in one fetch. */
      most: Pick<FetchLimits, 'maxBytes' | 'maxPartitionBytes'>
    },
  ) {
    this.patience = parts.patience
    this.metadataMaxAgeMs = parts.metadataMaxAgeMs
    this.#most = parts.most
    this.#cluster = cluster
    this.#sockets = sockets
    this.#format = parts.format
    this.#rack = parts.rack
    this.#headers = parts.headers
    this.#rights = parts.rights
    this.#operation = parts.operation
  }

  /** The partitions by the broker that leads them, of those that have a leader. With `refresh` it asks for new metadata first. */
  async leaders<T extends TopicPartition>(wanted: readonly T[], refresh: boolean): Promise<Map<string, T[]>> {
    if (refresh) await this.#refreshMetadata()
    else await this.#repeated(() => this.#cluster.refreshMetadataIfNecessary())
    const nodes = new Map<string, string>()
    for (const [topic, partitions] of byTopic(wanted)) {
      const numbers = partitions.map(({ partition }) => partition)
      for (const [node, led] of Object.entries(this.#cluster.findLeaderForPartitions(topic, numbers)))
        for (const partition of led) nodes.set(keyOf({ topic, partition }), node)
    }
    const missing = wanted.find(at => !nodes.has(keyOf(at)))
    if (!missing) {
      const led = Map.groupBy(wanted, at => nodes.get(keyOf(at))!)
      led.delete(NOBODY)
      return led
    }
    if (!refresh) return this.leaders(wanted, true)
    const { topic, partition } = missing
    throw new RowmillError('TOPIC_UNUSABLE', noPartition(missing).message, { topic, partition })
  }

  /**
   * Fetches once from one broker. Waits up to `maxWaitMs` for a first message. The first of `offsets` with messages gets
   * at least one batch.
   */
  async fetch(node: string, offsets: readonly PartitionOffset[], wanted: FetchLimits): Promise<Fetched[]> {
    const limits = {
      ...wanted,
      maxBytes: Math.min(wanted.maxBytes, this.#most.maxBytes),
      maxPartitionBytes: Math.min(wanted.maxPartitionBytes, this.#most.maxPartitionBytes),
    }
    const broker = await this.#cluster.findBroker({ nodeId: node })
    const { bytes: memory, partitions } = await fetchRaw(broker, offsets, limits, this.#rack)
    const asked = new Map(offsets.map(at => [keyOf(at), at.offset]))
    let left = ANSWER_BYTES
    const fetched = partitions.map(
      ({ topic, partition, records, aborted, stableEnd: end, logEnd, error, outOfRange, preferredNode }) => {
        const offset = asked.get(keyOf({ topic, partition }))!
        const enough = Math.min(left, limits.maxPartitionBytes)
        const read = readBatches(records, { ...limits, headers: this.#headers, from: offset, logEnd, aborted, enough })
        const { messages, next, bytes, tooLarge, fault } = read
        left -= bytes
        const at = { topic, partition, offset, next, empty: records.length === 0, tooLarge, end, logEnd }
        const found = {
          ...at,
          error: error ? this.#explained(error, topic) : fault === null ? null : misplaced(fault),
          outOfRange,
          preferredNode,
        }
        return { ...found, messages: messages.map(message => this.#formatted(message)) }
      },
    )
    this.#noteUnpacked(ANSWER_BYTES - left, wanted)
    shareBytes(memory, fetched.flatMap(({ messages }) => messages.filter(message => isIn(memory, message))).length)
    return fetched
  }

  /** The codecs of the batches at these offsets, by number, as far as one small answer holds them. */
  async codecs(node: string, offsets: readonly PartitionOffset[]): Promise<Set<number>> {
    const found = [...(await this.#smallFetch(node, offsets)).values()]
    return new Set(found.map(({ records }) => codecOf(records)).filter(codec => codec !== null))
  }

  /**
   * When the broker appended the batch at each of these offsets, in ms since 1970 by its clock. Null: nothing can be read there
   * now. Undefined: one small answer did not hold it, or the broker told an error. An answer holds at least one batch, that of the
   * first partition that has one.
   */
  async timestamps(node: string, offsets: readonly PartitionOffset[]): Promise<(number | null | undefined)[]> {
    const found = await this.#smallFetch(node, offsets)
    return offsets.map(at => {
      const here = found.get(keyOf(at))
      const isThere = here && here.error === null
      if (!isThere || (here.records.length === 0 && at.offset < here.stableEnd)) return undefined
      return timestampOf(here.records)
    })
  }

  /** The first offset that each partition with a leader still holds, or the offset after its last message. */
  offsets(wanted: readonly TopicPartition[], which: 'start' | 'end'): Promise<PartitionOffset[]> {
    const patience = { signal: this.#closing.signal, silenceMs: this.patience.timeoutMs }
    return clusterOffsets(this.#cluster, wanted, { which, ...patience }).catch(error => {
      throw this.#explained(error, wanted[0]!.topic)
    })
  }

  /** The offset after the last message of each of the first `count` partitions, by partition. */
  async ends(topic: string, count: number): Promise<number[]> {
    const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
    const offsets = await this.offsets(partitions, 'end')
    return offsets.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  }

  /** The partitions of a topic that have no leader, as of the last metadata, if the client can do without them. */
  leaderless(topic: string): LeaderlessPartition[] {
    return leaderlessOf(this.#cluster, topic)
  }

  /** How many partitions the topic has. 0 if there is no such topic. */
  partitions(topic: string): number {
    return this.#cluster.findTopicPartitionMetadata(topic).length
  }

  /** How many partitions the topic has now, by new metadata. */
  async partitionsNow(topic: string): Promise<number> {
    await this.#repeated(() => this.#refreshMetadata())
    return this.partitions(topic)
  }

  /** Little more than the first batch of one of these partitions, and what is small of the others. */
  async #smallFetch(node: string, offsets: readonly PartitionOffset[]): Promise<Map<string, FetchedPartition>> {
    const broker = await this.#cluster.findBroker({ nodeId: node })
    const limits = {
      maxWaitMs: 0,
      maxPartitionBytes: HEAD_OF_BATCH_BYTES,
      maxBytes: HEAD_OF_BATCH_BYTES * offsets.length,
    }
    const { partitions } = await fetchRaw(broker, offsets, limits)
    return new Map(partitions.map(found => [keyOf(found), found]))
  }

  /** For callers that do not ask again themselves. */
  #repeated(ask: () => Promise<void>): Promise<void> {
    return answered(ask, async () => this.#closing.signal.throwIfAborted())
  }

  async #refreshMetadata(): Promise<void> {
    try {
      await this.#cluster.refreshMetadata()
    } finally {
      if (this.#closing.signal.aborted) await hangUp(this.#cluster, this.#sockets) // it may have connected again
    }
  }

  /** The error itself, or which right is missing. */
  #explained(error: Error, topic: string): Error {
    return isOfRights(error)
      ? this.#rights.missing({ operation: this.#operation, resource: 'topic', name: topic }, error)
      : error
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

/** Whether a message needs this memory. Messages of compressed batches, for one, have other memory. */
function isIn({ buffer }: Buffer, { key, value }: Message): boolean {
  return value?.buffer === buffer || key?.buffer === buffer
}

/** The broker sends the same bytes again until another batch comes after them. */
function misplaced(why: string): Error {
  return Object.assign(new Error(`it sends a batch that cannot be placed: ${why}`), {
    type: 'CORRUPT_MESSAGE',
    retriable: true,
  })
}
