/**
 * The partitions that the supervisor of a run gives to this worker. They are the same in every membership of the worker: that
 * of the first attempts and those of reopened jobs.
 */
export class WorkerShare {
  /** Null: not told yet. */
  partitions: readonly number[] | null = null
  readonly #followers = new Set<() => Promise<void>>()

  /** Calls `changed` at each new share, until the returned function is called. `changed` resolves when the old one is released. */
  follow(changed: () => Promise<void>): () => void {
    this.#followers.add(changed)
    return () => this.#followers.delete(changed)
  }

  /** Resolves when nobody in this worker holds a partition of the share before. */
  async give(partitions: readonly number[]): Promise<void> {
    this.partitions = partitions
    await Promise.all([...this.#followers].map(changed => changed()))
  }
}
