import { crc32c } from '../../src/kafka/checksum.ts'
import type { OutgoingMessage } from '../../src/kafka/index.ts'

const HEADER_BYTES = 61
/** What the length at byte 8 does not count. */
const PREFIX_BYTES = 12
const CRC_AT = 17
const CHECKED_FROM = 21
/** Attributes, time since the first record, and number of headers: each one byte, and 0. */
const ZEROS_IN_RECORD = 3

/** One record batch of format 2 without compression, written into one buffer. Source: Kafka's documentation, "Message Format". */
export function encodeBatch(messages: readonly OutgoingMessage[], nowMs: number): Buffer {
  const keys = messages.map(({ key }) => Buffer.from(key))
  const sizes = messages.map(
    ({ value }, i) => ZEROS_IN_RECORD + varintBytes(i) + fieldBytes(keys[i]!) + fieldBytes(value),
  )
  const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + varintBytes(size) + size, HEADER_BYTES))
  writeHeader(bytes, messages.length, nowMs)
  let at = HEADER_BYTES
  const writeField = (field: Buffer) => {
    at = writeVarint(bytes, at, field.length)
    at += field.copy(bytes, at)
  }
  for (const [i, { value }] of messages.entries()) {
    at = writeVarint(bytes, at, sizes[i]!)
    at = bytes.writeUInt16BE(0, at) // attributes and time
    at = writeVarint(bytes, at, i)
    writeField(keys[i]!)
    writeField(value)
    at = bytes.writeUInt8(0, at) // no headers
  }
  bytes.writeUInt32BE(crc32c(bytes.subarray(CHECKED_FROM)), CRC_AT)
  return bytes
}

function writeHeader(bytes: Buffer, count: number, nowMs: number): void {
  bytes.fill(0, 0, HEADER_BYTES)
  bytes.writeInt32BE(bytes.length - PREFIX_BYTES, 8)
  bytes.writeInt8(2, 16) // the format
  bytes.writeInt32BE(count - 1, 23)
  bytes.writeBigInt64BE(BigInt(nowMs), 27)
  bytes.writeBigInt64BE(BigInt(nowMs), 35)
  bytes.writeBigInt64BE(-1n, 43) // no producer id
  bytes.writeInt32BE(count, 57)
}

function fieldBytes(field: Buffer): number {
  return varintBytes(field.length) + field.length
}

/** The size of a number of up to 31 bits that is not negative, as a zigzag varint. */
function varintBytes(value: number): number {
  let size = 1
  for (let rest = value * 2; rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

function writeVarint(bytes: Buffer, from: number, value: number): number {
  let at = from
  let rest = value * 2
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) + 128
  bytes[at++] = rest
  return at
}
