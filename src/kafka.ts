/**
 * The only file that imports KafkaJS. It talks and decides nothing: offsets in, messages out.
 *
 * Reading uses KafkaJS's cluster and protocol layer below its consumer, and membership its ConsumerGroup without its
 * runner (DESIGN.md, "Why not the KafkaJS consumer"). The version is pinned exactly for that reason.
 */
import net, { type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin, type Producer as KafkaJSProducer } from 'kafkajs'
import Cluster from 'kafkajs/src/cluster/index.js'
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js'
import { createLogger } from 'kafkajs/src/loggers/index.js'
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'
import { RowmillError } from './errors.ts'

const READ_UNCOMMITTED = 0
const HEARTBEAT_MS = 250
const SESSION_TIMEOUT_MS = 6000
const REBALANCE_TIMEOUT_MS = 10_000
const METADATA_MAX_AGE_MS = 60_000
/** The last pause before a request is given up: about twice as long in all. */
const PATIENCE_MS = 2000
const RETRY = { initialRetryTime: 100, maxRetryTime: 2000, retries: 5 }

export interface KafkaSettings {
  /** `host:port` of one or more brokers. */
  readonly brokers: readonly string[]
  /** Appears in the broker's logs and in group member ids. */
  readonly clientId: string
}

export interface Message {
  readonly offset: number
  readonly value: Buffer | null
}

export interface OutgoingMessage {
  readonly key: string
  readonly value: Buffer
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface Position extends TopicPartition {
  /** The offset of the next message to read. */
  readonly offset: number
}

/** What one fetch brought of one partition: the messages at and above the offset asked for. */
export interface Fetched extends Position {
  readonly messages: readonly Message[]
  /** The offset behind the last message of the partition. */
  readonly end: number
}

export interface TopicSettings {
  readonly topic: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

export class Kafka {
  readonly settings: KafkaSettings
  readonly #client: InstanceType<typeof kafkajs.Kafka>

  constructor(settings: KafkaSettings) {
    stopIdleTimers()
    this.settings = settings
    this.#client = new kafkajs.Kafka({
      clientId: settings.clientId,
      brokers: [...settings.brokers],
      connectionTimeout: 5000,
      requestTimeout: 30_000,
      retry: RETRY,
      socketFactory: openSocket,
      logCreator,
    })
  }

  async admin(): Promise<KafkaAdmin> {
    const admin = this.#client.admin({ retry: RETRY })
    await this.#connecting(() => admin.connect())
    return new KafkaAdmin(admin)
  }

  async producer(): Promise<Producer> {
    const producer = this.#client.producer({
      allowAutoTopicCreation: false,
      idempotent: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      retry: RETRY,
    })
    await this.#connecting(() => producer.connect())
    return new Producer(producer)
  }

  /** A reader of any partitions of `topics`: without a group, it reads what it is asked to. */
  async reader(topics: readonly string[]): Promise<Reader> {
    const { cluster, sockets } = await this.#connectedCluster(topics)
    return new Reader(cluster, sockets)
  }

  async member(groupId: string, topics: readonly string[]): Promise<GroupMember> {
    const { cluster, sockets } = await this.#connectedCluster(topics)
    const group = new ConsumerGroup({
      cluster,
      groupId,
      topics: [...topics],
      topicConfigurations: Object.fromEntries(topics.map(topic => [topic, { fromBeginning: true }])),
      logger: createLogger({ level: kafkajs.logLevel.NOTHING, logCreator }),
      instrumentationEmitter: { emit: () => {} },
      assigners: [kafkajs.PartitionAssigners.roundRobin({ cluster: cluster as never } as never)],
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      autoCommit: false,
      isolationLevel: READ_UNCOMMITTED,
      retry: RETRY,
      metadataMaxAge: METADATA_MAX_AGE_MS,
    })
    await group.connect()
    return new GroupMember({ cluster, sockets, group, groupId })
  }

  async #connectedCluster(topics: readonly string[]): Promise<{ cluster: Cluster; sockets: Set<Socket> }> {
    const sockets = new Set<Socket>()
    const cluster = new Cluster({
      logger: createLogger({ level: kafkajs.logLevel.NOTHING, logCreator }),
      socketFactory: address => {
        const socket = openSocket(address)
        sockets.add(socket)
        return socket.once('close', () => sockets.delete(socket))
      },
      brokers: [...this.settings.brokers],
      clientId: this.settings.clientId,
      connectionTimeout: 5000,
      requestTimeout: 30_000,
      enforceRequestTimeout: true,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      retry: RETRY,
      allowAutoTopicCreation: false,
      maxInFlightRequests: null,
      isolationLevel: READ_UNCOMMITTED,
    })
    await this.#connecting(() => cluster.connect())
    await patiently(
      () => cluster.addMultipleTargetTopics([...topics]),
      () => Promise.resolve(),
    )
    return { cluster, sockets }
  }

  async #connecting(connect: () => Promise<void>): Promise<void> {
    const brokers = this.settings.brokers.join(',')
    try {
      await connect()
    } catch (cause) {
      const said = (cause as Error).message
      throw new RowmillError(
        'BROKER_UNREACHABLE',
        `no Kafka broker answers at ${brokers}: ${said}. Is the address right and the broker running? Does it expect TLS?`,
        { brokers },
        { cause },
      )
    }
  }
}

