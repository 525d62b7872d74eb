/**
 * The Produce request, written into one exact buffer, and its answer, partition by partition. KafkaJS copies every byte about
 * nine times, each time into a larger buffer of zeros, and of an answer with an error it does not say which partitions were
 * written. Source: Kafka's protocol guide, Produce 3 to 7.
 */
import type { Broker } from 'kafkajs/src/cluster/index.js'
import Decoder from 'kafkajs/src/protocol/decoder.js'
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js'
import { commonVersion } from './api-version.ts'
import type { FramedRequest, RequestHead } from './framed-request.ts'
import type { OutgoingBatch } from './outgoing-batch.ts'
import { byTopic, keyOf, type TopicPartition } from './topic-partition.ts'

const PRODUCE_API = 0
/** The first has our message format. The requests of all are the same. */
const OLDEST_VERSION = 3
const NEWEST_VERSION = 7
/** No transaction: a string of length -1. */
const NO_STRING = -1
const ALL_IN_SYNC = -1
/** How long the leader waits for the other replicas, in ms. */
const REPLICAS_MS = 30_000
const NO_ERROR = 0

/** The batch of one partition. */
export interface ProducedBatch extends TopicPartition {
  readonly batch: OutgoingBatch
}

/** What became of the batch of a partition: the offset of its first message, or why it is not acknowledged. */
export type BatchOutcome = number | Error

/**
 * Sends batches of different partitions to their leader, over one of its two connections. Resolves with what the broker says of
 * each, in their order. Rejects if there is no answer: then any of them may be written or not.
 */
export async function produce(
  broker: Broker,
  batches: readonly ProducedBatch[],
  connection: 0 | 1,
): Promise<BatchOutcome[]> {
  const version = commonVersion(broker, { apiKey: PRODUCE_API, oldest: OLDEST_VERSION, newest: NEWEST_VERSION })
  const request: FramedRequest = {
    apiKey: PRODUCE_API,
    apiName: 'Produce',
    apiVersion: version,
    frame: head => encodeProduce(batches, { ...head, version }),
  }
  const pool = await broker.connectionPool.getConnection(connection)
  const decode = async (answer: Buffer) => decodeAnswer(answer, version)
  const { outcomes } = await pool.send({
    request,
    response: { decode, parse: async (answer: ProduceAnswer) => answer },
  })
  return batches.map(batch => outcomes.get(keyOf(batch)) ?? unanswered(batch))
}

/** The whole request, from its length on. */
export function encodeProduce(
  batches: readonly ProducedBatch[],
  { correlationId, clientId, version }: RequestHead & { version: number },
): Buffer<ArrayBuffer> {
  const topics = byTopic(batches)
  const headBytes = 4 + 2 + 2 + 4 + 2 + Buffer.byteLength(clientId) + 2 + 2 + 4 + 4
  const nameBytes = [...topics.keys()].reduce((sum, topic) => sum + 2 + Buffer.byteLength(topic) + 4, 0)
  const batchBytes = batches.reduce((sum, { batch }) => sum + 4 + 4 + batch.bytes, 0)
  const bytes = Buffer.allocUnsafe(headBytes + nameBytes + batchBytes)
  let at = bytes.writeInt32BE(bytes.length - 4)
  const writeString = (text: string): void => {
    const length = bytes.write(text, at + 2)
    at = bytes.writeInt16BE(length, at) + length
  }
  at = bytes.writeInt16BE(PRODUCE_API, at)
  at = bytes.writeInt16BE(version, at)
  at = bytes.writeInt32BE(correlationId, at)
  writeString(clientId)
  at = bytes.writeInt16BE(NO_STRING, at)
  at = bytes.writeInt16BE(ALL_IN_SYNC, at)
  at = bytes.writeInt32BE(REPLICAS_MS, at)
  at = bytes.writeInt32BE(topics.size, at)
  for (const [topic, partitions] of topics) {
    writeString(topic)
    at = bytes.writeInt32BE(partitions.length, at)
    for (const { partition, batch } of partitions) {
      at = bytes.writeInt32BE(partition, at)
      at = bytes.writeInt32BE(batch.bytes, at)
      at = batch.write(bytes, at)
    }
  }
  return bytes
}

interface ProduceAnswer {
  /** KafkaJS waits this long before its next request to the broker. */
  readonly clientSideThrottleTime: number
  readonly outcomes: ReadonlyMap<string, BatchOutcome>
}

/** Exported for its test. */
export function decodeAnswer(bytes: Buffer, version: number): ProduceAnswer {
  const decoder = new Decoder(bytes)
  const outcomes = new Map<string, BatchOutcome>()
  for (let topics = decoder.readInt32(); topics > 0; topics--) {
    const topic = decoder.readString()!
    for (let count = decoder.readInt32(); count > 0; count--) {
      const partition = decoder.readInt32()
      const code = decoder.readInt16()
      const offset = Number(decoder.readInt64())
      decoder.readInt64() // the time of the broker
      if (version >= 5) decoder.readInt64() // the start of the log
      outcomes.set(keyOf({ topic, partition }), code === NO_ERROR ? offset : createErrorFromCode(code))
    }
  }
  const throttleMs = decoder.readInt32()
  // Before version 6 the broker itself has waited (KIP-219).
  return { clientSideThrottleTime: version >= 6 ? throttleMs : 0, outcomes }
}

function unanswered({ topic, partition }: TopicPartition): Error {
  const text = `the broker did not answer for partition ${partition} of topic ${topic}`
  return Object.assign(new Error(text), { type: 'UNKNOWN_SERVER_ERROR', retriable: true })
}
