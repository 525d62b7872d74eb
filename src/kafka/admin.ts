import kafkajs, { type Admin } from 'kafkajs'
import { RowmillError } from '../errors.ts'
import { answered, patiently } from './errors.ts'

export interface TopicSettings {
  readonly topic: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

/** Makes, describes and deletes topics and groups. */
export class KafkaAdmin {
  /** The brokers as they were given, for commands that a message tells. */
  readonly brokersText: string
  readonly #admin: Admin
  #closed = false

  constructor(admin: Admin, brokers: readonly string[]) {
    this.#admin = admin
    this.brokersText = brokers.join(',')
  }

  /** Creates what is not there; false where a topic was there before. */
  async createTopics(topics: readonly TopicSettings[]): Promise<boolean> {
    const wanted = topics.map(({ topic, partitions, replicationFactor, config }) => ({
      topic,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    }))
    // Whoever uses a topic waits for the leaders it needs.
    return answered(() => this.#admin.createTopics({ waitForLeaders: false, topics: wanted }))
  }

  /** Gives a topic so many partitions in all. Throws what the broker says. */
  async addPartitions(topic: string, count: number): Promise<void> {
    await answered(() => this.#admin.createPartitions({ topicPartitions: [{ topic, count }] }))
  }

  /** Topic to number of partitions, for those of `topics` that exist. */
  async partitions(topics: readonly string[]): Promise<Map<string, number>> {
    const existing = new Set(await answered(() => this.#listTopics()))
    const wanted = topics.filter(topic => existing.has(topic))
    if (wanted.length === 0) return new Map()
    const { topics: found } = await patiently(
      () => this.#admin.fetchTopicMetadata({ topics: wanted }),
      () => Promise.resolve(),
    )
    return new Map(found.map(({ name, partitions }) => [name, partitions.length]))
  }

  /**
   * The settings of topics as they hold, by topic and name. Empty where the broker does not tell them: this user may have
   * no right to ask. Throws BROKER_UNREACHABLE.
   */
  async topicConfigs(topics: readonly string[]): Promise<Map<string, Map<string, string>>> {
    if (topics.length === 0) return new Map()
    const resources = topics.map(name => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name }))
    try {
      const described = await answered(() => this.#admin.describeConfigs({ resources, includeSynonyms: false }))
      return new Map(
        described.resources.map(({ resourceName, configEntries }) => [
          resourceName,
          new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
        ]),
      )
    } catch (error) {
      if (error instanceof RowmillError) throw error
      return new Map()
    }
  }

  async brokers(): Promise<number> {
    return (await answered(() => this.#admin.describeCluster())).brokers.length
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

  /** How many messages of a topic the group has not committed, and that are still there. */
  async lag(groupId: string, topic: string): Promise<number> {
    const [offsets, found] = await Promise.all([
      this.#admin.fetchTopicOffsets(topic),
      this.#admin.fetchOffsets({ groupId, topics: [topic] }),
    ])
    const committed = new Map(found[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
    return offsets.reduce((sum, { partition, low, high }) => {
      const done = Math.max(Number(low), committed.get(partition) ?? 0)
      return sum + Math.max(0, Number(high) - done)
    }, 0)
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    await this.#admin.deleteTopics({ topics: [...topics] })
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.#admin.deleteGroups([groupId])
  }

  close(): Promise<void> {
    this.#closed = true
    return this.#admin.disconnect()
  }

  /**
   * KafkaJS makes null of whatever goes wrong with this request, and trips over it: a broker that is back and knows no
   * leaders yet is one of the reasons.
   */
  async #listTopics(): Promise<string[]> {
    const asked = await patiently(
      async () => {
        try {
          return { topics: await this.#admin.listTopics() }
        } catch (error) {
          if (!(error instanceof TypeError) || this.#closed) return { error }
          throw new Error('it does not say which topics there are', { cause: error })
        }
      },
      () => Promise.resolve(),
    )
    if ('error' in asked) throw asked.error
    return asked.topics
  }
}