/** Sends runs of messages. One `send` is one request for one partition: a send over several can lose one of them. */
export class Producer {
  readonly #producer: KafkaJSProducer

  constructor(producer: KafkaJSProducer) {
    this.#producer = producer
  }

  /** Resolves with the offset of the first message when all in-sync replicas have all of them. */
  async send({ topic, partition }: TopicPartition, messages: readonly OutgoingMessage[]): Promise<number> {
    const [written] = await this.#producer.send({
      topic,
      acks: -1,
      messages: messages.map(({ key, value }) => ({ key, value, partition })),
    })
    if (!written) throw noPartition({ topic, partition })
    return Number(written.baseOffset)
  }

  close(): Promise<void> {
    return this.#producer.disconnect()
  }
}

export class Reader {
  readonly #cluster: Cluster
  readonly #sockets: Set<Socket>

  constructor(cluster: Cluster, sockets: Set<Socket>) {
    this.#cluster = cluster
    this.#sockets = sockets
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
   * One fetch from one broker. Waits up to `maxWaitMs` for a first message.
   * A partition whose messages below `end` were all compacted away brings none: the caller must move on.
   */
  async fetch(
    node: string,
    positions: readonly Position[],
    limits: { maxWaitMs: number; maxPartitionBytes: number; maxBytes: number },
  ): Promise<Fetched[]> {
    const broker = await this.#cluster.findBroker({ nodeId: node })
    const { responses } = await broker.fetch({
      maxWaitTime: limits.maxWaitMs,
      minBytes: 1,
      maxBytes: limits.maxBytes,
      isolationLevel: READ_UNCOMMITTED,
      topics: [...byTopic(positions)].map(([topic, partitions]) => ({
        topic,
        partitions: partitions.map(({ partition, offset }) => ({
          partition,
          fetchOffset: String(offset),
          maxBytes: limits.maxPartitionBytes,
        })),
      })),
    })
    const asked = new Map(positions.map(at => [`${at.topic}/${at.partition}`, at.offset]))
    return responses.flatMap(({ topicName: topic, partitions }) =>
      partitions.map(({ partition, messages, highWatermark }) => {
        const offset = asked.get(`${topic}/${partition}`)!
        return {
          topic,
          partition,
          offset,
          end: Number(highWatermark),
          messages: messages
            .filter(message => !message.isControlRecord && Number(message.offset) >= offset)
            .map(message => ({ offset: Number(message.offset), value: message.value })),
        }
      }),
    )
  }

  /** The first offset still there, or the offset behind the last message, of each partition. */
  offsets(wanted: readonly TopicPartition[], which: 'start' | 'end'): Promise<Position[]> {
    return clusterOffsets(this.#cluster, wanted, which)
  }

  /** How many partitions the topic has; 0 where there is no such topic. */
  partitions(topic: string): number {
    return this.#cluster.findTopicPartitionMetadata(topic).length
  }

  close(): Promise<void> {
    return hangUp(this.#cluster, this.#sockets)
  }
}

/** What a group member is told. Both are awaited before the member goes on. */
export interface MembershipHandlers {
  /** At every join, also where nothing changed: the partitions held from now on and their committed positions. */
  onAssigned(positions: readonly Position[]): Promise<void> | void
  /** Before every further join, while commits of the old assignment are still accepted. */
  onRebalance(): Promise<void> | void
  /** Membership was lost for a reason that is not a rebalance; it is being tried again. */
  onTrouble(error: Error): void
}

export class GroupMember {
  readonly #cluster: Cluster
  readonly #sockets: Set<Socket>
  readonly #group: ConsumerGroup
  readonly #groupId: string

  constructor(parts: { cluster: Cluster; sockets: Set<Socket>; group: ConsumerGroup; groupId: string }) {
    this.#cluster = parts.cluster
    this.#sockets = parts.sockets
    this.#group = parts.group
    this.#groupId = parts.groupId
  }

  /** Joins, holds the membership with heartbeats, joins again; leaves the group when `signal` aborts. */
  async run(handlers: MembershipHandlers, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#group.joinAndSync()
        await handlers.onAssigned(await this.#committed())
        while (!signal.aborted) {
          await sleep(HEARTBEAT_MS, undefined, { signal }).catch(() => {})
          if (!signal.aborted) await this.#group.heartbeat({ interval: 0 })
        }
      } catch (error) {
        const type = (error as { type?: string }).type
        if (type === 'UNKNOWN_MEMBER_ID') this.#group.memberId = null
        else if (type === 'REBALANCE_IN_PROGRESS') await handlers.onRebalance()
        else if (type !== 'ILLEGAL_GENERATION') {
          handlers.onTrouble(error as Error)
          await sleep(HEARTBEAT_MS, undefined, { signal }).catch(() => {})
        }
      }
    }
    await this.#group.leave().catch(() => {}) // the session time-out says the same a little later
  }

  /** Commits if the membership is still good; throws where it is not, and the next owner begins a little earlier. */
  async commit(positions: readonly Position[]): Promise<void> {
    const topics = [...byTopic(positions)].map(([topic, partitions]) => ({
      topic,
      partitions: partitions.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
    }))
    await this.#group.commitOffsets({ topics })
  }

  close(): Promise<void> {
    return hangUp(this.#cluster, this.#sockets)
  }

  async #committed(): Promise<Position[]> {
    const assigned = this.#group.assigned()
    const held = assigned.flatMap(({ topic, partitions }) => partitions.map(partition => ({ topic, partition })))
    if (held.length === 0) return []
    const coordinator = await this.#cluster.findGroupCoordinator({ groupId: this.#groupId })
    const { responses } = await coordinator.offsetFetch({
      groupId: this.#groupId,
      topics: assigned.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(partition => ({ partition })),
      })),
    })
    const committed = responses.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
    )
    const starts = await clusterOffsets(this.#cluster, held, 'start')
    return committed.map(at =>
      at.offset >= 0 ? at : starts.find(s => s.topic === at.topic && s.partition === at.partition)!,
    )
  }
}

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

