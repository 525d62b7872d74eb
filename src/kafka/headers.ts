/**
 * The headers of messages. A message keeps only those that its reader asked for (`KafkaSettings.headers`), because nearly every
 * reader needs none. Source: Kafka's documentation, "Record Header".
 */
import { varintBytes, writeVarint } from './varint.ts'

/** The header with which a trace continues in another process (W3C Trace Context). */
export const TRACEPARENT = 'traceparent'

/** Text by name. */
export type MessageHeaders = Readonly<Record<string, string>>

/** A longer value of a header is not kept: a foreign producer may have made it of any length. */
const VALUE_BYTES = 256

/** The number of headers, and the headers. */
export function encodeHeaders(headers: MessageHeaders): Buffer {
  const texts = Object.entries(headers).flat()
  const sizes = texts.map(text => Buffer.byteLength(text))
  const bytes = Buffer.alloc(sizes.reduce((sum, size) => sum + varintBytes(size) + size, varintBytes(texts.length / 2)))
  let at = writeVarint(bytes, 0, texts.length / 2)
  for (const [i, text] of texts.entries()) {
    at = writeVarint(bytes, at, sizes[i]!)
    at += bytes.write(text, at)
  }
  return bytes
}

/** At most how many bytes these headers add to a message. */
export function headersBytes(headers: MessageHeaders): number {
  return Object.entries(headers).reduce(
    (sum, [name, text]) => sum + 8 + Buffer.byteLength(name) + Buffer.byteLength(text),
    4,
  )
}

/**
 * Those of the headers that are asked for, null if there are none. Of several with one name the last counts. `bytes` begins
 * with their number. Bytes that are no headers end the search: a message is not refused because of them.
 */
export function findHeaders(bytes: Buffer, wanted: readonly string[]): MessageHeaders | null {
  const found = new Map<string, string>()
  let at = 0
  const varint = (): number => {
    let magnitude = 0
    for (let scale = 1; at < bytes.length && scale <= 2 ** 28; scale *= 128) {
      const byte = bytes[at++]!
      magnitude += (byte & 0x7f) * scale
      if (byte < 0x80) return magnitude % 2 === 0 ? magnitude / 2 : -(magnitude + 1) / 2
    }
    return Number.NaN
  }
  const field = (): Buffer | null => {
    const length = varint()
    const value = length >= 0 && at + length <= bytes.length ? bytes.subarray(at, at + length) : null
    at += value?.length ?? 0
    return value
  }
  for (let left = varint(); left > 0 && at < bytes.length; left--) {
    const [key, value] = [field(), field()]
    const name = key && value && wanted.find(name => key.equals(Buffer.from(name)))
    if (name && value.length <= VALUE_BYTES) found.set(name, value.toString())
  }
  return found.size > 0 ? Object.fromEntries(found) : null
}
