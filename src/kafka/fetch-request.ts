/**
 * The Fetch request, written into one exact buffer. KafkaJS makes an encoder for each partition, and copies all of them, and
 * its request loads how it would read the answer. Source: Kafka's protocol guide, Fetch 4 to 11.
 */
import type { RequestHead } from './framed-request.ts'
import type { PartitionOffset } from './topic-partition.ts'

export const FETCH_API = 1
/** Kafka's read_committed: no messages of aborted transactions, and none after the start of an open one. */
export const READ_COMMITTED = 1

const NO_REPLICA = -1
/** The answer may be empty only after the longest wait. */
const LEAST_BYTES = 1
const NO_SESSION = 0
/** A fetch without a session. */
const NO_EPOCH = -1
const UNKNOWN = -1

export interface WantedFetch {
  /** The order decides which partition is served first. */
  readonly offsets: readonly PartitionOffset[]
  readonly maxWaitMs: number
  readonly maxBytes: number
  readonly maxPartitionBytes: number
  /** '': we are in none. */
  readonly rack: string
}

/** The whole request, from its length on. */
export function encodeFetch(
  { offsets, maxWaitMs, maxBytes, maxPartitionBytes, rack }: WantedFetch,
  { correlationId, clientId, version }: RequestHead & { version: number },
): Buffer<ArrayBuffer> {
  const [hasStart, hasSession, hasEpoch, hasRack] = [version >= 5, version >= 7, version >= 9, version >= 11]
  const topics = neighboursByTopic(offsets)
  const stringBytes = (text: string) => 2 + Buffer.byteLength(text)
  const headBytes = 4 + 2 + 2 + 4 + stringBytes(clientId) + 4 + 4 + 4 + 4 + 1 + (hasSession ? 8 : 0) + 4
  const nameBytes = topics.reduce((sum, [{ topic }]) => sum + stringBytes(topic) + 4, 0)
  const partitionBytes = 4 + (hasEpoch ? 4 : 0) + 8 + (hasStart ? 8 : 0) + 4
  const tailBytes = (hasSession ? 4 : 0) + (hasRack ? stringBytes(rack) : 0)
  const bytes = Buffer.allocUnsafe(headBytes + nameBytes + offsets.length * partitionBytes + tailBytes)
  let at = bytes.writeInt32BE(bytes.length - 4)
  const writeInt32 = (value: number): void => {
    at = bytes.writeInt32BE(value, at)
  }
  const writeString = (text: string): void => {
    const length = bytes.write(text, at + 2)
    at = bytes.writeInt16BE(length, at) + length
  }
  at = bytes.writeInt16BE(FETCH_API, at)
  at = bytes.writeInt16BE(version, at)
  writeInt32(correlationId)
  writeString(clientId)
  writeInt32(NO_REPLICA)
  writeInt32(maxWaitMs)
  writeInt32(LEAST_BYTES)
  writeInt32(maxBytes)
  at = bytes.writeInt8(READ_COMMITTED, at)
  if (hasSession) {
    writeInt32(NO_SESSION)
    writeInt32(NO_EPOCH)
  }
  writeInt32(topics.length)
  for (const partitions of topics) {
    writeString(partitions[0].topic)
    writeInt32(partitions.length)
    for (const { partition, offset } of partitions) {
      writeInt32(partition)
      if (hasEpoch) writeInt32(UNKNOWN) // the epoch of its leader
      at = bytes.writeBigInt64BE(BigInt(offset), at)
      if (hasStart) at = bytes.writeBigInt64BE(BigInt(UNKNOWN), at) // where the log of a replica starts
      writeInt32(maxPartitionBytes)
    }
  }
  if (hasSession) writeInt32(0) // no topics leave the session
  if (hasRack) writeString(rack)
  return bytes
}

/** Groups neighbours of the same topic, in the same order. */
function neighboursByTopic(offsets: readonly PartitionOffset[]): [PartitionOffset, ...PartitionOffset[]][] {
  const groups: [PartitionOffset, ...PartitionOffset[]][] = []
  for (const at of offsets) {
    const group = groups.at(-1)
    if (group?.[0].topic === at.topic) group.push(at)
    else groups.push([at])
  }
  return groups
}
