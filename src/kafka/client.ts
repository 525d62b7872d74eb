import type { Socket } from 'node:net'
import type { ISocketFactory, Logger } from 'kafkajs'
import Cluster from 'kafkajs/src/cluster/index.js'
import { RowmillError } from '../errors.ts'
import type { Compression } from '../options.ts'
import { isLoopback } from '../support/loopback.ts'
import type { Say } from '../support/say.ts'
import type { KafkaAdmin } from './admin.ts'
import { describeAdvertised } from './advertised.ts'
import { clientLogger } from './client-log.ts'
import { ClusterProbe } from './cluster-probe.ts'
import type { ClusterSettings } from './cluster-settings.ts'
import { checkCompression } from './compression.ts'
import { hangUp, mendConnections, openSocket, saslWithoutTls } from './connection.ts'
import { Contact, withContact } from './contact.ts'
import { noBroker, patiently } from './errors.ts'
import { READ_UNCOMMITTED } from './fetch.ts'
import { READ_COMMITTED } from './fetch-request.ts'
import { GroupOffsets } from './group-offsets.ts'
import { keepLeaderless } from './leaderless.ts'
import { limitsOf, type Patience } from './limits.ts'
import type { GroupMember } from './member.ts'
import { askForNamedTopics } from './named-topics.ts'
import { OutageNotices } from './outage-notices.ts'
import { Producer } from './producer.ts'
import { Reader } from './reader.ts'
import { refusalOf } from './refusal.ts'
import { keepRefusalTexts } from './refusal-texts.ts'
import { type Right, Rights } from './rights.ts'
import { mendLogins, saslOptions } from './sasl.ts'
import { type ClusterSecurity, OPEN } from './security.ts'
import { checkTls } from './tls.ts'
import { TokenNotices } from './token-notices.ts'
import { checkTokenSource, isTokenUnavailable } from './tokens.ts'
import type { ValueFormat } from './value-format.ts'

const BROKER_TIMEOUT_MS = 300_000
const RETRIES = 5

/** A cluster and the sockets of its connections. */
type Connected = { cluster: Cluster; sockets: Set<Socket> }

export interface KafkaSettings extends ClusterSettings {
  /** Appears in the broker's logs and in group member ids. */
  readonly clientId: string
  /** How long readers and senders retry while the broker does not answer, in ms. Default: 5 minutes. */
  readonly brokerTimeoutMs?: number
  /** The codec for the batches we send. We read every codec. Default: none. */
  readonly compression?: Compression
  /** How values are encoded in Kafka. Default: unchanged. */
  readonly format?: ValueFormat | null
  /** Whether `say` gets what KafkaJS logs, at the level debug. Default: no. */
  readonly logsClient?: boolean
  /** The names of the headers that the messages of readers keep. Default: none, which costs nothing. */
  readonly headers?: readonly string[]
}

const AS_IT_IS: ValueFormat = { write: value => value, read: value => value }

/**
 * One cluster and how to connect to it. Every admin, producer, reader and member has its own connections. Throws USAGE
 * if this machine lacks the codec of `compression` or what AWS_MSK_IAM needs, if a file of certificates or keys cannot be
 * used, or if a login would leave this machine without TLS.
 */
export class Kafka {
  readonly settings: KafkaSettings
  readonly #stop: AbortSignal
  readonly #say: Say | undefined
  readonly #security: ClusterSecurity
  readonly #rights: Rights
  readonly #notices = new OutageNotices()
  readonly #limits: ReturnType<typeof limitsOf>
  readonly #tokens: TokenNotices | undefined
  readonly #logger: Logger
  readonly #sasl: ReturnType<typeof saslOptions> | undefined
  #keepsLeaderless = false

