/** A message of this size is worth a note before it is read, also where nothing has gone wrong yet. */
const LARGE_BYTES = 512 * 1024
/** So many workers must have ended while they read the same message before it is passed over. */
const FATAL_READS = 2
/** A commit says of so many messages at most that somebody began to read them. */
const MOST_READS = 16

interface Note {
  /** How often the messages from the committed offset on were handed out, and nothing was committed since. */
  readonly handed: number
  /** By offset, how many workers began to read a message and did not say that they had read it. */
  readonly reads: Readonly<Record<string, number>>
}

/**
 * Finds the message that ends each worker that reads it, or holds it up until the group has given its partitions to
 * another one. What is known of that stands in the metadata of the committed offset, so that the next owner knows it.
 *
 * A worker that is killed for another reason must cost no message: so a message counts as fatal only where two workers
 * ended between the note that it is being read and the note that it was read. Such notes cost a request each. They are
 * written for large messages, and for all messages of a partition whose last owner went without a word.
 */
export class HandOuts {
  readonly #committed: number
  readonly #handed: number
  readonly #reads = new Map<number, number>()
  /** What this owner reads now. */
  readonly #reading = new Set<number>()

  /** `offset` and `metadata` as they were committed when the partition was assigned. */
  constructor(offset: number, metadata: string | null) {
    const { handed, reads } = parse(metadata)
    this.#committed = offset
    this.#handed = handed
    for (const [at, times] of Object.entries(reads)) this.#reads.set(Number(at), times)
  }

  /** Whether the message at this offset must not be read. */
  isFatal(offset: number): boolean {
    return (this.#reads.get(offset) ?? 0) >= FATAL_READS
  }

  /** Whether `begin` and `end` must be committed around the reading of a message. */
  needsNote(bytes: number): boolean {
    return bytes >= LARGE_BYTES || this.#handed > 0
  }

  begin(offset: number): void {
    this.#reads.set(offset, (this.#reads.get(offset) ?? 0) + 1)
    this.#reading.add(offset)
  }

  end(offset: number): void {
    this.#reads.delete(offset)
    this.#reading.delete(offset)
  }

  /** The metadata to commit with this offset. `released`: the owner gives the partition back in good health. */
  note(offset: number, { released }: { released: boolean }): string {
    const handed = offset > this.#committed ? 0 : this.#handed + (released ? 0 : 1)
    const survived = (at: number) => (released && this.#reading.has(at) ? 1 : 0)
    const reads = [...this.#reads]
      .map(([at, times]) => [at, times - survived(at)] as const)
      .filter(([at, times]) => at >= offset && times > 0)
      .sort(([a], [b]) => a - b)
    return handed === 0 && reads.length === 0
      ? ''
      : JSON.stringify({ handed, reads: Object.fromEntries(reads.slice(0, MOST_READS)) } satisfies Note)
  }
}

/** What a program that is not rowmill committed there says nothing. */
function parse(metadata: string | null): Note {
  const nothing: Note = { handed: 0, reads: {} }
  try {
    const { handed, reads } = JSON.parse(metadata || '{}') as Partial<Note>
    const counts = Object.entries(reads ?? {}).filter(([at, times]) => isCount(Number(at)) && isCount(times))
    return { handed: isCount(handed) ? handed : 0, reads: Object.fromEntries(counts) }
  } catch {
    return nothing
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
