import { noPartition } from '../../src/kafka/errors.ts'
import {
  type KafkaAdmin,
  type PartitionReplicas,
  type TopicPartition,
  type TopicSettings,
  TopicsRefused,
} from '../../src/kafka/index.ts'
import { type Right, Rights } from '../../src/kafka/rights.ts'
import type { FakeKafka, Public } from './kafka.ts'
import { PartitionLog } from './partition-log.ts'

export class FakeAdmin implements Public<KafkaAdmin> {
  readonly #client: FakeKafka

  constructor(client: FakeKafka) {
    this.#client = client
  }

  get brokersText(): string {
    return this.#client.settings.brokers.join(',')
  }

  missing(right: Right, cause: unknown, more?: string) {
    return new Rights(this.#client.settings.brokers, { tls: null, sasl: null }).missing(right, cause, more)
  }

  async createTopics(topics: readonly TopicSettings[], { validateOnly = false } = {}): Promise<boolean> {
    const known = this.#cluster.topics
    const refusals = topics.flatMap(settings => {
      const type = this.#cluster.onCreate(settings)
      return type === null ? [] : [{ topic: settings.topic, type, text: type }]
    })
    if (refusals.length > 0) throw new TopicsRefused(refusals, {})
    if (validateOnly) return true
    const added = topics.filter(({ topic }) => !known.has(topic))
    for (const { topic, partitions, config } of added)
      known.set(topic, { logs: Array.from({ length: partitions }, () => new PartitionLog(0)), config })
    return added.length === topics.length
  }

  async addPartitions(topic: string, count: number): Promise<void> {
    const { logs } = this.#topic(topic)
    if (count <= logs.length)
      throw Object.assign(new Error('Number of partitions is invalid'), { type: 'INVALID_PARTITIONS' })
    while (logs.length < count) logs.push(new PartitionLog(0))
    for (const group of this.#cluster.groups.values()) group.rebalance()
  }

  async partitions(topics: readonly string[]): Promise<Map<string, number>> {
    const there = topics.filter(topic => this.#cluster.topics.has(topic))
    return new Map(there.map(topic => [topic, this.#cluster.partitions(topic).length]))
  }

  async topicConfigs(topics: readonly string[]): Promise<Map<string, Map<string, string>>> {
    const there = topics.filter(topic => this.#cluster.topics.has(topic))
    return new Map(there.map(topic => [topic, new Map(Object.entries(this.#topic(topic).config))]))
  }

  async brokers(): Promise<number[]> {
    return [1]
  }

  async replicas(topics: readonly string[]): Promise<Map<string, PartitionReplicas[]>> {
    const there = topics.filter(topic => this.#cluster.topics.has(topic))
    const onOne = ({ partition }: TopicPartition) => ({ partition, replicas: [1], inSync: [1] })
    return new Map(there.map(topic => [topic, this.#cluster.partitions(topic).map(onOne)]))
  }

  async groupMembers(groupId: string): Promise<number> {
    return this.#cluster.groups.get(groupId)?.size ?? 0
  }

  async bounds(topic: string, partition: number): Promise<{ start: number; end: number }> {
    const { start = 0, end = 0 } = this.#topic(topic).logs[partition] ?? {}
    return { start, end }
  }

  async committed(groupId: string, topic: string, partition: number): Promise<number> {
    return this.#cluster.groups.get(groupId)?.committed.get(`${topic}/${partition}`)?.offset ?? -1
  }

  async lag(groupId: string, topic: string): Promise<number> {
    const reached = await this.readUpTo(groupId, topic)
    return this.#topic(topic).logs.reduce(
      (sum, { end }, partition) => sum + Math.max(0, end - reached.get(partition)!),
      0,
    )
  }

  async readUpTo(groupId: string, topic: string): Promise<Map<number, number>> {
    const reached = this.#topic(topic).logs.map(async ({ start }, partition): Promise<[number, number]> => {
      return [partition, Math.max(start, await this.committed(groupId, topic, partition))]
    })
    return new Map(await Promise.all(reached))
  }

  async deleteRecords(topic: string, partition: number, offset: number): Promise<void> {
    const log = this.#topic(topic).logs[partition]!
    if (offset > log.end) throw Object.assign(new Error('offset out of range'), { type: 'OFFSET_OUT_OF_RANGE' })
    if (offset > log.start) log.truncate(offset)
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.#topic(topic)
    for (const topic of topics) this.#cluster.topics.delete(topic)
  }

  async deleteGroup(groupId: string): Promise<void> {
    this.#cluster.groups.delete(groupId)
  }

  async close(): Promise<void> {}

  get #cluster() {
    this.#client.check()
    return this.#client.cluster
  }

  #topic(topic: string) {
    const found = this.#cluster.topics.get(topic)
    if (!found) throw noPartition({ topic, partition: 0 })
    return found
  }
}