/** What the broker said of a failed request, in words for a person, and whether trying again can help. */
export function describeKafkaError(error: unknown): { text: string; retriable: boolean; type: string } {
  const e = error as { message?: string; type?: string; retriable?: boolean; name?: string; cause?: { type?: string } }
  const type = e.type ?? e.cause?.type ?? e.name ?? 'Error'
  const final = /AUTHORIZATION|INVALID_TOPIC|MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE|SASL|UNSUPPORTED/.test(type)
  return { text: e.message ?? String(error), retriable: !final, type }
}

async function clusterOffsets(cluster: Cluster, wanted: readonly TopicPartition[], which: 'start' | 'end') {
  const topics = [...byTopic(wanted)].map(([topic, partitions]) => ({
    topic,
    partitions: partitions.map(({ partition }) => ({ partition })),
    fromBeginning: which === 'start',
  }))
  const ask = async () => {
    const positions = (await cluster.fetchTopicsOffset(topics)).flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
    )
    const missing = firstMissing(wanted, positions)
    if (missing) throw noPartition(missing)
    return positions
  }
  return patiently(ask, () => cluster.refreshMetadata())
}

/** KafkaJS passes over partitions that its metadata does not name, and answers as if nobody had asked for them. */
function firstMissing(wanted: readonly TopicPartition[], found: readonly TopicPartition[]): TopicPartition | undefined {
  const known = new Set(found.map(({ topic, partition }) => `${topic}/${partition}`))
  return wanted.find(({ topic, partition }) => !known.has(`${topic}/${partition}`))
}

function noPartition({ topic, partition }: TopicPartition): Error {
  const text = `topic ${topic} has no partition ${partition}. Was it made anew with fewer partitions?`
  return Object.assign(new Error(text), { type: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true })
}

/**
 * A request that is asked again while the broker says that another attempt may succeed: the leader of a new topic takes
 * a moment to know that it is one.
 */
async function patiently<T>(request: () => Promise<T>, beforeAgain: () => Promise<void>): Promise<T> {
  for (let pauseMs = 10; ; pauseMs *= 2) {
    try {
      return await request()
    } catch (error) {
      const { retriable, text, type } = describeKafkaError(error)
      if (!retriable || pauseMs > PATIENCE_MS) {
        throw new RowmillError('TOPIC_UNUSABLE', `the broker refuses a request: ${text}`, { type }, { cause: error })
      }
      await sleep(pauseMs)
      await beforeAgain().catch(() => {}) // the request itself says what is wrong
    }
  }
}

function byTopic<T extends TopicPartition>(items: readonly T[]): Map<string, T[]> {
  return Map.groupBy(items, ({ topic }) => topic)
}

/** Ends the connections at once, with an error: else KafkaJS waits for the answer of a fetch that waits for messages. */
async function hangUp(cluster: Cluster, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy(new Error('the connection was closed'))
  await cluster.disconnect()
}

function openSocket({ host, port, onConnect }: Parameters<import('kafkajs').ISocketFactory>[0]): Socket {
  const socket = net.connect({ host, port, noDelay: true }, onConnect)
  socket.setKeepAlive(true, 60_000)
  return socket
}

/** KafkaJS logs errors that it then retries: silent unless KAFKAJS_LOG_LEVEL asks. */
const logCreator: import('kafkajs').logCreator = () => {
  if (!process.env['KAFKAJS_LOG_LEVEL']) return () => {}
  return ({ label, namespace, log }) => process.stderr.write(`kafkajs ${label} ${namespace} ${log.message}\n`)
}

let idleTimersStopped = false

/**
 * KafkaJS sets a timer after every answer, also when no request waits: on an idle client one a millisecond, and with a
 * negative time, of which Node 24 warns. Without a waiting request there is nothing to look after.
 */
function stopIdleTimers(): void {
  if (idleTimersStopped) return
  idleTimersStopped = true
  const schedule = RequestQueue.prototype.scheduleCheckPendingRequests
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}
