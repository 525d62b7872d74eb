import { type Clock, monotonicMs } from '../support/clock.ts'
import type { Reader, TopicPartition } from './index.ts'
import { keyOf } from './topic-partition.ts'

/** After this long we ask the leader again which replica to read from: ours may have fallen back. */
const PREFERRED_FOR_MS = 300_000

/** Which broker to read each partition of a feed from, as far as the feed knows: its leader, or a replica in our rack. */
export class PartitionLeaders {
  readonly #reader: Reader
  readonly #now: Clock
  readonly #leaders = new Map<string, string>()
  readonly #preferred = new Map<string, { node: string; untilMs: number }>()
  #refreshing: Promise<void> | null = null
  #foundAt: number

  constructor(reader: Reader, now: Clock = monotonicMs) {
    this.#reader = reader
    this.#now = now
    this.#foundAt = now()
  }

  get nodes(): ReadonlySet<string> {
    return new Set([...this.#leaders.values(), ...[...this.#preferred.values()].map(({ node }) => node)])
  }

  /** Whether it is time to ask for new metadata. A broker that led a partition may answer as before, as a replica. */
  get areOld(): boolean {
    return this.#refreshing === null && this.#now() - this.#foundAt > this.#reader.metadataMaxAgeMs
  }

  of(at: TopicPartition): string | undefined {
    const preferred = this.#preferred.get(keyOf(at))
    if (preferred && this.#now() < preferred.untilMs) return preferred.node
    return this.#leaders.get(keyOf(at))
  }

  /** Reads a partition from this replica, as its leader said. */
  prefer(at: TopicPartition, node: string): void {
    this.#preferred.set(keyOf(at), { node, untilMs: this.#now() + PREFERRED_FOR_MS })
  }

  /** Reads a partition from its leader again. Returns whether it was read from a replica. */
  forget(at: TopicPartition): boolean {
    return this.#preferred.delete(keyOf(at))
  }

  /** Asks who leads these partitions. With `refresh` it asks for new metadata first. */
  async find(wanted: readonly TopicPartition[], refresh: boolean): Promise<void> {
    if (refresh) this.#foundAt = this.#now()
    const leaders = await this.#reader.leaders(wanted, refresh)
    // Another call may have found the leaders of other partitions in the meantime. They are kept.
    for (const [node, led] of leaders)
      for (const at of led) {
        this.#leaders.set(keyOf(at), node)
        if (refresh) this.forget(at)
      }
  }

  /**
   * The same with new metadata, once for all calls that come in the meantime. Never rejects: without a leader the next fetch
   * fails, and asks again.
   */
  refresh(wanted: readonly TopicPartition[]): Promise<void> {
    const over = () => {
      this.#refreshing = null
    }
    this.#refreshing ??= this.find(wanted, true).then(over, over)
    return this.#refreshing
  }
}
