/**
 * Decodes record batches (message format 2) from the answer to a fetch: bytes -> messages. Pure.
 * Source: Kafka's documentation, "Message Format"; transactions: KIP-98.
 */

import { AbortedFilter, type AbortedTransaction } from './aborted-filter.ts'
import { CHECKED_FROM, CHECKSUM_AT, HEADER_BYTES, PREFIX_BYTES, TIMESTAMP_AT } from './batch-layout.ts'
import { crc32c } from './checksum.ts'
import { decompress } from './compression.ts'
import { copyOf, MESSAGE_BYTES, type Message } from './message.ts'
import { RecordCursor } from './record-cursor.ts'

/** The most that the records of a batch may take unpacked. rowmill's topics accept as much on the wire. */
export const MAX_BATCH_BYTES = 16 * 1024 * 1024

/** The lower byte of the attributes. */
const CODEC_AT = 22
const CODEC = 0x07
const TRANSACTIONAL = 0x10
const CONTROL = 0x20
/** The smallest size of a record on the wire. */
const MIN_RECORD_BYTES = 7
/** What reading a record costs at least. A batch of very many records takes too long, whatever is kept of it. */
const RECORD_BYTES = 100

const MISPLACED = 'its offsets are higher than those of the batch after it, or than the end of the log'

/** What tells where a batch with a damaged offset really is. */
interface Neighbours {
  readonly after: RecordBatch | null
  readonly logEnd: number
}

/** What was read from the record set of one partition. */
export interface Batches {
  readonly messages: readonly Message[]
  /**
   * The offset of the first message that was not kept. If all were: the one after the last batch that was read, or the
   * requested offset if there was none.
   */
  readonly next: number
  /** How much memory it took to read the batches. Their messages may keep less. */
  readonly bytes: number
  /** Whether no message was kept, since the first one is too large. */
  readonly tooLarge: boolean
  /** Why the answer cannot be read at all, or null. */
  readonly fault: string | null
}

export interface BatchLimits {
  /** The requested offset. */
  readonly from: number
  /** The offset after the last message of the partition. Default: not known. */
  readonly logEnd?: number
  readonly aborted: readonly AbortedTransaction[]
  /** We stop after the batch that makes it this many unpacked bytes, since a small answer may unpack to a huge one. */
  readonly enough: number
  /** We keep messages up to this many bytes, since they take more memory than a batch of very small ones. Default: all. */
  readonly keepBytes?: number
  /** Whether even a first message that needs more is not kept. Default: no, one message is always kept. */
  readonly mayKeepNone?: boolean
  /** The names of the headers that messages keep. Default: none. */
  readonly headers?: readonly string[]
}

/** The number of the codec of the first batch. Null if the bytes end before it. */
export function codecOf(records: Buffer): number | null {
  return records.length <= CODEC_AT ? null : records[CODEC_AT]! & CODEC
}

/** The timestamp of the first batch, in ms since 1970. Null if the bytes end before it. */
export function timestampOf(records: Buffer): number | null {
  return records.length < TIMESTAMP_AT + 8 ? null : timestampIn(records)
}

/** Exact below 2^53, and without a BigInt. */
function timestampIn(batch: Buffer): number {
  return batch.readInt32BE(TIMESTAMP_AT) * 2 ** 32 + batch.readUInt32BE(TIMESTAMP_AT + 4)
}

/**
 * The messages from offset `from` on, in log order, without control records and messages of aborted transactions. A batch
 * that cannot be read becomes one message that says so. An answer may end in the middle of a batch: the next fetch brings
 * it, and likewise what is not kept.
 */
export function readBatches(bytes: Buffer, limits: BatchLimits): Batches {
  const { from, logEnd = Number.POSITIVE_INFINITY, aborted, enough } = limits
  const kept = new KeptMessages(limits)
  const filter = new AbortedFilter(aborted)
  let next = from
  let taken = 0
  let skips = false
  let fault: string | null = null
  for (let at = 0; at + HEADER_BYTES <= bytes.length && taken < enough && !kept.isFull; ) {
    const end = at + PREFIX_BYTES + bytes.readInt32BE(at + 8)
    if (end > bytes.length || end < at + HEADER_BYTES) break
    const batch = new RecordBatch(bytes.subarray(at, end))
    at = end
    const after = at + HEADER_BYTES <= bytes.length ? new RecordBatch(bytes.subarray(at)) : null
    if (batch.isMisplaced(next, { after, logEnd })) {
      const realEnd = batch.realEnd(next, { after, logEnd })
      if (realEnd === null) {
        fault = taken === 0 ? MISPLACED : null
        break
      }
      if (realEnd > next) {
        kept.messages.push(batch.misplaced(next, realEnd - 1))
        taken += MESSAGE_BYTES
        next = realEnd
      } else skips = true
      continue
    }
    if (skips && batch.last < next) continue
    skips = false
    const flaw = batch.fault ?? (batch.last < next ? 'its offsets are lower than those of the batch before it' : null)
    if (flaw !== null) {
      kept.messages.push(batch.unreadable(next, flaw))
      taken += MESSAGE_BYTES
    } else if (filter.passes(batch)) taken += batch.read(kept)
    next = kept.isFull ? kept.nextIn(batch, next) : Math.max(next, batch.last) + 1
  }
  return { messages: kept.messages, next, bytes: taken, tooLarge: kept.isFull && kept.messages.length === 0, fault }
}

