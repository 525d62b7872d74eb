/**
 * Decodes record batches (message format 2) from the answer to a fetch: bytes -> messages. Pure.
 * Source: Kafka's documentation, "Message Format"; transactions: KIP-98.
 */
import { crc32c } from './checksum.ts'
import { decompress } from './compression.ts'

/** The most that the records of a batch may take unpacked. rowmill's topics accept as much on the wire. */
export const MAX_BATCH_BYTES = 16 * 1024 * 1024

const HEADER_BYTES = 61
/** Offset and length. The length counts what follows. */
const PREFIX_BYTES = 12
/** The checksum covers everything after it. */
const CHECKED_FROM = 21
const CODEC = 0x07
const TRANSACTIONAL = 0x10
const CONTROL = 0x20
/** The smallest size of a record on the wire. */
const MIN_RECORD_BYTES = 7
/** What a message takes in memory, not counting its key and value. */
const MESSAGE_BYTES = 100
/** The keys that rowmill reads are job ids, which are shorter. We keep no more of a key. */
const KEY_BYTES = 1000

export interface Message {
  readonly offset: number
  /** The first 1,000 bytes of the key. */
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Set if this message replaces a whole batch that cannot be read. `offset` is then that of its last message. */
  readonly unreadable?: UnreadableBatch
}

/** A batch that we cannot read. */
export interface UnreadableBatch {
  /** The offset of its first message. */
  readonly first: number
  /** How many messages it claims to hold. */
  readonly count: number
  /** Why, as the end of a sentence about the batch. */
  readonly why: string
}

