import type { Consumer } from '@platformatic/kafka'
import { type FetchLimits, READ_COMMITTED } from '../../src/kafka/fetch.ts'
import type { PartitionOffset } from '../../src/kafka/index.ts'

/** Fetches with the client's own `consumer.fetch` and decoding: no checksum, no limit. For measurements only. */
export class OwnFetch {
  readonly #consumer: Consumer

  constructor(consumer: Consumer) {
    this.#consumer = consumer
  }

  async leaders([at]: readonly PartitionOffset[]): Promise<Map<string, PartitionOffset[]>> {
    const { topics } = await this.#consumer.metadata({ topics: [at!.topic] })
    return new Map([[String(topics.get(at!.topic)!.partitions[at!.partition]!.leader), [at!]]])
  }

  async fetch(node: string, [at]: readonly PartitionOffset[], limits: FetchLimits) {
    const { topic, partition, offset } = at!
    const asked = {
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: -1,
      partitionMaxBytes: limits.maxPartitionBytes,
    }
    const { responses } = await this.#consumer.fetch({
      node: Number(node),
      maxWaitTime: limits.maxWaitMs,
      minBytes: 1,
      maxBytes: limits.maxBytes,
      isolationLevel: READ_COMMITTED,
      topics: [{ topicId: this.#consumer.currentMetadata!.topics.get(topic)!.id, partitions: [asked] }],
    })
    const batches = responses[0]?.partitions[0]?.records ?? []
    const last = batches.at(-1)
    const next = last ? Number(last.firstOffset) + last.lastOffsetDelta + 1 : offset
    return [{ messages: batches.flatMap(({ records }) => records), next, error: null }]
  }

  close(): Promise<void> {
    return this.#consumer.close()
  }
}
