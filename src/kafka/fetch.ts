/**
 * A fetch, with an answer whose record sets stay bytes. KafkaJS would decode them, and would drop the whole
 * answer if one batch of one partition had an unknown codec. Source: Kafka's protocol guide, Fetch 4 to 11.
 */
import type { Broker } from 'kafkajs/src/cluster/index.js'
import Decoder from 'kafkajs/src/protocol/decoder.js'
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js'
import type { AbortedTransaction } from './aborted-filter.ts'
import { commonVersion } from './api-version.ts'
import { encodeFetch, FETCH_API } from './fetch-request.ts'
import type { FramedRequest } from './framed-request.ts'
import type { PartitionOffset } from './topic-partition.ts'

/** Kafka's read_uncommitted: everything that is replicated. */
export const READ_UNCOMMITTED = 0

/** The first has our message format. */
const OLDEST_VERSION = 4
const NEWEST_VERSION = 11
/** How much later than its wait an answer may come, in ms. A longer request timeout wins. */
const LATE_MS = 100
const NO_ERROR = 0
const OFFSET_OUT_OF_RANGE = 1
const NO_REPLICA = -1

export interface FetchLimits {
  readonly maxWaitMs: number
  readonly maxPartitionBytes: number
  readonly maxBytes: number
  /**
   * How much the messages of one partition may take in memory. The first one is always kept. What is not kept is fetched
   * again. Default: all.
   */
  readonly keepBytes?: number
  /** Whether the first message too is not kept if it takes more than `keepBytes`. Default: no. */
  readonly mayKeepNone?: boolean
  /** Whether another fetch stands on the connection for fetches: then this one goes over that for other requests. Default: no. */
  readonly aside?: boolean
}

/** What the answer says about one partition. */
export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  /** Why there is nothing from this partition, or null. */
  readonly error: Error | null
  /** Whether the reason is that the log does not hold the requested offset. */
  readonly outOfRange: boolean
  /** The offset after the last replicated message. */
  readonly logEnd: number
  /** The offset of the first message of an open transaction, or `logEnd` if there is none. */
  readonly stableEnd: number
  readonly aborted: readonly AbortedTransaction[]
  /** The broker in our rack that has the partition too (KIP-392): the answer holds no records then. Null: read on here. */
  readonly preferredNode: string | null
  readonly records: Buffer
}

export interface FetchAnswer {
  /** What the records of all partitions are parts of. */
  readonly bytes: Buffer<ArrayBuffer>
  readonly partitions: readonly FetchedPartition[]
}

/** Fetches in the order of `offsets`. The first partition with messages gets a whole batch, however large it is. */
export async function fetchRaw(
  broker: Broker,
  offsets: readonly PartitionOffset[],
  { maxWaitMs, maxPartitionBytes, maxBytes, aside = false }: Omit<FetchLimits, 'keepBytes' | 'mayKeepNone'>,
  rack = '',
): Promise<FetchAnswer> {
  const version = commonVersion(broker, { apiKey: FETCH_API, oldest: OLDEST_VERSION, newest: NEWEST_VERSION })
  const wanted = { offsets, maxWaitMs, maxBytes, maxPartitionBytes, rack }
  const request: FramedRequest = {
    apiKey: FETCH_API,
    apiName: 'Fetch',
    apiVersion: version,
    frame: head => encodeFetch(wanted, { ...head, version }),
  }
  const decode = async (answer: Buffer<ArrayBuffer>) => decodeAnswer(answer, version)
  const { connectionPool } = broker
  const connection = aside ? await connectionPool.getConnection(0) : connectionPool
  return await connection.send({
    request,
    requestTimeout: maxWaitMs + LATE_MS,
    response: { decode, parse: async (answer: DecodedAnswer) => answer },
  })
}

interface DecodedAnswer extends FetchAnswer {
  /** KafkaJS waits this long before its next request to the broker. */
  readonly clientSideThrottleTime: number
}

function decodeAnswer(bytes: Buffer<ArrayBuffer>, version: number): DecodedAnswer {
  const decoder = new Decoder(bytes)
  const throttleMs = decoder.readInt32()
  if (version >= 7) {
    const code = decoder.readInt16()
    if (code !== NO_ERROR) throw createErrorFromCode(code)
    decoder.readInt32() // the fetch session: none
  }
  const partitions: FetchedPartition[] = []
  for (let topics = decoder.readInt32(); topics > 0; topics--) {
    const topic = decoder.readString()!
    for (let count = decoder.readInt32(); count > 0; count--) partitions.push(decodePartition(decoder, topic, version))
  }
  // Before version 8 the broker itself has waited (KIP-219).
  return { clientSideThrottleTime: version >= 8 ? throttleMs : 0, bytes, partitions }
}

function decodePartition(decoder: Decoder, topic: string, version: number): FetchedPartition {
  const partition = decoder.readInt32()
  const code = decoder.readInt16()
  const logEnd = Number(decoder.readInt64())
  const stable = Number(decoder.readInt64())
  if (version >= 5) decoder.readInt64() // the start of the log
  const aborted: AbortedTransaction[] = []
  for (let count = decoder.readInt32(); count > 0; count--) {
    aborted.push({ producerId: decoder.readInt64(), firstOffset: Number(decoder.readInt64()) })
  }
  const preferred = version >= 11 ? decoder.readInt32() : NO_REPLICA
  const size = decoder.readInt32()
  const records = size > 0 ? decoder.readBytes(size) : Buffer.alloc(0)
  return {
    topic,
    partition,
    error: code === NO_ERROR ? null : createErrorFromCode(code),
    outOfRange: code === OFFSET_OUT_OF_RANGE,
    logEnd,
    stableEnd: stable < 0 ? logEnd : stable,
    aborted,
    preferredNode: preferred === NO_REPLICA ? null : String(preferred),
    records,
  }
}
