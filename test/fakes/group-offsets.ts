import { RowmillError } from '../../src/errors.ts'
import type { Committed, DescribedGroup, GroupOffsets, TopicPartition } from '../../src/kafka/index.ts'
import { refusalOf } from '../../src/kafka/refusal.ts'
import type { Group, Joined } from './group.ts'
import type { FakeKafka, Public } from './kafka.ts'

export class FakeGroupOffsets implements Public<GroupOffsets> {
  readonly #client: FakeKafka
  readonly #groupId: string
  readonly #group: Group

  constructor(client: FakeKafka, groupId: string, topics: readonly string[]) {
    this.#client = client
    this.#groupId = groupId
    this.#group = client.cluster.group(groupId, topics)
  }

  /** `by` is a member, or what the real one takes for nobody. */
  async commit(offsets: readonly Committed[], by: unknown = null): Promise<void> {
    this.#client.check()
    await this.#client.cluster.onCommit(this.#groupId, offsets)
    this.#client.check()
    if (by === null ? this.#group.size > 0 : !this.#group.has(by as Joined))
      throw Object.assign(new Error('The coordinator is not aware of this member'), { type: 'UNKNOWN_MEMBER_ID' })
    for (const { topic, partition, offset, metadata } of offsets)
      this.#group.committed.set(`${topic}/${partition}`, { offset, metadata: metadata || null })
  }

  async committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    this.#client.check()
    return partitions.map(({ topic, partition }) => {
      const { offset = 0, metadata = null } = this.#group.committed.get(`${topic}/${partition}`) ?? {}
      return { topic, partition, offset, metadata }
    })
  }

  async describe(): Promise<DescribedGroup> {
    this.#client.check()
    const members = [...this.#group.members].map(({ id, held }) => {
      return { memberId: id, clientId: id, host: 'fake', partitions: held }
    })
    return { state: members.length > 0 ? 'Stable' : 'Empty', members, allowed: null }
  }

  async leave(memberId: string): Promise<void> {
    this.#client.check()
    const member = [...this.#group.members].find(({ id }) => id === memberId)
    if (!member)
      throw Object.assign(new Error('The coordinator is not aware of this member'), { type: 'UNKNOWN_MEMBER_ID' })
    this.#group.remove(member)
    member.wake()
  }

  finalError(error: unknown) {
    const refusal = refusalOf(error)
    return refusal && new RowmillError(refusal.code, refusal.text)
  }

  async close(): Promise<void> {}
}