/** Describes a message that replaces an unreadable batch. */
export function describeUnreadable({ offset, unreadable }: Message): string {
  const { first, count, why } = unreadable!
  return `the batch at offsets ${first} to ${offset} (${count} messages) cannot be read: ${why}`
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

/** What was read from the record set of one partition. */
export interface Batches {
  readonly messages: readonly Message[]
  /** The offset after the last batch that was read, or the requested offset if there was none. */
  readonly next: number
  /** How much memory it took to read the batches. Their messages may keep less. */
  readonly bytes: number
}

/** How much memory a message keeps. */
export function bytesOf({ key, value }: Message): number {
  return MESSAGE_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
}

/**
 * The messages from offset `from` on, in log order, without control records and messages of aborted transactions. A batch
 * that cannot be read becomes one message that says so. An answer may end in the middle of a batch: the next fetch brings
 * it. We stop after the batch that makes it `enough` unpacked bytes, since a small answer may unpack to a huge one.
 */
export function readBatches(
  bytes: Buffer,
  { from, aborted, enough }: { from: number; aborted: readonly AbortedTransaction[]; enough: number },
): Batches {
  const messages: Message[] = []
  const filter = new AbortedFilter(aborted)
  let next = from
  let taken = 0
  for (let at = 0; at + HEADER_BYTES <= bytes.length && taken < enough; ) {
    const end = at + PREFIX_BYTES + bytes.readInt32BE(at + 8)
    if (end > bytes.length || end < at + HEADER_BYTES) break
    const batch = new RecordBatch(bytes.subarray(at, end))
    at = end
    const fault = batch.fault ?? (batch.last < next ? 'its offsets are lower than those of the batch before it' : null)
    if (fault !== null) {
      messages.push(batch.unreadable(next, fault))
      taken += MESSAGE_BYTES
    } else if (filter.passes(batch)) taken += batch.read(from, messages)
    next = Math.max(next, batch.last) + 1
  }
  return { messages, next, bytes: taken }
}

/** One batch. Its header is read at once, its records on demand. */
class RecordBatch {
  readonly #bytes: Buffer
  readonly #attributes: number
  readonly first: number
  readonly last: number

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#attributes = bytes.readInt16BE(21)
    this.first = Number(bytes.readBigInt64BE(0))
    this.last = this.first + (this.#magic === 2 ? bytes.readInt32BE(23) : 0)
  }

  get producerId(): bigint {
    return this.#bytes.readBigInt64BE(43)
  }

  get isControl(): boolean {
    return (this.#attributes & CONTROL) !== 0
  }

  get isTransactional(): boolean {
    return (this.#attributes & TRANSACTIONAL) !== 0
  }

  /** Why nothing in the batch can be trusted, or null. Read it before any other property: only length and offsets may follow. */
  get fault(): string | null {
    const bytes = this.#bytes
    if (this.#magic !== 2) return `it has message format ${this.#magic}, of Kafka before 0.11`
    return crc32c(bytes.subarray(CHECKED_FROM)) === bytes.readUInt32BE(17) ? null : 'its checksum is wrong'
  }

  /** Appends its messages from `from` on, or one that says why it cannot be read. Returns the bytes that reading took. */
  read(from: number, messages: Message[]): number {
    try {
      const { found, bytes } = this.#records(from)
      for (const message of found) messages.push(message)
      return bytes
    } catch (error) {
      messages.push(this.unreadable(this.first, (error as Error).message))
      return MESSAGE_BYTES
    }
  }

  /** The message that replaces the batch. `next` is the offset where the batch should begin. */
  unreadable(next: number, why: string): Message {
    const first = this.last < next ? next : this.first
    const offset = Math.max(first, this.last)
    return { offset, key: null, value: null, unreadable: { first, count: this.#count, why } }
  }

  get #magic(): number {
    return this.#bytes[16]!
  }

  get #count(): number {
    return Math.max(1, this.#bytes.readInt32BE(57))
  }

  #records(from: number): { found: Message[]; bytes: number } {
    const bytes = this.#bytes
    const count = bytes.readInt32BE(57)
    if (count === 0) return { found: [], bytes: 0 }
    const codec = this.#attributes & CODEC
    const packed = bytes.subarray(HEADER_BYTES)
    const records = codec === 0 ? packed : decompress(codec, packed, MAX_BATCH_BYTES)
    if (count < 0 || count * MIN_RECORD_BYTES > records.length) throw new Error(`it claims ${count} messages`)
    if (records.length + count * MESSAGE_BYTES > 2 * MAX_BATCH_BYTES)
      throw new Error(`it has ${count} messages: let the producer make smaller batches`)
    const cursor = new RecordCursor(records)
    const found: Message[] = []
    let kept = 0
    for (let i = 0; i < count; i++) {
      const message = cursor.record(this.first)
      if (message.offset < from) continue
      found.push(message)
      kept += bytesOf(message)
    }
    // If most of the batch is keys and headers, the batch must not stay in memory.
    const mostIsKept = 2 * kept >= records.length
    return { found: mostIsKept ? found : found.map(copyOf), bytes: records.length + count * MESSAGE_BYTES }
  }
}

/** Copies a message. The original is a slice of its batch, and keeps the whole batch in memory. */
export function copyOf({ offset, key, value }: Message): Message {
  return { offset, key: key && Buffer.from(key), value: value && Buffer.from(value) }
}

/** Drops messages of aborted transactions. Transactions of several producers overlap, so it tracks each producer. */
class AbortedFilter {
  readonly #begins: AbortedTransaction[]
  readonly #open = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#begins = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /** Whether to read the next batch in the log. */
  passes(batch: RecordBatch): boolean {
    while (this.#begins[0] && this.#begins[0].firstOffset <= batch.last)
      this.#open.add(this.#begins.shift()!.producerId)
    if (batch.isControl) {
      // A producer has one transaction at a time, so this record ends the one we track, if we track one.
      this.#open.delete(batch.producerId)
      return false
    }
    return !batch.isTransactional || !this.#open.has(batch.producerId)
  }
}

/** Reads one record after the other. Throws if a record claims more bytes than there are. */
class RecordCursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  record(firstOffset: number): Message {
    const length = this.#varint()
    const end = this.#at + length
    if (length < 0 || end > this.#bytes.length) throw new Error('a record is cut off')
    this.#at++ // attributes: none are defined
    this.#varint() // the time since the first record
    const offset = firstOffset + this.#varint()
    const key = this.#field(end)?.subarray(0, KEY_BYTES) ?? null
    const value = this.#field(end)
    this.#at = end // skips the headers
    return { offset, key, value }
  }

  #field(end: number): Buffer | null {
    const length = this.#varint()
    if (length < 0) return null
    const from = this.#at
    this.#at += length
    if (this.#at > end) throw new Error('a record is longer than it says')
    return this.#bytes.subarray(from, this.#at)
  }

  /** A zigzag number of up to 64 bits, exact below 2^53. */
  #varint(): number {
    let magnitude = 0
    let scale = 1
    for (let size = 0; size < 10; size++, scale *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new Error('a record is cut off')
      magnitude += (byte & 0x7f) * scale
      if (byte < 0x80) return magnitude % 2 === 0 ? magnitude / 2 : -(magnitude + 1) / 2
    }
    throw new Error('a number in a record is too long')
  }
}
