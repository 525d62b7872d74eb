/** Record batches (message format 2) on their way to a broker: messages -> bytes. Source: Kafka's documentation, "Message Format". */
import { COMPRESSIONS, type Compression } from '../options.ts'
import { CHECKED_FROM, CHECKSUM_AT, HEADER_BYTES, PREFIX_BYTES } from './batch-layout.ts'
import { crc32c } from './checksum.ts'
import { compress } from './compression.ts'
import { encodeHeaders, type MessageHeaders } from './headers.ts'
import { varintBytes, writeVarint } from './varint.ts'

export interface OutgoingMessage {
  readonly key: string
  readonly value: Buffer
  /** Default: none. */
  readonly headers?: MessageHeaders | null
}

/** A batch whose size is known, and which is written later: right into the request. */
export interface OutgoingBatch {
  readonly bytes: number
  /** Writes the batch at `at`, and returns where it ends. */
  write(into: Buffer, at: number): number
}

const FORMAT = 2
/** Attributes and time since the first record: each one byte, and 0. */
const ZEROS_IN_RECORD = 2
/** The number of headers of a message without any: one byte, and 0. */
const NO_HEADERS_BYTES = 1

/** `timeMs` is the time of all messages. The same arguments give the same bytes. */
export async function outgoingBatch(
  messages: readonly OutgoingMessage[],
  { timeMs, compression }: { timeMs: number; compression: Compression },
): Promise<OutgoingBatch> {
  const records = new Records(messages)
  const packed = compression === 'none' ? records : await compressed(records, compression)
  const bytes = HEADER_BYTES + packed.bytes
  const write = (into: Buffer, at: number): number => {
    const end = packed.write(into, at + HEADER_BYTES)
    const batch = into.subarray(at, end)
    writeHeader(batch, { count: messages.length, timeMs, codec: COMPRESSIONS.indexOf(compression) })
    batch.writeUInt32BE(crc32c(batch.subarray(CHECKED_FROM)), CHECKSUM_AT)
    return end
  }
  return { bytes, write }
}

async function compressed(records: Records, compression: Compression): Promise<OutgoingBatch> {
  const plain = Buffer.allocUnsafe(records.bytes)
  records.write(plain, 0)
  const packed = await compress(compression, plain)
  return { bytes: packed.length, write: (into, at) => at + packed.copy(into, at) }
}

class Records implements OutgoingBatch {
  readonly #messages: readonly OutgoingMessage[]
  readonly #keyBytes: number[] = []
  /** Of the messages that have some. */
  readonly #headers: Buffer[] = []
  readonly #sizes: number[] = []
  readonly bytes: number

  constructor(messages: readonly OutgoingMessage[]) {
    this.#messages = messages
    let bytes = 0
    for (const [i, { key, value, headers }] of messages.entries()) {
      const keyBytes = Buffer.byteLength(key)
      let size = ZEROS_IN_RECORD + varintBytes(i) + fieldBytes(keyBytes) + fieldBytes(value.length)
      if (headers) {
        this.#headers[i] = encodeHeaders(headers)
        size += this.#headers[i]!.length
      } else size += NO_HEADERS_BYTES
      this.#keyBytes.push(keyBytes)
      this.#sizes.push(size)
      bytes += varintBytes(size) + size
    }
    this.bytes = bytes
  }

  write(into: Buffer, from: number): number {
    let at = from
    for (const [i, { key, value }] of this.#messages.entries()) {
      at = writeVarint(into, at, this.#sizes[i]!)
      at = into.writeUInt16BE(0, at) // attributes and time
      at = writeVarint(into, at, i)
      at = writeVarint(into, at, this.#keyBytes[i]!)
      at += into.write(key, at)
      at = writeVarint(into, at, value.length)
      at += value.copy(into, at)
      at = this.#headers[i] ? at + this.#headers[i]!.copy(into, at) : into.writeUInt8(0, at)
    }
    return at
  }
}

function writeHeader(batch: Buffer, { count, timeMs, codec }: { count: number; timeMs: number; codec: number }): void {
  batch.fill(0, 0, HEADER_BYTES)
  batch.writeInt32BE(batch.length - PREFIX_BYTES, 8)
  batch.writeInt8(FORMAT, 16)
  batch.writeInt16BE(codec, CHECKED_FROM)
  batch.writeInt32BE(count - 1, 23)
  batch.writeBigInt64BE(BigInt(timeMs), 27)
  batch.writeBigInt64BE(BigInt(timeMs), 35)
  batch.writeBigInt64BE(-1n, 43) // no producer id
  batch.writeInt32BE(count, 57)
}

function fieldBytes(length: number): number {
  return varintBytes(length) + length
}
