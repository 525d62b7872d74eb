import type { Reader, TopicPartition } from './index.ts'

/** Which broker leads each partition of a feed, as far as the feed knows. */
export class PartitionLeaders {
  readonly #reader: Reader
  readonly #leaders = new Map<string, string>()
  #refreshing: Promise<void> | null = null

  constructor(reader: Reader) {
    this.#reader = reader
  }

  get nodes(): ReadonlySet<string> {
    return new Set(this.#leaders.values())
  }

  of({ topic, partition }: TopicPartition): string | undefined {
    return this.#leaders.get(`${topic}/${partition}`)
  }

  /** Asks who leads these partitions. With `refresh` it asks for new metadata first. */
  async find(wanted: readonly TopicPartition[], refresh: boolean): Promise<void> {
    const leaders = await this.#reader.leaders(wanted, refresh)
    // Another call may have found the leaders of other partitions in the meantime. They are kept.
    for (const [node, led] of leaders) for (const at of led) this.#leaders.set(`${at.topic}/${at.partition}`, node)
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
