import type { Admin } from 'kafkajs'
import { patiently } from './errors.ts'

export interface TopicSettings {
  readonly topic: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

/** Makes, describes and deletes topics and groups. */
export class KafkaAdmin {
  readonly #admin: Admin

  constructor(admin: Admin) {
    this.#admin = admin
  }

  /** Creates what is not there; false where a topic was there before. */
  async createTopics(topics: readonly TopicSettings[]): Promise<boolean> {
    return this.#admin.createTopics({
      waitForLeaders: false, // whoever uses a topic waits for the leaders it needs
      topics: topics.map(({ topic, partitions, replicationFactor, config }) => ({
        topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
      })),
    })
  }

  /** Topic to number of partitions, for those of `topics` that exist. */
  async partitions(topics: readonly string[]): Promise<Map<string, number>> {
    const existing = new Set(await this.#admin.listTopics())
    const wanted = topics.filter(topic => existing.has(topic))
    if (wanted.length === 0) return new Map()
    const { topics: found } = await patiently(
      () => this.#admin.fetchTopicMetadata({ topics: wanted }),
      () => Promise.resolve(),
    )
    return new Map(found.map(({ name, partitions }) => [name, partitions.length]))
  }

  async brokers(): Promise<number> {
    return (await this.#admin.describeCluster()).brokers.length
  }

  /** How many members a consumer group has now; 0 where there is no such group. */
  async groupMembers(groupId: string): Promise<number> {
    const { groups } = await this.#admin.describeGroups([groupId])
    return groups[0]?.members.length ?? 0
  }

  /** The first offset still there in a partition, and the one behind its last message. */
  async bounds(topic: string, partition: number): Promise<{ start: number; end: number }> {
    const offsets = await this.#admin.fetchTopicOffsets(topic)
    const { low = 0, high = 0 } = offsets.find(found => found.partition === partition) ?? {}
    return { start: Number(low), end: Number(high) }
  }

  /** What the group committed of a partition; -1 where it has not. */
  async committed(groupId: string, topic: string, partition: number): Promise<number> {
    const [found] = await this.#admin.fetchOffsets({ groupId, topics: [topic] })
    return Number(found?.partitions.find(at => at.partition === partition)?.offset ?? -1)
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    await this.#admin.deleteTopics({ topics: [...topics] })
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.#admin.deleteGroups([groupId])
  }

  close(): Promise<void> {
    return this.#admin.disconnect()
  }
}
