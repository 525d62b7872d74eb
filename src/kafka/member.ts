import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type Cluster from 'kafkajs/src/cluster/index.js'
import type ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js'
import { RowmillError } from '../errors.ts'
import { hangUp } from './connection.ts'
import { atCoordinator } from './coordinator.ts'
import { refusalOf } from './refusal.ts'
import { isOfRights, type Rights } from './rights.ts'
import { byTopic, type PartitionOffset, type TopicPartition } from './topic-partition.ts'

const HEARTBEAT_MS = 250
/** How often the leader of a group checks whether its topics have grown. */
const METADATA_MS = 1000
/** KafkaJS skips a heartbeat within this interval of the last one. It uses the wall clock, which may be set back. */
const ALWAYS = Number.NEGATIVE_INFINITY

/** What a group committed for a partition. */
export interface Committed extends PartitionOffset {
  /** The metadata committed with the offset, or null. */
  readonly metadata: string | null
}

/** What a group member reports. It awaits the first two before it continues. */
export interface MemberHandlers {
  /** At every join, even if nothing changed: the partitions assigned from now on, with their committed offsets. */
  onAssigned(offsets: readonly Committed[]): Promise<void> | void
  /** Before every rejoin, while the coordinator still accepts commits of the old assignment. */
  onRebalance(): Promise<void> | void
  /** The membership was lost for a reason other than a rebalance. The member tries to join again. */
  onTrouble(error: Error): void
}

/** One member of a consumer group: its assignments, heartbeats and commits. It reads no messages. */
export class GroupMember {
  readonly #cluster: Cluster
  readonly #sockets: Set<Socket>
  readonly #group: ConsumerGroup
  readonly #groupId: string
  readonly #topics: readonly string[]
  readonly #rights: Rights
  #looking: Promise<void> | null = null
  #lookedAt = 0
  #mustReassign = false

  constructor(parts: {
    cluster: Cluster
    sockets: Set<Socket>
    group: ConsumerGroup
    groupId: string
    topics: readonly string[]
    rights: Rights
  }) {
    this.#cluster = parts.cluster
    this.#sockets = parts.sockets
    this.#group = parts.group
    this.#groupId = parts.groupId
    this.#topics = parts.topics
    this.#rights = parts.rights
  }

  /**
   * Joins, keeps the membership with heartbeats, and rejoins when needed, also when topics have grown. Leaves the group
   * when `signal` aborts. Rejects if a retry cannot help: with NOT_AUTHORIZED if this user has no right to be in it, and if
   * the broker or TLS refuses the connection.
   */
  async run(handlers: MemberHandlers, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await atCoordinator(this.#cluster, this.#groupId, () => this.#group.joinAndSync())
        await this.#hold(handlers, signal)
      } catch (error) {
        const type = (error as { type?: string }).type
        if (type === 'UNKNOWN_MEMBER_ID') this.#group.memberId = null
        else if (type === 'REBALANCE_IN_PROGRESS') await handlers.onRebalance()
        else if (isOfRights(error, 'GROUP'))
          throw this.#rights.missing({ operation: 'Read', resource: 'group', name: this.#groupId }, error)
        else if (type !== 'ILLEGAL_GENERATION') {
          const refusal = refusalOf(error)
          if (refusal)
            throw new RowmillError(refusal.code, `group ${this.#groupId}: ${refusal.text}`, {}, { cause: error })
          handlers.onTrouble(error as Error)
          await sleep(HEARTBEAT_MS, undefined, { signal }).catch(() => {})
        }
      }
    }
    await this.#group.leave().catch(() => {}) // without it, the session timeout ends the membership a little later
  }

  /** Calls `onAssigned` once more for the same partitions, with the offsets committed by then. */
  reassign(): void {
    this.#mustReassign = true
  }

  /** Commits if the membership is still valid. Else it throws, and the next owner starts at an earlier offset. */
  async commit(offsets: readonly Committed[]): Promise<void> {
    const topics = [...byTopic(offsets)].map(([topic, partitions]) => ({
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

  /** What the group committed for these partitions, or offset 0. The feed reports it if the log no longer holds that. */
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

  /** Returns when it is time to rejoin. Throws the reason if the membership is lost or changes. */
  async #hold(handlers: MemberHandlers, signal: AbortSignal): Promise<void> {
    const joined = this.#partitions
    this.#lookedAt = performance.now()
    await handlers.onAssigned(await this.committed(this.#held))
    while (!signal.aborted) {
      await sleep(HEARTBEAT_MS, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      await this.#group.heartbeat({ interval: ALWAYS })
      const hasGrown = this.#group.isLeader() && this.#partitions > joined // a leader that rejoins makes all others rejoin
      if (hasGrown || this.#mustReassign) await handlers.onRebalance()
      if (hasGrown) return
      if (this.#mustReassign) {
        this.#mustReassign = false
        await handlers.onAssigned(await this.committed(this.#held))
      }
      if (this.#group.isLeader() && performance.now() - this.#lookedAt > METADATA_MS) this.#look()
    }
  }

  /** Refreshes the metadata in the background: heartbeats do not wait for it. */
  #look(): void {
    this.#lookedAt = performance.now()
    const over = () => {
      this.#looking = null
    }
    this.#looking ??= this.#cluster.refreshMetadata().then(over, over) // the reader reports an outage
  }

  /** The number of partitions of all topics together, by the metadata we have. */
  get #partitions(): number {
    return this.#topics.reduce((sum, topic) => sum + this.#cluster.findTopicPartitionMetadata(topic).length, 0)
  }

  get #held(): TopicPartition[] {
    const assigned = this.#group.assigned()
    return assigned.flatMap(({ topic, partitions }) => partitions.map(partition => ({ topic, partition })))
  }
}