  /**
   * `stop` aborts when the command is told to end. What connects then fails at once. Clean-up may still ask the broker. `say`
   * logs that there is no token for a while. Default: only the connections log what they cannot do.
   */
  constructor(settings: KafkaSettings, stop: AbortSignal = new AbortController().signal, say?: Say) {
    mendConnections()
    askForNamedTopics()
    keepRefusalTexts()
    mendLogins()
    checkCompression(settings.compression ?? 'none')
    this.settings = settings
    this.#security = settings.security ?? OPEN
    this.#stop = stop
    this.#say = say
    this.#limits = limitsOf(settings.limits ?? {}, settings.brokers, settings.brokerTimeoutMs ?? BROKER_TIMEOUT_MS)
    checkSecurity(this.#security, settings.brokers)
    this.#rights = new Rights(settings.brokers, this.#security)
    this.#logger = clientLogger(settings.logsClient ? (say ?? null) : null)
    this.#tokens = say && new TokenNotices(say, { timeoutMs: this.patience.timeoutMs })
    const tokens = this.#tokens && { notices: this.#tokens }
    this.#sasl = this.#security.sasl
      ? saslOptions(this.#security.sasl, { stop, longestMs: this.#limits.requestTimeoutMs, ...tokens })
      : undefined
  }

  /**
   * The same cluster, for a user that can do without some partitions. Its readers leave out those that have no leader, and name
   * them. Other readers fail then, after they have waited for one.
   */
  get withoutLeaderless(): Kafka {
    const same = new Kafka(this.settings, this.#stop, this.#say)
    same.#keepsLeaderless = true
    return same
  }

  async admin(): Promise<KafkaAdmin> {
    const [{ default: createAdmin }, { KafkaAdmin }] = await Promise.all([
      import('kafkajs/src/admin/index.js'), // most processes do not need it
      import('./admin.ts'),
    ])
    const { cluster, sockets } = this.#newCluster()
    const admin = createAdmin({ cluster, logger: this.#logger, retry: this.#retry })
    await this.#connecting(() => admin.connect())
    const { requestTimeoutMs } = this.#limits
    return new KafkaAdmin(admin, cluster, {
      sockets,
      brokers: this.settings.brokers,
      rights: this.#rights,
      requestTimeoutMs,
    })
  }

  /**
   * One connection to the broker at `address`, to ask what it is and what it allows. It has no retries. `signal` hangs up.
   */
  async probe(address: string, signal: AbortSignal): Promise<ClusterProbe> {
    const say = this.settings.logsClient ? this.#say : undefined
    const one = new Kafka({ ...this.settings, brokers: [address] }, this.#stop, say)
    const { cluster, sockets } = one.#newCluster()
    signal.addEventListener('abort', () => void hangUp(cluster, sockets), { once: true })
    let probe: ClusterProbe | undefined
    await one.#connecting(async () => {
      probe = await ClusterProbe.connect(cluster, sockets)
    })
    return probe!
  }

  async producer(): Promise<Producer> {
    const { maxRequestBytes = null, retries, retryBackoffMs, retryBackoffMaxMs } = this.#limits
    const { cluster, sockets } = this.#newCluster()
    await this.#connecting(() => cluster.connect())
    const { format, compression = 'none' } = this.settings
    return new Producer(cluster, {
      sockets,
      format: format ?? AS_IT_IS,
      compression,
      rights: this.#rights,
      patience: { ...this.patience, ...(retries === undefined ? {} : { retries }) },
      retries: {
        most: retries === undefined ? RETRIES : 0, // then the sender counts each retry
        firstMs: retryBackoffMs,
        longestMs: retryBackoffMaxMs,
      },
      maxRequestBytes,
    })
  }

  /**
   * A reader of any partitions of `topics`. It joins no group. The end of a partition is the end of its log, so reading up
   * to it waits for open transactions. With `stableEnds` the end is where the first open transaction begins. A caller that
   * asks for offsets alone needs the right to Describe; reading needs Read. Throws NOT_AUTHORIZED.
   */
  async reader(
    topics: readonly string[],
    { stableEnds = false, operation = 'Read' }: { stableEnds?: boolean; operation?: Right['operation'] } = {},
  ): Promise<Reader> {
    const { cluster, sockets } = await this.#connectedCluster(topics, { stableEnds, operation })
    const { rack = '', metadataMaxAgeMs, fetchMaxBytes, maxPartitionFetchBytes } = this.#limits
    const { format, headers = [] } = this.settings
    const { patience } = this
    const most = { maxBytes: fetchMaxBytes, maxPartitionBytes: maxPartitionFetchBytes }
    const how = { format: format ?? AS_IT_IS, rights: this.#rights, operation, patience }
    return new Reader(cluster, sockets, { ...how, metadataMaxAgeMs, rack, headers, most })
  }

  async member(groupId: string, topics: readonly string[]): Promise<GroupMember> {
    const [{ default: ConsumerGroup }, { default: assigners }, { GroupMember, roundRobin }] = await Promise.all([
      import('kafkajs/src/consumer/consumerGroup.js'), // the workers of a run are in no group
      import('kafkajs/src/consumer/assigners/index.js'),
      import('./member.ts'),
    ])
    const { cluster, sockets } = await this.#connectedCluster(topics)
    const group = new ConsumerGroup({
      cluster,
      groupId,
      topics: [...topics],
      topicConfigurations: Object.fromEntries(topics.map(topic => [topic, { fromBeginning: true }])),
      logger: this.#logger,
      instrumentationEmitter: { emit: () => {} },
      assigners: [roundRobin(assigners.roundRobin, cluster)],
      sessionTimeout: this.#limits.sessionTimeoutMs,
      rebalanceTimeout: this.#limits.rebalanceTimeoutMs,
      autoCommit: false,
      isolationLevel: READ_COMMITTED,
      retry: this.#retry,
      metadataMaxAge: this.#limits.metadataMaxAgeMs,
    })
    await group.connect()
    return new GroupMember({ cluster, sockets, group, groupId, topics, rights: this.#rights })
  }

  /** What a group committed for partitions of these topics. The caller need not be a member of it. */
  async groupOffsets(groupId: string, topics: readonly string[]): Promise<GroupOffsets> {
    return new GroupOffsets({ ...(await this.#connectedCluster(topics)), groupId, rights: this.#rights })
  }

  /** How readers and senders retry while the broker does not answer. */
  get patience(): Patience {
    const { reconnectBackoffMs: firstMs, reconnectBackoffMaxMs: longestMs } = this.#limits
    const timeoutMs = this.settings.brokerTimeoutMs ?? BROKER_TIMEOUT_MS
    return { timeoutMs, pauses: { firstMs, longestMs }, notices: this.#notices, tokens: this.#tokens }
  }

  get #retry() {
    const { retryBackoffMs, retryBackoffMaxMs } = this.#limits
    return { initialRetryTime: retryBackoffMs, maxRetryTime: retryBackoffMaxMs, retries: RETRIES }
  }

  async #connectedCluster(
    topics: readonly string[],
    { stableEnds = false, operation = 'Read' }: { stableEnds?: boolean; operation?: Right['operation'] } = {},
  ): Promise<Connected> {
    const { cluster, sockets } = this.#newCluster(stableEnds)
    try {
      await this.#connecting(() => cluster.connect())
      // One by one, since the broker does not say which topic it refuses.
      for (const name of topics) {
        await patiently(
          () =>
            this.#rights.needing({ operation, resource: 'topic', name }, () => cluster.addMultipleTargetTopics([name])),
          () => Promise.resolve(),
        )
      }
      return { cluster, sockets }
    } catch (error) {
      await hangUp(cluster, sockets) // or the process would never end
      throw error
    }
  }

  #newCluster(stableEnds = false): Connected {
    const contact = new Contact({ timeoutMs: this.patience.timeoutMs, stop: this.#stop })
    const open: ISocketFactory = address => {
      const socket = openSocket(address, this.#security)
      socket.setTimeout(this.#limits.connectionsMaxIdleMs)
      return contact.add(socket)
    }
    const describe = (address: { host: string; port: number }, said: string) =>
      describeAdvertised(cluster, this.settings.brokers, { host: address.host, port: address.port, said })
    const cluster: Cluster = new Cluster({
      logger: this.#logger,
      socketFactory: withContact(contact, Object.assign(open, { describe })),
      brokers: [...this.settings.brokers],
      sasl: this.#sasl,
      clientId: [this.#limits.clientId, this.settings.clientId].filter(Boolean).join('-'),
      connectionTimeout: this.#limits.connectionTimeoutMs,
      requestTimeout: this.#limits.requestTimeoutMs,
      enforceRequestTimeout: true,
      metadataMaxAge: this.#limits.metadataMaxAgeMs,
      retry: this.#retry,
      allowAutoTopicCreation: false,
      maxInFlightRequests: null,
      isolationLevel: stableEnds ? READ_COMMITTED : READ_UNCOMMITTED, // of the request for offsets
    })
    if (this.#keepsLeaderless) keepLeaderless(cluster)
    return { cluster, sockets: contact.sockets }
  }

  async #connecting(connect: () => Promise<void>): Promise<void> {
    const brokers = this.settings.brokers.join(',')
    try {
      await connect()
    } catch (cause) {
      const refusal = refusalOf(cause)
      if (refusal) throw new RowmillError(refusal.code, `${brokers}: ${refusal.text}`, { brokers }, { cause })
      if (isTokenUnavailable(cause)) {
        const message = `${brokers}: ${(cause as Error).message}`
        throw new RowmillError('AUTHENTICATION_FAILED', message, { type: 'TOKEN_UNAVAILABLE' })
      }
      throw noBroker(brokers, cause, { tls: this.#security.tls !== null })
    }
  }
}

function checkSecurity({ tls, sasl, allowSaslWithoutTls }: ClusterSecurity, brokers: readonly string[]): void {
  if (tls) checkTls(tls)
  if (sasl && 'token' in sasl) checkTokenSource(sasl.token)
  if (!sasl || tls || allowSaslWithoutTls) return
  const open = brokers.map(broker => broker.replace(/:\d+$/, '')).find(host => !isLoopback(host))
  if (open !== undefined) throw saslWithoutTls(open)
}
