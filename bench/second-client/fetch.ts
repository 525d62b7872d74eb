/**
 * The Fetch request through the public protocol layer of @platformatic/kafka, with an answer whose record sets stay
 * bytes. Its own `consumer.fetch` drops the whole answer if one partition has an error or an unknown codec, checks no
 * checksums and decompresses without a limit.
 */
import { type Connection, createAPI, fetchV11, type Reader } from '@platformatic/kafka'
import { type FetchedPartition, type FetchLimits, READ_COMMITTED } from '../../src/kafka/fetch.ts'
import type { PartitionOffset } from '../../src/kafka/index.ts'
import { brokerError } from './broker-error.ts'

const FETCH_API = 1
const FETCH_VERSION = 11
const NO_ERROR = 0
const OFFSET_OUT_OF_RANGE = 1
const NO_REPLICA = -1
const NO_SESSION = [0, -1] as const

const request = createAPI<Parameters<typeof fetchV11.createRequest>, FetchedPartition[]>(
  FETCH_API,
  FETCH_VERSION,
  fetchV11.createRequest,
  (_correlation, _api, _version, answer) => decodeAnswer(answer),
  false,
  false,
)

/** Fetches in the order of `offsets`, as fetchRaw of src/kafka does. */
export function fetchRaw(
  connection: Connection,
  offsets: readonly PartitionOffset[],
  { maxWaitMs, maxPartitionBytes, maxBytes }: FetchLimits,
): Promise<FetchedPartition[]> {
  const topics = offsets.map(({ topic, partition, offset }) => ({
    topicId: topic, // up to version 12 it is the name
    partitions: [
      {
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: maxPartitionBytes,
      },
    ],
  }))
  return request.async(connection, maxWaitMs, 1, maxBytes, READ_COMMITTED, ...NO_SESSION, topics, [], '')
}

function decodeAnswer(answer: Reader): FetchedPartition[] {
  answer.readInt32() // throttling: the spike does not wait
  const code = answer.readInt16()
  if (code !== NO_ERROR) throw brokerError(code)
  answer.readInt32() // the fetch session: none
  return answer
    .readArray(
      () => {
        const topic = answer.readString(false)
        return answer.readArray(() => decodePartition(answer, topic), false, false)
      },
      false,
      false,
    )
    .flat()
}

function decodePartition(answer: Reader, topic: string): FetchedPartition {
  const partition = answer.readInt32()
  const code = answer.readInt16()
  const logEnd = Number(answer.readInt64())
  const stable = Number(answer.readInt64())
  answer.readInt64() // the start of the log
  const aborted = answer.readNullableArray(
    () => ({ producerId: answer.readInt64(), firstOffset: Number(answer.readInt64()) }),
    false,
    false,
  )
  const preferred = answer.readInt32()
  return {
    topic,
    partition,
    error: code === NO_ERROR ? null : brokerError(code),
    outOfRange: code === OFFSET_OUT_OF_RANGE,
    logEnd,
    stableEnd: stable < 0 ? logEnd : stable,
    aborted: aborted ?? [],
    preferredNode: preferred === NO_REPLICA ? null : String(preferred),
    records: answer.readNullableBytes(false) ?? Buffer.alloc(0),
  }
}
