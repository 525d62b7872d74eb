import kafkajs, { type Admin } from 'kafkajs'
import { RowmillError } from '../errors.ts'
import { answered, patiently } from './errors.ts'

export interface TopicSettings {
  readonly topic: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

/** Creates, describes and deletes topics and groups. */
export class KafkaAdmin {
  /** The brokers as the user gave them, for commands that a message suggests. */
  readonly brokersText: string
  readonly #admin: Admin
  #closed = false

  constructor(admin: Admin, brokers: readonly string[]) {
    this.#admin = admin
    this.brokersText = brokers.join(',')
  }

  /** Creates the topics that do not exist. Returns false if one of them existed already. */
  async createTopics(topics: readonly TopicSettings[]): Promise<boolean> {
    const wanted = topics.map(({ topic, partitions, replicationFactor, config }) => ({
      topic,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    }))
    // Users of a topic wait for its leaders themselves.
    return answered(() => this.#admin.createTopics({ waitForLeaders: false, topics: wanted }))
  }

  /** Grows a topic to `count` partitions. Throws the broker's error. */
  async addPartitions(topic: string, count: number): Promise<void> {
    await answered(() => this.#admin.createPartitions({ topicPartitions: [{ topic, count }] }))
  }

  /** The number of partitions of each of `topics` that exists, by topic. */
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
   * The effective settings of topics, by topic and name. Empty if the broker refuses to tell them: this user may lack the
   * right to ask. Throws BROKER_UNREACHABLE.
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

  /** How many members a consumer group has now. 0 if there is no such group. */
  async groupMembers(groupId: string): Promise<number> {
    const { groups } = await this.#admin.describeGroups([groupId])
    return groups[0]?.members.length ?? 0
  }

  /** The first offset that a partition still holds, and the end of its log, also after the start of an open transaction. */
  async bounds(topic: string, partition: number): Promise<{ start: number; end: number }> {
    const offsets = await this.#admin.fetchTopicOffsets(topic)
    const { low = 0, high = 0 } = offsets.find(found => found.partition === partition) ?? {}
    return { start: Number(low), end: Number(high) }
  }

  /** The offset that the group committed for a partition, or -1 if there is none. */
  async committed(groupId: string, topic: string, partition: number): Promise<number> {
    const [found] = await this.#admin.fetchOffsets({ groupId, topics: [topic] })
    return Number(found?.partitions.find(at => at.partition === partition)?.offset ?? -1)
  }

  /** How many messages that a topic still holds the group has not committed. */
  async lag(groupId: string, topic: string): Promise<number> {
    const found = await this.#readUpTo(groupId, topic)
    return [...found.values()].reduce((sum, { offset, end }) => sum + Math.max(0, end - offset), 0)
  }

  /** By partition: the group has nothing left to read below this offset. It committed that much, or the log begins there. */
  async readUpTo(groupId: string, topic: string): Promise<Map<number, number>> {
    return new Map([...(await this.#readUpTo(groupId, topic))].map(([partition, { offset }]) => [partition, offset]))
  }

  /** Deletes the messages of a partition below `offset`. Throws the broker's error. */
  async deleteRecords(topic: string, partition: number, offset: number): Promise<void> {
    await answered(async () => {
      await this.#admin.fetchTopicOffsets(topic) // the next call knows only topics that this client has asked about
      await this.#admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
    })
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

  async #readUpTo(groupId: string, topic: string): Promise<Map<number, { offset: number; end: number }>> {
    const [offsets, found] = await Promise.all([
      this.#admin.fetchTopicOffsets(topic),
      this.#admin.fetchOffsets({ groupId, topics: [topic] }),
    ])
    const committed = new Map(found[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
    return new Map(
      offsets.map(({ partition, low, high }) => {
        const offset = Math.max(Number(low), committed.get(partition) ?? 0)
        return [partition, { offset, end: Number(high) }]
      }),
    )
  }

  /**
   * KafkaJS replaces an error of this request by null, and then fails with a TypeError. One cause is a broker that has
   * just restarted and does not know any leaders yet.
   */
  async #listTopics(): Promise<string[]> {
    const asked = await patiently(
      async () => {
        try {
          return { topics: await this.#admin.listTopics() }
        } catch (error) {
          if (!(error instanceof TypeError) || this.#closed) return { error }
          throw new Error('it does not list its topics', { cause: error })
        }
      },
      () => Promise.resolve(),
    )
    if ('error' in asked) throw asked.error
    return asked.topics
  }
}