/** The messages of an answer from the requested offset on, as long as there is room for them. */
class KeptMessages {
  readonly messages: Message[] = []
  /** Whether there was a message without room. */
  isFull = false
  readonly #from: number
  readonly #mayKeepNone: boolean
  /** The names of the headers to keep. */
  readonly headers: readonly string[]
  #room: number

  constructor({ from, keepBytes = Number.POSITIVE_INFINITY, mayKeepNone = false, headers = [] }: BatchLimits) {
    this.#from = from
    this.#room = keepBytes
    this.#mayKeepNone = mayKeepNone
    this.headers = headers
  }

  /** Reads all records of a batch, also those that it does not keep: the batch may be damaged. Returns the bytes it kept. */
  read(records: RecordCursor, { first, count }: { first: number; count: number }): { found: Message[]; bytes: number } {
    const found: Message[] = []
    let [bytes, isFull] = [0, false]
    for (let i = 0; i < count; i++) {
      const offset = records.next(first)
      if (offset < this.#from || isFull) continue
      const size = records.size
      const isFirst = found.length === 0 && this.messages.length === 0
      if (bytes + size > this.#room && !(isFirst && !this.#mayKeepNone)) isFull = true
      else {
        found.push(records.message)
        bytes += size
      }
    }
    this.isFull = isFull
    this.#room -= bytes
    return { found, bytes }
  }

  /**
   * The offset to ask for after a batch without room for all its messages, if `next` was to be asked for before it. It moves
   * past every message that was kept, and never past the batch, whatever offsets the records claim.
   */
  nextIn({ last }: RecordBatch, next: number): number {
    const kept = this.messages.at(-1)
    return kept ? Math.min(Math.max(next, kept.offset + 1), last + 1) : next
  }
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

  /** The latest of its messages, in ms since 1970. */
  get timestamp(): number {
    return timestampIn(this.#bytes)
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
    return crc32c(bytes.subarray(CHECKED_FROM)) === bytes.readUInt32BE(CHECKSUM_AT) ? null : 'its checksum is wrong'
  }

  /** Appends its messages, or one that says why it cannot be read. Returns the bytes that reading took. */
  read(kept: KeptMessages): number {
    try {
      const { found, bytes } = this.#records(kept)
      for (const message of found) kept.messages.push(message)
      return bytes
    } catch (error) {
      kept.messages.push(this.unreadable(this.first, (error as Error).message))
      return MESSAGE_BYTES
    }
  }

  /** The message that replaces the batch. `next` is the offset where the batch should begin. */
  unreadable(next: number, why: string): Message {
    const first = this.last < next ? next : this.first
    const offset = Math.max(first, this.last)
    const { timestamp } = this
    return { offset, key: null, value: null, timestamp, unreadable: { first, count: this.#count, why } }
  }

  /**
   * Whether its first offset is damaged upwards. No checksum covers that offset, but one covers how many follow it. The
   * broker takes such a batch for the one that holds any lower offset, so its answers begin with it again and again.
   */
  isMisplaced(next: number, { after, logEnd }: Neighbours): boolean {
    return this.first > next && (this.last >= logEnd || (after !== null && after.first <= this.last))
  }

  /** The offset after a misplaced batch: at most `next` if it is not what we asked for. Null if nothing tells. */
  realEnd(next: number, { after, logEnd }: Neighbours): number | null {
    if (after !== null) return after.first
    const end = next + this.last - this.first + 1
    return end === logEnd ? end : null
  }

  /** The message that replaces a misplaced batch. */
  misplaced(first: number, offset: number): Message {
    const { timestamp } = this
    return { offset, key: null, value: null, timestamp, unreadable: { first, count: this.#count, why: MISPLACED } }
  }

  get #magic(): number {
    return this.#bytes[16]!
  }

  get #count(): number {
    return Math.max(1, this.#bytes.readInt32BE(57))
  }

  #records(kept: KeptMessages): { found: Message[]; bytes: number } {
    const bytes = this.#bytes
    const count = bytes.readInt32BE(57)
    if (count === 0) return { found: [], bytes: 0 }
    const codec = this.#attributes & CODEC
    const packed = bytes.subarray(HEADER_BYTES)
    const records = codec === 0 ? packed : decompress(codec, packed, MAX_BATCH_BYTES)
    if (count < 0 || count * MIN_RECORD_BYTES > records.length) throw new Error(`it claims ${count} messages`)
    if (records.length + count * RECORD_BYTES > 2 * MAX_BATCH_BYTES)
      throw new Error(`it has ${count} messages: let the producer make smaller batches`)
    const cursor = new RecordCursor(records, { timestamp: this.timestamp, headers: kept.headers })
    const { found, bytes: size } = kept.read(cursor, { first: this.first, count })
    // If we keep little of the batch, the batch must not stay in memory.
    const mostIsKept = 2 * size >= records.length
    return { found: mostIsKept ? found : found.map(copyOf), bytes: records.length + count * RECORD_BYTES }
  }
}
