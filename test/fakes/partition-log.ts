import type { FetchLimits } from '../../src/kafka/fetch.ts'
import type { MessageHeaders } from '../../src/kafka/headers.ts'
import { bytesOf, type Message } from '../../src/kafka/index.ts'

/** Messages that a producer writes together: they become readable when the transaction is committed. */
export interface Transaction {
  state: 'open' | 'committed' | 'aborted'
}

export interface Content {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: MessageHeaders
}

interface Batch {
  readonly base: number
  readonly last: number
  readonly messages: readonly Message[]
  readonly transaction: Transaction | null
  readonly bytes: number
}

const BATCH_BYTES = 61

type KeepLimits = Pick<FetchLimits, 'keepBytes' | 'mayKeepNone'>

function keep(messages: readonly Message[], { keepBytes = Infinity, mayKeepNone = false }: KeepLimits): Message[] {
  let kept = 0
  const ends = messages.findIndex((message, i) => {
    kept += bytesOf(message)
    return kept > keepBytes && (i > 0 || mayKeepNone)
  })
  return ends < 0 ? [...messages] : messages.slice(0, ends)
}

/** The log of one partition: batches as a broker keeps them, with the holes that compaction and markers leave. */
export class PartitionLog {
  /** The broker that leads the partition. */
  leader: number
  /** The first offset that is still there. */
  start = 0
  /** The offset after the last message. */
  end = 0
  /** What the broker answers for this partition while it cannot read it, for example because a batch is damaged on its disk. */
  fault: Error | null = null
  /** The clock of the broker, in ms since 1970. */
  clock: () => number = Date.now
  #batches: Batch[] = []

  constructor(leader: number) {
    this.leader = leader
  }

  /** Appends one batch; returns the offset of its first message. */
  append(contents: readonly Content[], transaction: Transaction | null = null): number {
    const timestamp = this.clock()
    const messages = contents.map((content, i) => ({ offset: this.end + i, timestamp, ...content }))
    return this.#add(messages, contents.length, transaction)
  }

  /** Appends a batch of `count` unreadable messages. */
  appendBroken(count: number, why: string): number {
    const unreadable = { first: this.end, count, why }
    return this.#add(
      [{ offset: this.end + count - 1, key: null, value: null, timestamp: this.clock(), unreadable }],
      count,
      null,
    )
  }

  /** Ends a transaction. Its marker takes an offset but is not a message. */
  finish(transaction: Transaction, state: 'committed' | 'aborted'): void {
    transaction.state = state
    this.#add([], 1, null)
  }

  /** Removes everything before this offset, as retention does. */
  truncate(start: number): void {
    this.start = start
    this.end = Math.max(this.end, start)
    this.#batches = this.#batches.filter(({ last }) => last >= start)
  }

  /** Keeps only these messages. Offsets do not change, not even the end of the log. */
  compact(keeps: (message: Message) => boolean): void {
    this.#batches = this.#batches
      .map(batch => ({ ...batch, messages: batch.messages.filter(keeps) }))
      .filter(({ messages }) => messages.length > 0)
  }

  /** The timestamp of the first batch from this offset on that can be read. Null if there is none. */
  timestampAt(offset: number): number | null {
    const { stableEnd } = this
    return this.#batches.find(({ base, last }) => last >= offset && base < stableEnd)?.messages[0]?.timestamp ?? null
  }

  /** The offset of the first message of an open transaction; without one, the end of the log. */
  get stableEnd(): number {
    return this.#batches.find(({ transaction }) => transaction?.state === 'open')?.base ?? this.end
  }

  /**
   * Whole batches from this offset on, up to `maxBytes`, but at least one if `atLeastOne`. Of their messages, `keepBytes`
   * are kept, as in `FetchLimits`.
   */
  read(offset: number, { maxBytes, atLeastOne, ...limits }: { maxBytes: number; atLeastOne: boolean } & KeepLimits) {
    const { stableEnd } = this
    const sent: Message[] = []
    let [bytes, next] = [0, offset]
    for (const batch of this.#batches) {
      if (batch.last < offset) continue
      if (batch.base >= stableEnd) break
      if (bytes + batch.bytes > maxBytes && !(atLeastOne && bytes === 0)) break
      bytes += batch.bytes
      next = batch.last + 1
      if (batch.transaction?.state !== 'aborted')
        sent.push(...batch.messages.filter(message => message.offset >= Math.max(offset, this.start)))
    }
    const messages = keep(sent, limits)
    const refused = sent[messages.length]
    return { messages, next: refused?.offset ?? next, bytes, tooLarge: refused !== undefined && messages.length === 0 }
  }

  #add(messages: readonly Message[], offsets: number, transaction: Transaction | null): number {
    const base = this.end
    const sizes = messages.map(({ key, value }) => (key?.length ?? 0) + (value?.length ?? 0))
    const bytes = sizes.reduce((sum, size) => sum + size, BATCH_BYTES)
    this.#batches.push({ base, last: base + offsets - 1, messages, transaction, bytes })
    this.end += offsets
    return base
  }
}
