import { findHeaders } from './headers.ts'
import { FIELD_BYTES, MESSAGE_BYTES, type Message } from './message.ts'

/** The keys that rowmill reads are job ids, which are shorter. We keep no more of a key. */
const KEY_BYTES = 1000

/** Reads one record after the other. Throws if a record claims more bytes than there are. */
export class RecordCursor {
  readonly #bytes: Buffer
  readonly #timestamp: number
  readonly #wanted: readonly string[]
  #at = 0
  #offset = 0
  /** Where key and value begin and end. The beginning is -1 if there is none. */
  #key = { from: -1, end: -1 }
  #value = { from: -1, end: -1 }
  #headersFrom = 0

  /** `timestamp`: that of the batch. `headers`: the names of those that messages keep. */
  constructor(bytes: Buffer, { timestamp, headers }: { timestamp: number; headers: readonly string[] }) {
    this.#bytes = bytes
    this.#timestamp = timestamp
    this.#wanted = headers
  }

  /** Moves to the next record, and returns its offset. */
  next(firstOffset: number): number {
    const length = this.#varint()
    const end = this.#at + length
    if (length < 0 || end > this.#bytes.length) throw new Error('a record is cut off')
    this.#at++ // attributes: none are defined
    this.#varint() // the time since the first record
    this.#offset = firstOffset + this.#varint()
    this.#field(this.#key, end)
    this.#key.end = Math.min(this.#key.end, this.#key.from + KEY_BYTES)
    this.#field(this.#value, end)
    this.#headersFrom = this.#at
    this.#at = end // skips the headers
    return this.#offset
  }

  /** The message of this record. Its key and value are slices of the batch. */
  get message(): Message {
    const slice = ({ from, end }: { from: number; end: number }) => (from < 0 ? null : this.#bytes.subarray(from, end))
    const message = {
      offset: this.#offset,
      key: slice(this.#key),
      value: slice(this.#value),
      timestamp: this.#timestamp,
    }
    if (this.#wanted.length === 0) return message
    const headers = findHeaders(this.#bytes.subarray(this.#headersFrom, this.#at), this.#wanted)
    return headers ? { ...message, headers } : message
  }

  /** How much memory its message keeps. */
  get size(): number {
    const size = ({ from, end }: { from: number; end: number }) => (from < 0 ? 0 : FIELD_BYTES + end - from)
    return MESSAGE_BYTES + size(this.#key) + size(this.#value)
  }

  #field(field: { from: number; end: number }, end: number): void {
    const length = this.#varint()
    field.from = length < 0 ? -1 : this.#at
    this.#at += Math.max(0, length)
    field.end = this.#at
    if (this.#at > end) throw new Error('a record is longer than it says')
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
