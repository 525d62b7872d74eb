/**
 * Requests that only describe, in versions that KafkaJS does not have: they also tell what this user may do, and what time
 * it is on the controller. Source: Kafka's protocol guide (Metadata 8, DescribeGroups 3, DescribeQuorum 1).
 */
import type { Broker } from 'kafkajs/src/cluster/index.js'
import Decoder from 'kafkajs/src/protocol/decoder.js'
import Encoder from 'kafkajs/src/protocol/encoder.js'
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js'
import { unsupportedVersion } from './api-version.ts'
import type { TopicPartition } from './topic-partition.ts'

const REQUEST_TIMEOUT_MS = 5000

/** The numbers of the operations in Kafka's AclOperation. */
const OPERATIONS = {
  Read: 3,
  Write: 4,
  Create: 5,
  Delete: 6,
  Alter: 7,
  Describe: 8,
  DescribeConfigs: 10,
  AlterConfigs: 11,
} as const
export type Operation = keyof typeof OPERATIONS
/** What this user may do with a resource. Null: the broker does not tell. */
export type AllowedOperations = ReadonlySet<Operation> | null

export interface DescribedCluster {
  readonly brokers: readonly { readonly nodeId: number; readonly address: string }[]
  /** What this user may do with the cluster. */
  readonly allowed: AllowedOperations
  readonly topics: ReadonlyMap<string, DescribedTopic>
}

export interface DescribedTopic {
  /** The type of the error, such as UNKNOWN_TOPIC_OR_PARTITION or TOPIC_AUTHORIZATION_FAILED. Null: it exists. */
  readonly error: string | null
  readonly partitions: number
  readonly leaderless: number
  /** The ids of the brokers that keep a partition of the topic and are down. */
  readonly offline: readonly number[]
  readonly allowed: AllowedOperations
}

const METADATA = { apiKey: 3, apiVersion: 8, apiName: 'Metadata' }

/** Says what it knows of each of these topics, whatever is wrong with another one. */
export function describeCluster(
  broker: Broker,
  topics: readonly string[],
  { timeoutMs = REQUEST_TIMEOUT_MS }: { timeoutMs?: number } = {},
): Promise<DescribedCluster> {
  const request = new Encoder().writeInt32(topics.length)
  for (const topic of topics) request.writeString(topic)
  request.writeBoolean(false).writeBoolean(true).writeBoolean(true) // create no topics; rights on cluster and topics
  return send(broker, { ...METADATA, timeoutMs }, request, decoder => {
    decoder.readInt32() // throttled for
    const brokers = array(decoder, () => {
      const nodeId = decoder.readInt32()
      const address = `${inBrackets(decoder.readString()!)}:${decoder.readInt32()}`
      decoder.readString() // the rack
      return { nodeId, address }
    })
    decoder.readString() // the id of the cluster
    decoder.readInt32() // the controller
    const found = new Map(array(decoder, () => describedTopic(decoder)))
    const inOrder = topics.filter(topic => found.has(topic)).map(topic => [topic, found.get(topic)!] as const)
    return { brokers, topics: new Map(inOrder), allowed: allowedBy(decoder.readInt32()) }
  })
}

function describedTopic(decoder: Decoder): [string, DescribedTopic] {
  const error = errorOf(decoder.readInt16())
  const topic = decoder.readString()!
  decoder.readBytes(1) // whether it is internal
  const partitions = array(decoder, () => {
    decoder.readInt16() // an error, which a missing leader shows too
    decoder.readInt32() // the number of the partition
    const leader = decoder.readInt32()
    decoder.readInt32() // the epoch of the leader
    for (let lists = 2; lists > 0; lists--) array(decoder, () => decoder.readInt32()) // replicas, and those in sync
    return { leader, offline: array(decoder, () => decoder.readInt32()) }
  })
  const allowed = allowedBy(decoder.readInt32())
  const leaderless = partitions.filter(({ leader }) => leader < 0).length
  const offline = [...new Set(partitions.flatMap(({ offline }) => offline))].sort((a, b) => a - b)
  return [topic, { error, partitions: partitions.length, leaderless, offline, allowed }]
}

const DESCRIBE_GROUPS = { apiKey: 15, apiVersion: 3, apiName: 'DescribeGroups' }

/**
 * What this user may do with a group. Throws the broker's error: NOT_COORDINATOR if another broker coordinates it. We look
 * for the coordinator this way: FindCoordinator would create `__consumer_offsets` where no group was used yet.
 */
export async function describeGroupOperations(broker: Broker, group: string): Promise<AllowedOperations> {
  return (await describeGroup(broker, group)).allowed
}

export interface DescribedGroup {
  /** As the broker names it: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty` or `Dead`. */
  readonly state: string
  readonly members: readonly DescribedMember[]
  /** What this user may do with the group. */
  readonly allowed: AllowedOperations
}

