import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PartitionAssigner } from 'kafkajs'
import type Cluster from 'kafkajs/src/cluster/index.js'
import type ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js'
import { hangUp } from './connection.ts'
import { atCoordinator } from './coordinator.ts'
import { type Committed, GroupOffsets } from './group-offsets.ts'
import type { Rights } from './rights.ts'
import type { TopicPartition } from './topic-partition.ts'

const HEARTBEAT_MS = 1000
const AGAIN_MS = 250
/** How often the leader of a group checks whether its topics have grown. */
const METADATA_MS = 1000
/** KafkaJS skips a heartbeat within this interval of the last one. It uses the wall clock, which may be set back. */
const ALWAYS = Number.NEGATIVE_INFINITY

/** What a member reports. It awaits `onAssigned` and `onRebalance` before it continues. */
export interface MemberHandlers {
  /** At every join of a group: as whom. */
  onJoined?(memberId: string): void
  /** At every join, even if nothing changed: the partitions assigned from now on, with their committed offsets. */
  onAssigned(offsets: readonly Committed[]): Promise<void> | void
  /** Before every rejoin, while commits of the old assignment are still accepted. */
  onRebalance(): Promise<void> | void
  /** The partitions go to another owner now, and the next assignment comes later. In a group both come together: never called. */
  onRevoked?(): void
  /** The membership was lost for a reason other than a rebalance. The member tries to join again. */
  onTrouble(error: Error): void
}

/** Whose assignments and commits a membership works with. */
export interface Member {
  /** Reports assignments until `signal` aborts. Rejects if a retry cannot help. */
  run(handlers: MemberHandlers, signal: AbortSignal): Promise<void>
  /** Calls `onAssigned` once more for the same partitions, with the offsets committed by then. */
  reassign(): void
  /** Its assignment may have changed: it asks now, and not only at its next heartbeat. */
  wake(): void
  /** Throws if it is not accepted. Then the next owner starts at an earlier offset. */
  commit(offsets: readonly Committed[]): Promise<void>
  committed(partitions: readonly TopicPartition[]): Promise<Committed[]>
  close(): Promise<void>
}

/** One member of a consumer group: its assignments, heartbeats and commits. It reads no messages. */
export class GroupMember implements Member {
  readonly #cluster: Cluster
  readonly #sockets: Set<Socket>
  readonly #group: ConsumerGroup
  readonly #groupId: string
  readonly #topics: readonly string[]
  readonly #offsets: GroupOffsets
  #looking: Promise<void> | null = null
  #lookedAt = 0
  #mustReassign = false
  #woken = new AbortController()

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
    this.#offsets = new GroupOffsets(parts)
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
        handlers.onJoined?.(this.#group.memberId!)
        await this.#hold(handlers, signal)
      } catch (error) {
        const type = (error as { type?: string }).type
        if (type === 'UNKNOWN_MEMBER_ID') this.#group.memberId = null
        else if (type === 'REBALANCE_IN_PROGRESS') await handlers.onRebalance()
        else if (type !== 'ILLEGAL_GENERATION') {
          const final = this.#offsets.finalError(error)
          if (final) throw final
          handlers.onTrouble(error as Error)
          await sleep(AGAIN_MS, undefined, { signal }).catch(() => {})
        }
      }
    }
    await this.#group.leave().catch(() => {}) // without it, the session timeout ends the membership a little later
  }

  reassign(): void {
    this.#mustReassign = true
    this.wake()
  }

  wake(): void {
    this.#woken.abort()
  }

  /** Commits if the membership is still valid. */
  async commit(offsets: readonly Committed[]): Promise<void> {
    const { memberId, generationId } = this.#group
    await this.#offsets.commit(offsets, { memberId: memberId ?? '', generationId: generationId ?? 0 })
  }

  async close(): Promise<void> {
    await hangUp(this.#cluster, this.#sockets)
    if (!this.#looking) return
    await this.#looking
    await hangUp(this.#cluster, this.#sockets) // it may have connected again
  }

  committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    return this.#offsets.committed(partitions)
  }

  /** Returns when it is time to rejoin. Throws the reason if the membership is lost or changes. */
  async #hold(handlers: MemberHandlers, signal: AbortSignal): Promise<void> {
    const joined = this.#partitions
    this.#lookedAt = performance.now()
    await handlers.onAssigned(await this.committed(this.#held))
    while (!signal.aborted) {
      const woken = AbortSignal.any([signal, this.#woken.signal])
      await sleep(HEARTBEAT_MS, undefined, { signal: woken }).catch(() => {})
      if (signal.aborted) return
      if (this.#woken.signal.aborted) this.#woken = new AbortController()
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

/**
 * The members of a group must share a protocol by name, or the broker refuses them. With the name that KafkaJS gives it, any
 * other program of KafkaJS could join the group of the workers, take partitions, and commit rows that nobody classified.
 */
export function roundRobin(assigner: PartitionAssigner, cluster: Cluster): ReturnType<PartitionAssigner> {
  return { ...assigner({ cluster: cluster as never } as never), name: 'rowmill' }
}
