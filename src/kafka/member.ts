import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type Cluster from 'kafkajs/src/cluster/index.js'
import type ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js'
import { hangUp } from './connection.ts'
import { byTopic, type Position, type TopicPartition } from './topic-partition.ts'

const HEARTBEAT_MS = 250
/** How often the leader of a group asks whether its topics have more partitions. */
const METADATA_MS = 1000
/** KafkaJS skips a heartbeat that comes sooner than this after the last one, by the wall clock, which may be set back. */
const ALWAYS = Number.NEGATIVE_INFINITY

/** What a group committed of a partition. */
export interface Committed extends Position {
  /** What was said with the offset; null where nothing was. */
  readonly metadata: string | null
}

/** What a group member is told. Both are awaited before the member goes on. */
export interface MembershipHandlers {
  /** At every join, also where nothing changed: the partitions held from now on and their committed positions. */
  onAssigned(positions: readonly Committed[]): Promise<void> | void
  /** Before every further join, while commits of the old assignment are still accepted. */
  onRebalance(): Promise<void> | void
  /** Membership was lost for a reason that is not a rebalance; it is being tried again. */
  onTrouble(error: Error): void
}

/** One member of a consumer group: its assignments, its heartbeats, its commits. It reads nothing. */
export class GroupMember {
  readonly #cluster: Cluster
  readonly #sockets: Set<Socket>
  readonly #group: ConsumerGroup
  readonly #groupId: string
  readonly #topics: readonly string[]
  #looking: Promise<void> | null = null
  #lookedAt = 0
  #mustReassign = false

  constructor(parts: {
    cluster: Cluster
    sockets: Set<Socket>
    group: ConsumerGroup
    groupId: string
    topics: readonly string[]
  }) {
    this.#cluster = parts.cluster
    this.#sockets = parts.sockets
    this.#group = parts.group
    this.#groupId = parts.groupId
    this.#topics = parts.topics
  }

  /**
   * Joins, holds the membership with heartbeats, joins again, also when topics have got more partitions; leaves the group when `signal` aborts.
   */
  async run(handlers: MembershipHandlers, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#group.joinAndSync()
        await this.#hold(handlers, signal)
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

  /** Has `onAssigned` called once more for the same partitions, from what is committed then. */
  reassign(): void {
    this.#mustReassign = true
  }

  /** Commits if the membership is still good; throws where it is not, and the next owner begins a little earlier. */
  async commit(positions: readonly Committed[]): Promise<void> {
    const topics = [...byTopic(positions)].map(([topic, partitions]) => ({
      topic,
      partitions: partitions.map(({ partition, offset, metadata }) => ({
        partition,
        offset: String(offset),
        metadata,
      })),
    }))
    await this.#group.commitOffsets({ topics })
  }

  async close(): Promise<void> {
    await hangUp(this.#cluster, this.#sockets)
    if (!this.#looking) return
    await this.#looking
    await hangUp(this.#cluster, this.#sockets) // it may have connected again
  }

  /** What the group committed of these partitions, or else offset 0: a feed says where the log no longer holds that. */
  async committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    if (partitions.length === 0) return []
    const coordinator = await this.#cluster.findGroupCoordinator({ groupId: this.#groupId })
    const { responses } = await coordinator.offsetFetch({
      groupId: this.#groupId,
      topics: [...byTopic(partitions)].map(([topic, asked]) => ({
        topic,
        partitions: asked.map(({ partition }) => ({ partition })),
      })),
    })
    const committed = responses.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset, metadata }) => ({
        topic,
        partition,
        offset: Number(offset),
        metadata: metadata || null,
      })),
    )
    return committed.map(at => (at.offset >= 0 ? at : { ...at, offset: 0, metadata: null }))
  }

  /** Returns when it is time to join again; throws why the membership is lost, or changes. */
  async #hold(handlers: MembershipHandlers, signal: AbortSignal): Promise<void> {
    const joined = this.#partitions
    this.#lookedAt = performance.now()
    await handlers.onAssigned(await this.committed(this.#held))
    while (!signal.aborted) {
      await sleep(HEARTBEAT_MS, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      await this.#group.heartbeat({ interval: ALWAYS })
      const hasGrown = this.#group.isLeader() && this.#partitions > joined // who joins as the leader makes all others join
      if (hasGrown || this.#mustReassign) await handlers.onRebalance()
      if (hasGrown) return
      if (this.#mustReassign) {
        this.#mustReassign = false
        await handlers.onAssigned(await this.committed(this.#held))
      }
      if (this.#group.isLeader() && performance.now() - this.#lookedAt > METADATA_MS) this.#look()
    }
  }

  /** Heartbeats do not wait for it. */
  #look(): void {
    this.#lookedAt = performance.now()
    const over = () => {
      this.#looking = null
    }
    this.#looking ??= this.#cluster.refreshMetadata().then(over, over) // an outage says so itself
  }

  /** Of all topics together, as known so far. */
  get #partitions(): number {
    return this.#topics.reduce((sum, topic) => sum + this.#cluster.findTopicPartitionMetadata(topic).length, 0)
  }

  get #held(): TopicPartition[] {
    const assigned = this.#group.assigned()
    return assigned.flatMap(({ topic, partitions }) => partitions.map(partition => ({ topic, partition })))
  }
}
