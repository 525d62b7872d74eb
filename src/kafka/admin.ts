import type { Socket } from 'node:net'
import kafkajs, { type Admin } from 'kafkajs'
import type Cluster from 'kafkajs/src/cluster/index.js'
import { RowmillError } from '../errors.ts'
import { hangUp } from './connection.ts'
import { atCoordinator } from './coordinator.ts'
import { type DescribedTopic, describeCluster } from './describe-requests.ts'
import { answered, patiently } from './errors.ts'
import type { Right, Rights } from './rights.ts'
import { refusalsOf, TopicsRefused } from './topic-refusals.ts'

export interface TopicSettings {
  readonly topic: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

/** The ids of the brokers that keep a partition. */
export interface PartitionReplicas {
  readonly partition: number
  readonly replicas: readonly number[]
  /** Those of them that have all messages. */
  readonly inSync: readonly number[]
}

/** What the broker says of a topic that does not exist, and of one that this user may not describe. */
const MISSING = 'UNKNOWN_TOPIC_OR_PARTITION'
const HIDDEN = 'TOPIC_AUTHORIZATION_FAILED'
/** How long a cluster may have no controller. A broker that stood still has one again within a second or two. */
const LEADERLESS_MS = 10_000

/** Creates, describes and deletes topics and groups. */
export class KafkaAdmin {
  /** The brokers as the user gave them, for commands that a message suggests. */
  readonly brokersText: string
  readonly #admin: Admin
  readonly #cluster: Cluster
  readonly #rights: Rights
  readonly #sockets: ReadonlySet<Socket>
  readonly #requestTimeoutMs: number
  #closed = false

  constructor(
    admin: Admin,
    cluster: Cluster,
    {
      brokers,
      rights,
      sockets,
      requestTimeoutMs,
    }: { brokers: readonly string[]; rights: Rights; sockets: ReadonlySet<Socket>; requestTimeoutMs: number },
  ) {
    this.#admin = admin
    this.#cluster = cluster
    this.#rights = rights
    this.#sockets = sockets
    this.#requestTimeoutMs = requestTimeoutMs
    this.brokersText = brokers.join(',')
  }

  /** NOT_AUTHORIZED, with the command that grants the right. `more` follows it. */
  missing(right: Right, cause: unknown, more?: string): RowmillError {
    return this.#rights.missing(right, cause, more)
  }

  /**
   * Creates the topics that do not exist. Returns false if one of them existed already. Throws TopicsRefused. With
   * `validateOnly` it only asks whether the broker would create them.
   */
  async createTopics(topics: readonly TopicSettings[], { validateOnly = false } = {}): Promise<boolean> {
    const wanted = topics.map(({ topic, partitions, replicationFactor, config }) => ({
      topic,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    }))
    // Users of a topic wait for its leaders themselves.
    try {
      return await this.#answered(() =>
        this.#admin.createTopics({ waitForLeaders: false, topics: wanted, validateOnly }),
      )
    } catch (error) {
      const refusals = refusalsOf(error)
      throw refusals.length > 0 ? new TopicsRefused(refusals, { cause: error }) : error
    }
  }

