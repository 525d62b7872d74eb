import type { ValueFormat } from './value-format.ts'
import './checksum.ts'
import type { Socket } from 'node:net'
import kafkajs, { type PartitionAssigner } from 'kafkajs'
import createAdmin from 'kafkajs/src/admin/index.js'
import Cluster from 'kafkajs/src/cluster/index.js'
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js'
import { createLogger } from 'kafkajs/src/loggers/index.js'
import createProducer from 'kafkajs/src/producer/index.js'
import { RowmillError } from '../errors.ts'
import type { Compression } from '../options.ts'
import { KafkaAdmin } from './admin.ts'
import { checkCompression, registerCodecs } from './compression.ts'
import { hangUp, logCreator, openSocket, stopIdleTimers } from './connection.ts'
import { patiently } from './errors.ts'
import { READ_COMMITTED, READ_UNCOMMITTED } from './fetch.ts'
import { GroupMember } from './member.ts'
import { Producer } from './producer.ts'
import { Reader } from './reader.ts'

const BROKER_TIMEOUT_MS = 300_000
const SESSION_TIMEOUT_MS = 6000
const REBALANCE_TIMEOUT_MS = 10_000
const METADATA_MAX_AGE_MS = 60_000
const RETRY = { initialRetryTime: 100, maxRetryTime: 2000, retries: 5 }

export interface KafkaSettings {
  /** `host:port` of one or more brokers. */
  readonly brokers: readonly string[]
  /** Appears in the broker's logs and in group member ids. */
  readonly clientId: string
  /** How long readers and senders retry while the broker does not answer, in ms. Default: 5 minutes. */
  readonly brokerTimeoutMs?: number
  /** The codec for the batches we send. We read every codec. Default: none. */
  readonly compression?: Compression
  /** How values are encoded in Kafka. Default: unchanged. */
  readonly format?: ValueFormat | null
}

const AS_IT_IS: ValueFormat = { write: value => value, read: value => value }

/**
 * One cluster and how to connect to it. Every admin, producer, reader and member has its own connections. Throws USAGE
 * if this machine lacks the codec of `compression`.
 */
export class Kafka {
  readonly settings: KafkaSettings

  constructor(settings: KafkaSettings) {
    stopIdleTimers()
    registerCodecs()
    checkCompression(settings.compression ?? 'none')
    this.settings = settings
  }

  async admin(): Promise<KafkaAdmin> {
    const { cluster } = this.#newCluster()
    const logger = createLogger({ level: kafkajs.logLevel.NOTHING, logCreator })
    const admin = createAdmin({ cluster, logger, retry: RETRY })
    await this.#connecting(() => admin.connect())
    return new KafkaAdmin(admin, this.settings.brokers)
  }

  async producer(): Promise<Producer> {
    const { cluster } = this.#newCluster()
    const producer = createProducer({
      cluster,
      logger: createLogger({ level: kafkajs.logLevel.NOTHING, logCreator }),
      idempotent: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: RETRY,
    })
    await this.#connecting(() => producer.connect())
    const { format, compression = 'none' } = this.settings
    const parts = { format: format ?? AS_IT_IS, compression, patienceMs: this.patienceMs }
    return new Producer(producer, cluster, parts)
  }

  /**
   * A reader of any partitions of `topics`. It joins no group. The end of a partition is the end of its log, so reading up
   * to it waits for open transactions. With `stableEnds` the end is where the first open transaction begins.
   */
  async reader(topics: readonly string[], { stableEnds = false } = {}): Promise<Reader> {
    const { cluster, sockets } = await this.#connectedCluster(topics, stableEnds)
    return new Reader(cluster, sockets, this.settings.format ?? AS_IT_IS, this.patienceMs)
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
      assigners: [roundRobin(cluster)],
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      autoCommit: false,
      isolationLevel: READ_COMMITTED,
      retry: RETRY,
      metadataMaxAge: METADATA_MAX_AGE_MS,
    })
    await group.connect()
    return new GroupMember({ cluster, sockets, group, groupId, topics })
  }

  /** How long readers and senders retry while the broker does not answer, in ms. */
  get patienceMs(): number {
    return this.settings.brokerTimeoutMs ?? BROKER_TIMEOUT_MS
  }

  async #connectedCluster(
    topics: readonly string[],
    stableEnds = false,
  ): Promise<{ cluster: Cluster; sockets: Set<Socket> }> {
    const { cluster, sockets } = this.#newCluster(stableEnds)
    try {
      await this.#connecting(() => cluster.connect())
      await patiently(
        () => cluster.addMultipleTargetTopics([...topics]),
        () => Promise.resolve(),
      )
      return { cluster, sockets }
    } catch (error) {
      await hangUp(cluster, sockets) // or the process would never end
      throw error
    }
  }

  #newCluster(stableEnds = false): { cluster: Cluster; sockets: Set<Socket> } {
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
      isolationLevel: stableEnds ? READ_COMMITTED : READ_UNCOMMITTED, // of the request for offsets
    })
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

/**
 * The members of a group must share a protocol by name, or the broker refuses them. With the name that KafkaJS gives it, any
 * other program of KafkaJS could join the group of the workers, take partitions, and commit rows that nobody classified.
 */
function roundRobin(cluster: Cluster): ReturnType<PartitionAssigner> {
  return { ...kafkajs.PartitionAssigners.roundRobin({ cluster: cluster as never } as never), name: 'rowmill' }
}
