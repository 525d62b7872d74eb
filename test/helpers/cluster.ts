/** Three brokers on this machine, each with a proxy, each can be killed and restarted; the first is the controller. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import kafkajs, { type Admin } from 'kafkajs'
import { brokerFiles, type Properties } from '../../src/broker/jvm/broker-files.ts'
import { prepareKafka } from '../../src/broker/jvm/kafka-jars.ts'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { newClusterId } from '../../src/broker/readiness.ts'
import type { LocalBroker } from '../../src/broker/running-broker.ts'
import { mendConnections } from '../../src/kafka/connection.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import type { Authority } from './certificates.ts'
import { freePort } from './free-port.ts'
import { BrokerProxy } from './proxy.ts'
import { python } from './python.ts'
import { securedListener } from './secured-broker.ts'
import { until } from './until.ts'

export type NodeId = 1 | 2 | 3

const NODES: readonly NodeId[] = [1, 2, 3]
const HOST = '127.0.0.1'

interface Node {
  readonly proxy: BrokerProxy
  /** Where clients connect over TLS and log in. Null: the cluster has no authority. */
  readonly secured: string | null
  readonly log: string
  readonly start: () => Promise<LocalBroker>
  broker: LocalBroker | null
}

/** The rack of a broker (`broker.rack`). A client that names it reads from this broker. */
export const rackOf = (id: NodeId) => `rack-${id}`

type Closing = (close: () => Promise<void>) => void

interface ClusterOptions {
  /** More properties of every broker. */
  readonly properties?: Properties
  /** What starts each broker. Default: startLocalBroker. */
  readonly start?: typeof startLocalBroker
  /** Certifies each broker at `localhost`, where it then has a listener with TLS and logins too. Default: none has. */
  readonly authority?: Authority
}

export class Cluster {
  readonly #nodes: ReadonlyMap<NodeId, Node>
  readonly #admin: Admin

  private constructor(nodes: ReadonlyMap<NodeId, Node>, admin: Admin) {
    this.#nodes = nodes
    this.#admin = admin
  }

