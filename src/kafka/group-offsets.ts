import type { Socket } from 'node:net'
import type Cluster from 'kafkajs/src/cluster/index.js'
import type { Broker } from 'kafkajs/src/cluster/index.js'
import { RowmillError } from '../errors.ts'
import { hangUp } from './connection.ts'
import { atCoordinator } from './coordinator.ts'
import { type DescribedGroup, describeGroup } from './describe-requests.ts'
import { refusalOf } from './refusal.ts'
import { isOfRights, type Rights } from './rights.ts'
import { byTopic, type PartitionOffset, type TopicPartition } from './topic-partition.ts'

/** What a group committed for a partition. */
export interface Committed extends PartitionOffset {
  /** The metadata committed with the offset, or null. */
  readonly metadata: string | null
}

/** A member of a group in one of its generations. */
export interface MemberIdentity {
  readonly memberId: string
  readonly generationId: number
}

/** The broker accepts commits of nobody while the group has no member. */
const NOBODY: MemberIdentity = { memberId: '', generationId: -1 }

/** What a group committed, and who is in it. It is read and written here by a member of the group, or without any membership. */
export class GroupOffsets {
  readonly #cluster: Cluster
  readonly #sockets: Set<Socket>
  readonly #groupId: string
  readonly #rights: Rights
  /** KafkaJS would ask for it before each commit. */
  #coordinator: Broker | null = null

  constructor(parts: { cluster: Cluster; sockets: Set<Socket>; groupId: string; rights: Rights }) {
    this.#cluster = parts.cluster
    this.#sockets = parts.sockets
    this.#groupId = parts.groupId
    this.#rights = parts.rights
  }

  /** Commits for a member of the group, or for nobody. Throws if the group has members and this is none of them. */
  async commit(offsets: readonly Committed[], by: MemberIdentity = NOBODY): Promise<void> {
    const topics = [...byTopic(offsets)].map(([topic, partitions]) => ({
      topic,
      partitions: partitions.map(({ partition, offset, metadata }) => ({
        partition,
        offset: String(offset),
        metadata,
      })),
    }))
    await this.#asking(coordinator =>
      coordinator.offsetCommit({
        groupId: this.#groupId,
        memberId: by.memberId,
        groupGenerationId: by.generationId,
        topics,
      }),
    )
  }

  /** What the group committed for these partitions, or offset 0. The feed reports it if the log no longer holds that. */
  async committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    if (partitions.length === 0) return []
    const { responses } = await this.#asking(coordinator =>
      coordinator.offsetFetch({
        groupId: this.#groupId,
        topics: [...byTopic(partitions)].map(([topic, asked]) => ({
          topic,
          partitions: asked.map(({ partition }) => ({ partition })),
        })),
      }),
    )
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

  /** Who is in the group now, with what. */
  describe(): Promise<DescribedGroup> {
    return this.#asking(coordinator => describeGroup(coordinator, this.#groupId))
  }

  /** Ends the membership of a member that has died. Rejects if the group has no such member. */
  async leave(memberId: string): Promise<void> {
    await this.#asking(coordinator => coordinator.leaveGroup({ groupId: this.#groupId, memberId }))
  }

  /** The error to end with if no retry can help: a right is missing, or the broker or TLS refuses the connection. Else null. */
  finalError(error: unknown): RowmillError | null {
    if (isOfRights(error, 'GROUP'))
      return this.#rights.missing({ operation: 'Read', resource: 'group', name: this.#groupId }, error)
    const refusal = refusalOf(error)
    return refusal && new RowmillError(refusal.code, `group ${this.#groupId}: ${refusal.text}`, {}, { cause: error })
  }

  close(): Promise<void> {
    return hangUp(this.#cluster, this.#sockets)
  }

  async #asking<A>(request: (coordinator: Broker) => Promise<A>): Promise<A> {
    try {
      this.#coordinator ??= await atCoordinator(this.#cluster, this.#groupId, () =>
        this.#cluster.findGroupCoordinator({ groupId: this.#groupId }),
      )
      return await request(this.#coordinator)
    } catch (error) {
      this.#coordinator = null // another broker may be it now
      throw error
    }
  }
}