  /** Grows a topic to `count` partitions. Throws the broker's error. */
  async addPartitions(topic: string, count: number): Promise<void> {
    await answered(() => this.#admin.createPartitions({ topicPartitions: [{ topic, count }] }))
  }

  /**
   * The number of partitions of each of `topics` that exists, by topic. Throws NOT_AUTHORIZED for a topic that is hidden
   * from this user. `operationOn` says which right to name then. Default: that to Describe.
   */
  async partitions(
    topics: readonly string[],
    operationOn: (topic: string) => Right['operation'] = () => 'Describe',
  ): Promise<Map<string, number>> {
    const described = await patiently(
      () => this.#describe(topics),
      () => Promise.resolve(),
    )
    for (const [topic, { error }] of described)
      if (error === HIDDEN)
        throw this.#rights.missing({ operation: operationOn(topic), resource: 'topic', name: topic }, new Error(error))
    const found = [...described].filter(([, { error }]) => error === null)
    return new Map(found.map(([topic, { partitions }]) => [topic, partitions]))
  }

  /**
   * The effective settings of topics, by topic and name. Empty if the broker refuses to tell them: this user may lack the
   * right to ask. Throws BROKER_UNREACHABLE.
   */
  async topicConfigs(topics: readonly string[]): Promise<Map<string, Map<string, string>>> {
    if (topics.length === 0) return new Map()
    const resources = topics.map(name => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name }))
    try {
      const described = await this.#answered(() => this.#admin.describeConfigs({ resources, includeSynonyms: false }))
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

  /** The ids of the brokers that are up. */
  async brokers(): Promise<number[]> {
    const { brokers } = await this.#answered(() => this.#admin.describeCluster())
    return brokers.map(({ nodeId }) => nodeId).sort((a, b) => a - b)
  }

  /** The partitions of topics that exist, in their order. */
  async replicas(topics: readonly string[]): Promise<Map<string, PartitionReplicas[]>> {
    if (topics.length === 0) return new Map()
    const { topics: found } = await this.#answered(() => this.#admin.fetchTopicMetadata({ topics: [...topics] }))
    return new Map(
      found.map(({ name, partitions }) => {
        const inOrder = partitions.toSorted((a, b) => a.partitionId - b.partitionId)
        return [
          name,
          inOrder.map(({ partitionId, replicas, isr }) => ({ partition: partitionId, replicas, inSync: isr })),
        ]
      }),
    )
  }

  /** How many members a consumer group has now. 0 if there is no such group. */
  async groupMembers(groupId: string): Promise<number> {
    const { groups } = await this.#aboutGroup(groupId, () => this.#admin.describeGroups([groupId]))
    return groups[0]?.members.length ?? 0
  }

  /** The first offset that a partition still holds, and the end of its log, also after the start of an open transaction. */
  async bounds(topic: string, partition: number): Promise<{ start: number; end: number }> {
    const offsets = await this.#fetchTopicOffsets(topic)
    const { low = 0, high = 0 } = offsets.find(found => found.partition === partition) ?? {}
    return { start: Number(low), end: Number(high) }
  }

  /** The offset that the group committed for a partition, or -1 if there is none. */
  async committed(groupId: string, topic: string, partition: number): Promise<number> {
    const [found] = await this.#fetchOffsets(groupId, topic)
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

  /** Deletes the messages of a partition below `offset`. Throws NOT_AUTHORIZED, or the broker's error. */
  async deleteRecords(topic: string, partition: number, offset: number): Promise<void> {
    await this.#fetchTopicOffsets(topic) // the next call knows only topics that this client has asked about
    const partitions = [{ partition, offset: String(offset) }]
    await this.#rights.needing({ operation: 'Delete', resource: 'topic', name: topic }, () =>
      this.#answered(() => this.#admin.deleteTopicRecords({ topic, partitions }).catch(throwErrorOfPartition)),
    )
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    await this.#admin.deleteTopics({ topics: [...topics] })
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.#admin.deleteGroups([groupId])
  }

  /** Hangs up: it waits for no answer. */
  async close(): Promise<void> {
    this.#closed = true
    await hangUp(this.#cluster, this.#sockets)
    await this.#admin.disconnect()
  }

  async #readUpTo(groupId: string, topic: string): Promise<Map<number, { offset: number; end: number }>> {
    const [offsets, found] = await Promise.all([this.#fetchTopicOffsets(topic), this.#fetchOffsets(groupId, topic)])
    const committed = new Map(found[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
    return new Map(
      offsets.map(({ partition, low, high }) => {
        const offset = Math.max(Number(low), committed.get(partition) ?? 0)
        return [partition, { offset, end: Number(high) }]
      }),
    )
  }

  #fetchTopicOffsets(topic: string) {
    return this.#rights.needing(describe('topic', topic), () =>
      this.#answered(() => this.#admin.fetchTopicOffsets(topic)),
    )
  }

  #fetchOffsets(groupId: string, topic: string) {
    return this.#aboutGroup(groupId, () => this.#admin.fetchOffsets({ groupId, topics: [topic] }))
  }

  #aboutGroup<T>(groupId: string, request: () => Promise<T>): Promise<T> {
    return this.#rights.needing(describe('group', groupId), () =>
      this.#answered(() => atCoordinator(this.#cluster, groupId, request)),
    )
  }

  /** The result of a request that may be made twice. */
  #answered<T>(request: () => Promise<T>): Promise<T> {
    const led = () => this.#led(request)
    return answered(led, async () => {
      if (this.#closed) throw new Error('the admin was closed')
      // Or KafkaJS would ask the same broker again. The request itself reports what is wrong.
      await this.#cluster.refreshMetadata().catch(() => {})
    })
  }

  /** Throws an error of Kafka that is neither a missing topic nor a missing right: this broker may know the topic soon. */
  async #describe(topics: readonly string[]): Promise<ReadonlyMap<string, DescribedTopic>> {
    if (topics.length === 0) return new Map()
    await this.#cluster.refreshMetadataIfNecessary() // or KafkaJS knows no broker
    const broker = await this.#cluster.findControllerBroker()
    const { topics: described } = await describeCluster(broker, topics, { timeoutMs: this.#requestTimeoutMs })
    for (const [topic, { error }] of described)
      if (error !== null && error !== HIDDEN && error !== MISSING)
        throw Object.assign(new Error(`topic ${topic}: ${error}`), { type: error })
    return described
  }

  /**
   * Repeats a request while the cluster has no controller, or a topic no leader. One cause is a broker that stood still for
   * longer than its session: nobody leads until it is heard again. Others have just restarted, or gone. KafkaJS then looks
   * for the broker -1, or replaces an error by null and fails with a TypeError.
   */
  async #led<T>(request: () => Promise<T>): Promise<T> {
    const asked = await patiently(
      async () => {
        try {
          return { answer: await request() }
        } catch (error) {
          if (this.#closed) return { error }
          if (isBrokerNotFound(error)) throw error
          if (!(error instanceof TypeError)) return { error }
          throw new Error('it does not describe itself', { cause: error })
        }
      },
      () => this.#cluster.refreshMetadata(),
      { silenceMs: LEADERLESS_MS },
    )
    if ('error' in asked) throw asked.error
    return asked.answer
  }
}

/** KafkaJS wraps what the broker says of the partition twice. After a lost connection it stumbles over its own error. */
function throwErrorOfPartition(error: { cause?: { partitions?: readonly { error: Error }[] } }): never {
  if (error.cause instanceof TypeError) throw new kafkajs.KafkaJSConnectionError('the connection was lost')
  throw error.cause?.partitions?.[0]?.error ?? error
}

function isBrokerNotFound(error: unknown): boolean {
  const { name, cause } = error as Error
  return name === 'KafkaJSBrokerNotFound' || (cause instanceof Error && isBrokerNotFound(cause))
}

function describe(resource: Right['resource'], name: string): Right {
  return { operation: 'Describe', resource, name }
}
