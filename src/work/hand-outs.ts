/** We commit before we read a message of this size, even if nothing has gone wrong yet. */
const LARGE_BYTES = 512 * 1024
/** A message is suspect after this many workers ended while they read it. */
const SUSPECT_READS = 2
/**
 * How many messages we read with such commits after an owner vanished, and by how much that grows each time nothing was
 * committed. A flood may follow the message that we look for: commits for all of it would take hours.
 */
const COMMITTED_MESSAGES = 500
const MORE_MESSAGES = 4
/** The most messages of which the metadata says that a worker began to read them. */
const MOST_READS = 16

interface CommitMetadata {
  /** How often the messages from the committed offset on were handed out without a later commit. */
  readonly handed: number
  /** By offset, how many workers began to read a message and never committed that they had read it. */
  readonly reads: Readonly<Record<string, number>>
}

/**
 * Finds a message that kills every worker that reads it, or blocks the worker until the group gives its partitions away.
 * It writes into the metadata of the committed offset, so that the next owner knows it.
 *
 * Suppose A commits "I begin offset 7" and dies, then B commits the same and dies: C suspects offset 7. If A or B had committed
 * the end of its read, C would not. A suspect may be innocent: A and B may have been killed for another reason, or may
 * have lost the partition before they could commit the end. So C reads it in a separate process first, and skips it only
 * if that process dies too. Each commit costs a request, so we make them only for large messages, and for the first
 * messages of a partition whose last owner just vanished.
 */
export class HandOuts {
  readonly #committed: number
  readonly #handed: number
  /** How many small messages are still read with such commits. */
  #toCommit: number
  readonly #reads = new Map<number, number>()
  /** The offsets that this owner is reading. */
  readonly #reading = new Set<number>()

  /** Takes the `offset` and `metadata` that were committed when the partition was assigned. */
  constructor(offset: number, metadata: string | null) {
    const { handed, reads } = parse(metadata)
    this.#committed = offset
    this.#handed = handed
    this.#toCommit = handed === 0 ? 0 : COMMITTED_MESSAGES * MORE_MESSAGES ** (handed - 1)
    for (const [at, times] of Object.entries(reads)) this.#reads.set(Number(at), times)
  }

  /** Whether the message at this offset may kill the worker: it must be read apart first (read-apart.ts). */
  isSuspect(offset: number): boolean {
    return (this.#reads.get(offset) ?? 0) >= SUSPECT_READS
  }

  /** Whether `begin` and `end` must be committed around the reading of a message. */
  needsCommit(bytes: number): boolean {
    return bytes >= LARGE_BYTES || this.#toCommit > 0
  }

  begin(offset: number): void {
    this.#reads.set(offset, (this.#reads.get(offset) ?? 0) + 1)
    this.#reading.add(offset)
    this.#toCommit--
  }

  end(offset: number): void {
    this.#reads.delete(offset)
    this.#reading.delete(offset)
  }

  /** The metadata to commit with this offset. `released`: the owner gives the partition back in good health. */
  metadata(offset: number, { released }: { released: boolean }): string {
    const handed = offset > this.#committed ? 0 : this.#handed + (released ? 0 : 1)
    const survived = (at: number) => (released && this.#reading.has(at) ? 1 : 0)
    const reads = [...this.#reads]
      .map(([at, times]) => [at, times - survived(at)] as const)
      .filter(([at, times]) => at >= offset && times > 0)
      .sort(([a], [b]) => a - b)
    return handed === 0 && reads.length === 0
      ? ''
      : JSON.stringify({ handed, reads: Object.fromEntries(reads.slice(0, MOST_READS)) } satisfies CommitMetadata)
  }
}

/** Metadata of another program is ignored. */
function parse(metadata: string | null): CommitMetadata {
  const nothing: CommitMetadata = { handed: 0, reads: {} }
  try {
    const { handed, reads } = JSON.parse(metadata || '{}') as Partial<CommitMetadata>
    const counts = Object.entries(reads ?? {}).filter(([at, times]) => isCount(Number(at)) && isCount(times))
    return { handed: isCount(handed) ? handed : 0, reads: Object.fromEntries(counts) }
  } catch {
    return nothing
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
