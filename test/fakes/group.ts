import type { TopicPartition } from '../../src/kafka/index.ts'

/** A group asks a member to join again, since members joined or left. */
export interface Joined {
  readonly id: string
  held: readonly TopicPartition[]
  /** Tells it that the group is about to reassign. */
  wake(): void
}

/** A consumer group: its members, the owner of each partition, and the commits. */
export class Group {
  readonly committed = new Map<string, { readonly offset: number; readonly metadata: string | null }>()
  readonly #partitions: () => readonly TopicPartition[]
  readonly #members = new Set<Joined>()
  /** Members that wait for the assignment, which comes when every member has asked for it. */
  readonly #joining = new Map<Joined, () => void>()

  constructor(partitions: () => readonly TopicPartition[]) {
    this.#partitions = partitions
  }

  get members(): ReadonlySet<Joined> {
    return this.#members
  }

  get size(): number {
    return this.#members.size
  }

  has(member: Joined): boolean {
    return this.#members.has(member)
  }

  /** Resolves with the next assignment, when all members have joined again. */
  join(member: Joined): Promise<void> {
    this.#members.add(member)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#joining.set(member, resolve)
    this.rebalance()
    return promise
  }

  /** The member left, or the group declares it dead. */
  remove(member: Joined): void {
    if (!this.#members.delete(member)) return
    this.#joining.get(member)?.()
    this.#joining.delete(member)
    this.rebalance()
  }

  /** Makes all members join again. */
  rebalance(): void {
    for (const member of this.#members) if (!this.#joining.has(member)) member.wake()
    if (this.#joining.size < this.#members.size) return
    const members = [...this.#members]
    for (const [at, member] of members.entries())
      member.held = this.#partitions().filter((_, i) => i % members.length === at)
    for (const joined of this.#joining.values()) joined()
    this.#joining.clear()
  }
}
