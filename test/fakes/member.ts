import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Committed, GroupMember, MemberHandlers, TopicPartition } from '../../src/kafka/index.ts'
import { refusalOf } from '../../src/kafka/refusal.ts'
import type { Group, Joined } from './group.ts'
import { FakeGroupOffsets } from './group-offsets.ts'
import type { FakeKafka, Public } from './kafka.ts'

export class FakeMember implements Public<GroupMember>, Joined {
  readonly id = randomUUID()
  held: readonly TopicPartition[] = []
  readonly #client: FakeKafka
  readonly #offsets: FakeGroupOffsets
  readonly #group: Group
  #woken = Promise.withResolvers<void>()
  #mustReassign = false

  constructor(client: FakeKafka, groupId: string, topics: readonly string[]) {
    this.#client = client
    this.#offsets = new FakeGroupOffsets(client, groupId, topics)
    this.#group = client.cluster.group(groupId, topics)
  }

  async run(handlers: MemberHandlers, signal: AbortSignal): Promise<void> {
    const leave = () => {
      this.wake()
      this.#group.remove(this)
    }
    signal.addEventListener('abort', leave, { once: true })
    while (!signal.aborted) {
      try {
        this.#client.check()
        this.#woken = Promise.withResolvers<void>()
        await this.#group.join(this)
        handlers.onJoined?.(this.id)
        if (!signal.aborted && this.#group.has(this)) await this.#hold(handlers, signal)
      } catch (error) {
        if (refusalOf(error)) throw error
        handlers.onTrouble(error as Error)
        await sleep(1)
      }
    }
  }

  reassign(): void {
    this.#mustReassign = true
    this.wake()
  }

  commit(offsets: readonly Committed[]): Promise<void> {
    return this.#offsets.commit(offsets, this)
  }

  committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    return this.#offsets.committed(partitions)
  }

  async close(): Promise<void> {
    this.#group.remove(this)
  }

  wake(): void {
    this.#woken.resolve()
  }

  expire(): void {
    this.#group.remove(this)
    this.wake()
  }

  /** Returns when it is time to join again. */
  async #hold(handlers: MemberHandlers, signal: AbortSignal): Promise<void> {
    for (;;) {
      await handlers.onAssigned(await this.committed(this.held))
      await this.#woken.promise
      if (signal.aborted || !this.#group.has(this)) return
      await handlers.onRebalance()
      if (!this.#mustReassign) return
      this.#mustReassign = false
      this.#woken = Promise.withResolvers<void>()
    }
  }
}
