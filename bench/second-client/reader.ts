import type { Consumer } from '@platformatic/kafka'
import { RowmillError } from '../../src/errors.ts'
import { noPartition, patiently } from '../../src/kafka/errors.ts'
import { type FetchLimits, READ_COMMITTED, READ_UNCOMMITTED } from '../../src/kafka/fetch.ts'
import type { Fetched, PartitionOffset, Reader, TopicPartition } from '../../src/kafka/index.ts'
import type { Patience } from '../../src/kafka/limits.ts'
import { MAX_BATCH_BYTES, readBatches } from '../../src/kafka/record-batch.ts'
import { byTopic } from '../../src/kafka/topic-partition.ts'
import type { Public } from '../../test/fakes/kafka.ts'
import { rethrown } from './broker-error.ts'
import { fetchRaw } from './fetch.ts'

/** As in src/kafka/reader.ts. */
const ANSWER_BYTES = MAX_BATCH_BYTES / 2
const METADATA_MAX_AGE_MS = 60_000
const TIMESTAMPS = { start: -2n, end: -1n }

export class SecondReader implements Public<Reader> {
  readonly patience: Patience
  readonly metadataMaxAgeMs = METADATA_MAX_AGE_MS
  readonly #consumer: Consumer
  readonly #topics: string[]
  readonly #isolationLevel: number
  readonly #closing = new AbortController()

  private constructor(consumer: Consumer, topics: readonly string[], parts: ReaderParts) {
    this.#consumer = consumer
    this.#topics = [...topics]
    this.#isolationLevel = parts.stableEnds ? READ_COMMITTED : READ_UNCOMMITTED
    this.patience = parts.patience
  }

  static async open(consumer: Consumer, topics: readonly string[], parts: ReaderParts): Promise<SecondReader> {
    const reader = new SecondReader(consumer, topics, parts)
    try {
      await patiently(
        () => reader.#metadata(true),
        () => Promise.resolve(),
      )
      return reader
    } catch (error) {
      await reader.close()
      throw error
    }
  }

  async leaders(wanted: readonly TopicPartition[], refresh: boolean): Promise<Map<string, TopicPartition[]>> {
    const { topics } = await this.#metadata(refresh)
    const leaderOf = ({ topic, partition }: TopicPartition) => topics.get(topic)?.partitions[partition]?.leader
    const missing = wanted.find(at => leaderOf(at) === undefined)
    if (!missing) return Map.groupBy(wanted, at => String(leaderOf(at)))
    if (!refresh) return this.leaders(wanted, true)
    throw new RowmillError('TOPIC_UNUSABLE', noPartition(missing).message, { ...missing })
  }

  async fetch(node: string, offsets: readonly PartitionOffset[], limits: FetchLimits): Promise<Fetched[]> {
    const connection = await this.#connection(Number(node))
    const answer = await fetchRaw(connection, offsets, limits)
    const asked = new Map(offsets.map(at => [`${at.topic}/${at.partition}`, at.offset]))
    let left = ANSWER_BYTES
    return answer.map(({ topic, partition, records, aborted, stableEnd: end, logEnd, ...said }) => {
      const offset = asked.get(`${topic}/${partition}`)!
      const enough = Math.min(left, limits.maxPartitionBytes)
      const { bytes, fault, ...read } = readBatches(records, { ...limits, from: offset, logEnd, aborted, enough })
      left -= bytes
      const error = said.error ?? (fault === null ? null : new Error(fault))
      return { ...said, ...read, topic, partition, offset, empty: records.length === 0, end, logEnd, error }
    })
  }

  async codecs(): Promise<never> {
    throw new Error('the spike asks for no codecs')
  }

  /** The first offset that each partition still holds, or the offset after its last message. */
  async offsets(wanted: readonly TopicPartition[], which: 'start' | 'end'): Promise<PartitionOffset[]> {
    const partitions = Object.fromEntries(
      [...byTopic(wanted)].map(([topic, those]) => [topic, those.map(({ partition }) => partition)]),
    )
    const options = {
      topics: Object.keys(partitions),
      partitions,
      timestamp: TIMESTAMPS[which],
      isolationLevel: this.#isolationLevel,
    }
    const ask = async () => {
      const found = await this.#consumer.listOffsets(options).catch(rethrown)
      return wanted.map(({ topic, partition }) => ({ topic, partition, offset: Number(found.get(topic)![partition]) }))
    }
    const patience = { signal: this.#closing.signal, silenceMs: this.patience.timeoutMs }
    return patiently(ask, async () => void (await this.#metadata(true)), patience)
  }

  async ends(topic: string, count: number): Promise<number[]> {
    const wanted = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
    return (await this.offsets(wanted, 'end')).map(({ offset }) => offset)
  }

  partitions(topic: string): number {
    return this.#consumer.currentMetadata?.topics.get(topic)?.partitionsCount ?? 0
  }

  async partitionsNow(topic: string): Promise<number> {
    await this.#metadata(true)
    return this.partitions(topic)
  }

  /** Ends open requests with an error. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the reader was closed'))
    await this.#consumer.close()
  }

  async #connection(node: number) {
    const { brokers } = await this.#metadata(false)
    const broker = brokers.get(node)
    if (!broker) throw new Error(`the cluster has no broker ${node} now`)
    return this.#consumer.connections.get(broker).catch(rethrown)
  }

  #metadata(forceUpdate: boolean) {
    return this.#consumer.metadata({ topics: [...this.#topics], forceUpdate }).catch(rethrown)
  }
}

interface ReaderParts {
  readonly stableEnds: boolean
  readonly patience: Patience
}
