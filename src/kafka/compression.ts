/**
 * Kafka's compression codecs. gzip and zstd come with Node. snappy and lz4 are native packages that we load when they are
 * needed. If they have no binary for the platform, the error says that the codec is missing.
 *
 * Sources: Kafka's message format (the numbers of the codecs), and the specifications of Snappy, of snappy-java
 * ("xerial") and of the LZ4 frame format 1.6.
 */
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gunzipSync, gzip, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { RowmillError } from '../errors.ts'
import { COMPRESSIONS, type Compression } from '../options.ts'

/** snappy-java begins with this, followed by sized blocks. Other clients write one bare block. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
/** The magic bytes, and two versions of four bytes. */
const XERIAL_HEADER_BYTES = 16
/** Each block costs a call, so a batch has no more. snappy-java makes blocks of 32 KB, and of 1 KB at least. */
const MOST_XERIAL_BLOCKS = 16 * 1024

const LZ4_MAGIC = 0x184d2204
/** The size of a block has 31 bits. The highest bit says that the block is not compressed. */
const LZ4_PLAIN_BLOCK = 0x80000000

/**
 * Decompresses the records of a batch. Throws a plain Error if they take more than `limit` bytes (it keeps no more than
 * that), if they are damaged, or if the codec is missing.
 */
export function decompress(codec: number, bytes: Buffer, limit: number): Buffer {
  const name = COMPRESSIONS[codec]
  if (name === undefined) throw new Error(`it is compressed with codec ${codec}, which Kafka does not define`)
  try {
    return DECOMPRESS[name](bytes, limit)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit)
    throw cause instanceof CompressionError ? cause : new Error(`it is no valid ${name} (${message})`, { cause })
  }
}

/** Compresses the records of a batch. gzip, the slow one, does it off the event loop. Throws if the codec is missing. */
export async function compress(name: Compression, bytes: Buffer): Promise<Buffer> {
  return await COMPRESS[name](bytes)
}

/** Throws USAGE if this machine lacks the codec. */
export function checkCompression(name: Compression): void {
  try {
    COMPRESS[name](Buffer.alloc(0))
  } catch (cause) {
    throw new RowmillError(
      'USAGE',
      `--compression ${name}: ${(cause as Error).message}`,
      { compression: name },
      { cause },
    )
  }
}

/** An error whose message is complete as it is. */
class CompressionError extends Error {}

const DECOMPRESS: Readonly<Record<Compression, (bytes: Buffer, limit: number) => Buffer>> = {
  none: bytes => bytes,
  gzip: (bytes, limit) => gunzipSync(bytes, { maxOutputLength: limit }),
  snappy: decompressSnappy,
  lz4: (bytes, limit) => {
    if (lz4Size(bytes) > limit) throw tooLarge(limit)
    return lz4().decompressFrameSync(bytes)
  },
  zstd: (bytes, limit) => zstdDecompressSync(bytes, { maxOutputLength: limit }),
}

const COMPRESS: Readonly<Record<Compression, (bytes: Buffer) => Buffer | Promise<Buffer>>> = {
  none: bytes => bytes,
  gzip: promisify<Buffer, Buffer>(gzip),
  snappy: bytes => snappy().compressSync(bytes),
  lz4: bytes => lz4().compressFrameSync(bytes),
  zstd: bytes => zstdCompressSync(bytes),
}

function decompressSnappy(bytes: Buffer, limit: number): Buffer {
  const blocks = bytes.subarray(0, XERIAL.length).equals(XERIAL) ? xerialBlocks(bytes) : [bytes]
  const size = blocks.reduce((sum, block) => sum + snappySize(block), 0)
  if (size > limit) throw tooLarge(limit)
  const parts = blocks.map(block => snappy().uncompressSync(block) as Buffer)
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, size)
}

function xerialBlocks(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const from = at + 4
    at = from + bytes.readUInt32BE(at)
    if (at > bytes.length) throw new Error('a block is cut off')
    if (blocks.length === MOST_XERIAL_BLOCKS) throw new Error(`it has more than ${MOST_XERIAL_BLOCKS} blocks`)
    blocks.push(bytes.subarray(from, at))
  }
  return blocks
}

/** A block of Snappy begins with its uncompressed size, as a varint of 32 bits. */
function snappySize(block: Buffer): number {
  let size = 0
  for (let i = 0; i < 5; i++) {
    const byte = block[i]
    if (byte === undefined) throw new Error('a block is cut off')
    size += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return size
  }
  throw new Error('a block does not give its size')
}

/**
 * How many bytes the frames unpack to. A frame need not say it, so we add up the two lengths of each sequence.
 */
function lz4Size(bytes: Buffer): number {
  let size = 0
  for (let at = 0; at < bytes.length; ) {
    if (bytes.readUInt32LE(at) !== LZ4_MAGIC) throw new Error('a frame does not begin with the magic number')
    const flags = bytes[at + 4]!
    const [hasSize, hasDictionary] = [flags & 0x08, flags & 0x01]
    const [hasBlockChecksum, hasChecksum] = [flags & 0x10, flags & 0x04]
    at += 7 + (hasSize ? 8 : 0) + (hasDictionary ? 4 : 0)
    for (;;) {
      const field = bytes.readUInt32LE(at)
      at += 4
      if (field === 0) break
      const length = field % LZ4_PLAIN_BLOCK
      if (at + length > bytes.length) throw new Error('a block is cut off')
      size += field >= LZ4_PLAIN_BLOCK ? length : lz4BlockSize(bytes, at, at + length)
      at += length + (hasBlockChecksum ? 4 : 0)
    }
    at += hasChecksum ? 4 : 0
  }
  return size
}

function lz4BlockSize(bytes: Buffer, from: number, end: number): number {
  let size = 0
  let at = from
  const length = (nibble: number): number => {
    let sum = nibble
    for (let more = nibble === 15; more && at < end; ) {
      const byte = bytes[at++]!
      sum += byte
      more = byte === 255
    }
    return sum
  }
  while (at < end) {
    const token = bytes[at++]!
    const literals = length(token >> 4)
    size += literals
    at += literals
    if (at >= end) break // the last sequence has no match
    at += 2
    size += length(token & 0x0f) + 4
  }
  return size
}

function tooLarge(limit: number): CompressionError {
  return new CompressionError(
    `it unpacks to more than ${limit / 1024 / 1024} MB: let the producer make smaller batches`,
  )
}

const require = createRequire(import.meta.url)

function snappy(): typeof import('snappy') {
  return native('snappy')
}

function lz4(): typeof import('lz4-napi') {
  return native('lz4-napi')
}

function native<T>(name: string): T {
  try {
    return require(name) as T
  } catch (cause) {
    throw new CompressionError(
      `the package ${name} has no binary for ${process.platform} ${process.arch}, so its codec is missing`,
      { cause },
    )
  }
}