  /** `closing` collects cleanups, which run in reverse order. */
  static async open(closing: Closing, options: ClusterOptions = {}): Promise<Cluster> {
    const nodes = await makeNodes(closing, options)
    await Promise.all([...nodes.values()].map(startNode))
    mendConnections()
    const brokers = [...nodes.values()].map(({ proxy }) => proxy.address)
    const admin = new kafkajs.Kafka({ clientId: 'test', brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
    closing(() => admin.disconnect())
    const seen = async () => (await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId)
    await until('three brokers', async () => (await seen()).length === NODES.length).catch(async ({ message }) => {
      throw new Error(`${message}, but ${await seen()}\n${[...nodes.values()].map(lastWords).join('\n')}`)
    })
    return new Cluster(nodes, admin)
  }

  /** Of all three, as --brokers takes them. */
  get addresses(): string {
    return [...this.#nodes.values()].map(({ proxy }) => proxy.address).join(',')
  }

  /** Of all three, over TLS and with a login. No proxy is in between. */
  get securedAddresses(): string {
    return [...this.#nodes.values()].map(({ secured }) => secured).join(',')
  }

  proxy(id: NodeId): BrokerProxy {
    return this.#nodes.get(id)!.proxy
  }

  /** With SIGKILL. */
  async kill(id: NodeId): Promise<void> {
    const node = this.#nodes.get(id)!
    await node.broker?.kill()
    node.broker = null
  }

  /** Restarts the killed ones, all at once. */
  async heal(): Promise<void> {
    const dead = [...this.#nodes.values()].filter(({ broker }) => broker === null)
    await Promise.all(dead.map(startNode))
  }

  /**
   * Makes the topics of a pipeline; returns the leaders of its bulk partitions: all three, unless one was slow to
   * answer.
   */
  async prepare(pipeline: string): Promise<NodeId[]> {
    const admin = await new Kafka({ brokers: this.addresses.split(','), clientId: 'test' }).admin()
    try {
      await ensureTopics(admin, pipeline, null)
    } finally {
      await admin.close()
    }
    const led = async () => [...(await this.#partitions(topicsOf(pipeline).bulk)).values()].map(({ leader }) => leader)
    await until('all partitions are led', async () => !(await led()).includes(-1))
    const leaders = new Set(await led())
    return NODES.filter(id => leaders.has(id))
  }

  /** A topic of one partition, on these brokers. */
  async createTopic(topic: string, replicas: NodeId[], config: Readonly<Record<string, string>> = {}): Promise<void> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    const topics = [{ topic, replicaAssignment: [{ partition: 0, replicas }], configEntries }]
    await this.#admin.createTopics({ topics, waitForLeaders: false })
    await this.untilInSync([topic], replicas.length)
  }

  /** Waits until nobody leads a topic any more, as the first broker says. */
  async untilUnled(topic: string): Promise<void> {
    const { address } = this.proxy(1)
    const probe = await new Kafka({ brokers: [address], clientId: 'test' }).probe(address, new AbortController().signal)
    try {
      const leaderless = async () => (await probe.describe([topic])).topics.get(topic)?.leaderless
      await until(`${topic} has no leader`, async () => (await leaderless()) === 1)
    } finally {
      await probe.close()
    }
  }

  /** Waits until every partition of these topics has exactly this many in-sync brokers. */
  async untilInSync(topics: readonly string[], brokers: number): Promise<void> {
    const isSo = async (topic: string) =>
      [...(await this.#partitions(topic)).values()].every(({ inSync }) => inSync.length === brokers)
    for (const topic of topics) {
      // The broker that answers may be one that was just killed.
      await until(`${topic} on ${brokers} brokers`, () => isSo(topic).catch(() => false))
    }
  }

  /** For each partition, its leader and the brokers that have all of it. Waits for a broker that has not heard of the topic yet. */
  async #partitions(topic: string): Promise<Map<number, { leader: number; inSync: readonly number[] }>> {
    const found = new Map<number, { leader: number; inSync: readonly number[] }>()
    await until(`a broker knows ${topic}`, async () => {
      const answer = await this.#admin.fetchTopicMetadata({ topics: [topic] }).catch(error => {
        if (error.type === 'UNKNOWN_TOPIC_OR_PARTITION') return null
        throw error
      })
      const [told] = answer?.topics ?? []
      for (const { partitionId, leader, isr } of told?.partitions ?? []) found.set(partitionId, { leader, inSync: isr })
      return answer !== null
    })
    return found
  }

  /** Moves every partition of the topic that this broker leads to other leaders, and waits until they lead. */
  async moveLeaders(topic: string, from: NodeId): Promise<void> {
    const replicas = NODES.filter(id => id !== from)
    const led = [...(await this.#partitions(topic))].filter(([, { leader }]) => leader === from)
    const partitionAssignment = led.map(([partition]) => ({ partition, replicas }))
    await this.#admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] })
    const moved = async () => [...(await this.#partitions(topic)).values()].every(({ leader }) => leader !== from)
    await until(`${from} leads no partition of ${topic}`, moved)
  }

  /** Makes this broker the leader of every partition of the topic. All three brokers keep all of it. */
  async lead(topic: string, leader: NodeId): Promise<void> {
    const replicas = [leader, ...NODES.filter(id => id !== leader)]
    const partitions = [...(await this.#partitions(topic)).keys()]
    const partitionAssignment = partitions.map(partition => ({ partition, replicas }))
    await this.#admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] })
    await this.untilInSync([topic], NODES.length)
    await electPreferred(this.addresses, topic, partitions)
    const isLed = async () => [...(await this.#partitions(topic)).values()].every(found => found.leader === leader)
    await until(`${leader} leads ${topic}`, isLed)
  }
}

/** Makes the first replica of these partitions its leader, as an administrator does. */
async function electPreferred(brokers: string, topic: string, partitions: readonly number[]): Promise<void> {
  await promisify(execFile)(python, ['-c', ELECT, JSON.stringify([brokers, topic, partitions])])
}

const ELECT = `
import json, sys
from confluent_kafka import ElectionType, TopicPartition
from confluent_kafka.admin import AdminClient
brokers, topic, partitions = json.loads(sys.argv[1])
admin = AdminClient({'bootstrap.servers': brokers})
admin.elect_leaders(ElectionType.PREFERRED, [TopicPartition(topic, partition) for partition in partitions]).result()
`

/** Why a broker does not start, as far as it says. */
function lastWords({ proxy, log }: Node): string {
  const lines = readFileSync(log, 'utf8').split('\n')
  return `${proxy.address}:\n${lines.slice(-12).join('\n')}`
}

async function startNode(node: Node): Promise<void> {
  node.broker = await node.start()
}

async function makeNodes(
  closing: Closing,
  { properties = {}, start = startLocalBroker, authority }: ClusterOptions,
): Promise<Map<NodeId, Node>> {
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-cluster-'))
  closing(() => rm(folder, { recursive: true }))
  const { home } = await prepareKafka(() => {}, new AbortController().signal)
  const [clusterId, voter] = [newClusterId(), await freePort()]
  const nodes = new Map<NodeId, Node>()
  for (const id of NODES) {
    const port = await freePort()
    const proxy = await BrokerProxy.open({ after: closing }, { port: await freePort(), to: port })
    const listeners: Listener[] = [{ name: 'PLAINTEXT', port, advertised: proxy.address }]
    for (const [name, host] of Object.entries({ BETWEEN: HOST, ...(authority && { SECURED: 'localhost' }) })) {
      const port = await freePort()
      listeners.push({ name, port, advertised: `${host}:${port}` })
    }
    const dataDir = join(folder, `broker-${id}`)
    const files = brokerFiles(dataDir)
    cpSync(home.template, files.data, { recursive: true })
    const identity = { 'cluster.id': clusterId, 'node.id': id, 'directory.id': randomBytes(16).toString('base64url') }
    writeFileSync(files.meta, withProperties(readFileSync(files.meta, 'utf8'), identity))
    const secured = authority && securedListener('SECURED', authority)
    const all = { ...nodeProperties(id, listeners, voter), ...secured, ...properties }
    const node: Node = {
      proxy,
      secured: listeners.find(({ name }) => name === 'SECURED')?.advertised ?? null,
      log: files.log,
      start: () => start({ dataDir, port, properties: all }),
      broker: null,
    }
    nodes.set(id, node)
    closing(async () => node.broker?.kill())
  }
  return nodes
}

interface Listener {
  readonly name: string
  readonly port: number
  /** Where clients find it. */
  readonly advertised: string
}

/** `voter` is the port of the controller. */
function nodeProperties(id: NodeId, listeners: readonly Listener[], voter: number): Properties {
  const here = listeners.map(({ name, port }) => `${name}://${HOST}:${port}`)
  const controls = id === NODES[0]
  return {
    'node.id': id,
    'process.roles': controls ? 'broker,controller' : 'broker',
    listeners: [...here, ...(controls ? [`CONTROLLER://${HOST}:${voter}`] : [])].join(),
    'advertised.listeners': listeners.map(({ name, advertised }) => `${name}://${advertised}`).join(),
    'inter.broker.listener.name': 'BETWEEN',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,BETWEEN:PLAINTEXT,SECURED:SASL_SSL,CONTROLLER:PLAINTEXT',
    'controller.quorum.voters': `${NODES[0]}@${HOST}:${voter}`,
    'broker.rack': rackOf(id),
    'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
    'offsets.topic.num.partitions': 3,
    'offsets.topic.replication.factor': 3,
  }
}

function withProperties(text: string, properties: Readonly<Record<string, string | number>>): string {
  return Object.entries(properties).reduce(
    (changed, [name, value]) =>
      changed.replace(new RegExp(`^${name.replace('.', '\\.')}=.*$`, 'm'), `${name}=${value}`),
    text,
  )
}
