/**
 * Kafka in memory, with the API of src/kafka/: the code under test gets the types of that room. It answers at once, so
 * a test takes milliseconds. On request it does what a real cluster does rarely: see the hooks of `FakeCluster`, and
 * `PartitionLog` for transactions, compaction, retention and broken batches. test/kafka/conformance.ts compares it with
 * a real broker.
 */
import type {
  GroupMember,
  GroupOffsets,
  Kafka,
  KafkaAdmin,
  KafkaSettings,
  OutgoingMessage,
  PartitionOffset,
  Producer,
  Reader,
  TopicPartition,
  TopicSettings,
} from '../../src/kafka/index.ts'
import { FakeAdmin } from './admin.ts'
import { Group } from './group.ts'
import { FakeGroupOffsets } from './group-offsets.ts'
import { FakeMember } from './member.ts'
import type { PartitionLog } from './partition-log.ts'
import { FakeProducer } from './producer.ts'
import { FakeReader } from './reader.ts'

/** The public part of a class. */
export type Public<T> = Pick<T, keyof T>

/** The only cast from a fake to the real class: the fake lacks only private members. */
export function asReal<T>(fake: Public<T>): T {
  return fake as T
}

const PATIENCE_MS = 300_000

export class FakeCluster {
  readonly topics = new Map<string, { logs: PartitionLog[]; config: Readonly<Record<string, string>> }>()
  readonly groups = new Map<string, Group>()
  /** Asked before a topic is created. Returns the type of the broker's refusal, or null. */
  onCreate: (settings: TopicSettings) => string | null = () => null
  /** Called before each append. It may wait, throw to refuse it, or have it written without an acknowledgement. */
  onProduce: (to: TopicPartition, messages: readonly OutgoingMessage[]) => Promise<'lose-ack' | undefined> = async () =>
    undefined
  /** Called before each commit. It may wait, or throw to lose it. */
  onCommit: (group: string, offsets: readonly PartitionOffset[]) => Promise<void> = async () => {}
  /** Called before each fetch. It may wait, or throw the answer of the broker. */
  onFetch: (offsets: readonly PartitionOffset[]) => Promise<void> = async () => {}

  /** Called before a reader asks where logs begin or end. It may wait, or throw the answer of the broker. */
  onOffsets: () => Promise<void> = async () => {}

  /** A client with its own connections to the cluster, as one process has. */
  client(settings: Partial<KafkaSettings> = {}): FakeKafka {
    return new FakeKafka(this, { brokers: ['fake:9092'], clientId: 'test', ...settings })
  }

  log({ topic, partition }: TopicPartition): PartitionLog | undefined {
    return this.topics.get(topic)?.logs[partition]
  }

  group(id: string, topics: readonly string[]): Group {
    const known = this.groups.get(id) ?? new Group(() => topics.flatMap(topic => this.partitions(topic)))
    this.groups.set(id, known)
    return known
  }

  partitions(topic: string): TopicPartition[] {
    return (this.topics.get(topic)?.logs ?? []).map((_, partition) => ({ topic, partition }))
  }
}

/** One client of the fake. The code under test gets `kafka`. */
export class FakeKafka implements Public<Kafka> {
  readonly cluster: FakeCluster
  readonly settings: KafkaSettings
  readonly #members = new Set<FakeMember>()
  #killed = false

  constructor(cluster: FakeCluster, settings: KafkaSettings) {
    this.cluster = cluster
    this.settings = settings
  }

  get withoutLeaderless(): Kafka {
    return this.kafka // each partition has a leader here
  }

  get kafka(): Kafka {
    return asReal<Kafka>(this)
  }

  get patience() {
    return { timeoutMs: this.settings.brokerTimeoutMs ?? PATIENCE_MS }
  }

  async admin() {
    this.check()
    return asReal<KafkaAdmin>(new FakeAdmin(this))
  }

  /** Only a real broker can be examined. */
  async probe(): Promise<never> {
    throw new Error('the fake answers no such requests')
  }

  async producer() {
    this.check()
    return asReal<Producer>(new FakeProducer(this))
  }

  async reader(topics: readonly string[], { stableEnds = false } = {}) {
    this.check()
    return asReal<Reader>(new FakeReader(this, topics, stableEnds))
  }

  async member(groupId: string, topics: readonly string[]) {
    this.check()
    const member = new FakeMember(this, groupId, topics)
    this.#members.add(member)
    return asReal<GroupMember>(member)
  }

  async groupOffsets(groupId: string, topics: readonly string[]) {
    this.check()
    return asReal<GroupOffsets>(new FakeGroupOffsets(this, groupId, topics))
  }

  /** The process dies: nothing from it reaches the cluster any more, and its groups know at once. */
  kill(): void {
    this.#killed = true
    this.expire()
  }

  /** Its groups declare it dead, though it lives, as if its heartbeats came too late. */
  expire(): void {
    for (const member of this.#members) member.expire()
  }

  /** Throws a final error if the process is dead, so that its code ends. */
  check(): void {
    if (this.#killed) throw Object.assign(new Error('this client was killed'), { type: 'CLUSTER_AUTHORIZATION_FAILED' })
  }
}