export interface DescribedMember {
  readonly memberId: string
  readonly clientId: string
  /** The address that it connects from. */
  readonly host: string
  readonly partitions: readonly TopicPartition[]
}

/** Throws the broker's error, as `describeGroupOperations` does. A group that nobody used is `Dead`. */
export function describeGroup(broker: Broker, group: string): Promise<DescribedGroup> {
  const request = new Encoder().writeInt32(1).writeString(group).writeBoolean(true)
  return send(broker, DESCRIBE_GROUPS, request, decoder => {
    decoder.readInt32() // throttled for
    decoder.readInt32() // one group
    throwError(decoder.readInt16())
    decoder.readString() // its id
    const state = decoder.readString()!
    for (let texts = 2; texts > 0; texts--) decoder.readString() // type and protocol
    const members = array(decoder, () => {
      const [memberId, clientId, host] = [decoder.readString()!, decoder.readString()!, decoder.readString()!]
      decoder.readBytes(Math.max(0, decoder.readInt32())) // what it asked for
      const assignment = decoder.readBytes(Math.max(0, decoder.readInt32()))
      return { memberId, clientId, host: host.replace(/^\//, ''), partitions: assignedBy(assignment) }
    })
    return { state, members, allowed: allowedBy(decoder.readInt32()) }
  })
}

/** None during a rebalance, or if the assignment is in another form than that of Kafka's consumers. */
function assignedBy(assignment: Buffer): TopicPartition[] {
  try {
    const decoder = new Decoder(assignment)
    decoder.readInt16() // version
    return array(decoder, () => {
      const topic = decoder.readString()!
      return array(decoder, () => ({ topic, partition: decoder.readInt32() }))
    }).flat()
  } catch {
    return []
  }
}

const DESCRIBE_QUORUM = { apiKey: 55, apiVersion: 1, apiName: 'DescribeQuorum' }

/**
 * The clock of the active controller, in ms since 1970. The controller tells when each voter last fetched the metadata. It
 * gives the present time for itself. Nothing is written. Needs the right to describe the cluster, and Kafka 3.3 with KRaft.
 */
export function controllerClock(broker: Broker): Promise<number> {
  const topic = Buffer.from('__cluster_metadata')
  const none = Buffer.of(0) // tagged fields
  const partition = Buffer.from([0, 0, 0, 0, 0])
  // A compact array or string begins with its length plus one.
  const body = [none, Buffer.of(2), Buffer.of(topic.length + 1), topic, Buffer.of(2), partition, none, none]
  const request = new Encoder()
  request.writeBufferInternal(Buffer.concat(body))
  return send(broker, DESCRIBE_QUORUM, request, decoder => {
    decoder.readBytes(1) // tagged fields
    throwError(decoder.readInt16())
    decoder.readBytes(2 + topic.length + 1 + 4) // one topic with its name, and one partition with its number
    throwError(decoder.readInt16())
    const leader = decoder.readInt32()
    decoder.readBytes(4 + 8) // its epoch, and the end of the log
    for (let voters = decoder.readBytes(1)[0]! - 1; voters > 0; voters--) {
      const voter = decoder.readInt32()
      decoder.readInt64() // the end of its log
      const fetchedAt = Number(decoder.readInt64())
      if (voter === leader) return fetchedAt
      decoder.readBytes(8 + 1) // when it last had everything, and tagged fields
    }
    throw new Error('the answer does not name the controller')
  })
}

/** Sends a request whose bytes are made here. Throws the broker's error, or that the broker does not know this version. */
async function send<A>(
  broker: Broker,
  {
    timeoutMs = REQUEST_TIMEOUT_MS,
    ...api
  }: { readonly apiKey: number; readonly apiVersion: number; readonly apiName: string; readonly timeoutMs?: number },
  body: Encoder,
  decode: (decoder: Decoder) => A,
): Promise<A> {
  const range = broker.versions[api.apiKey]
  if (!range || api.apiVersion < range.minVersion || api.apiVersion > range.maxVersion) throw unsupportedVersion()
  return broker.connectionPool.send({
    request: { ...api, encode: async () => body },
    requestTimeout: timeoutMs,
    response: { decode: async bytes => decode(new Decoder(bytes)), parse: async answer => answer },
  })
}

function array<T>(decoder: Decoder, read: () => T): T[] {
  return Array.from({ length: Math.max(0, decoder.readInt32()) }, read)
}

function throwError(code: number): void {
  if (code !== 0) throw createErrorFromCode(code)
}

function errorOf(code: number): string | null {
  return code === 0 ? null : createErrorFromCode(code).type
}

/** One bit for each operation. The highest bit alone: the broker does not tell. */
function allowedBy(bits: number): AllowedOperations {
  if (bits === -(2 ** 31)) return null
  const names = Object.keys(OPERATIONS) as Operation[]
  return new Set(names.filter(name => bits & (1 << OPERATIONS[name])))
}

function inBrackets(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
