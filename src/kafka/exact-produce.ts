/**
 * The Produce request, written into one exact buffer. KafkaJS copies every byte about nine times, each time into a larger
 * buffer of zeros. Source: Kafka's protocol guide, Produce 3 to 7.
 */
import './exact-requests.ts'
import produce, { type ProduceCall } from 'kafkajs/src/protocol/requests/produce/index.js'
import { COMPRESSIONS } from '../options.ts'
import type { RequestHead } from './exact-requests.ts'
import { type OutgoingBatch, outgoingBatch } from './outgoing-batch.ts'

const PRODUCE_API = 0
/** The first has our message format. The later ones that KafkaJS knows have the same request. */
const OLDEST_VERSION = 3
/** No transaction: a string of length -1. */
const NO_STRING = -1

let isMended = false

/** A message whose request we write. KafkaJS hands it on as it is, so that we know it again. */
export class ExactMessage {
  readonly key: string
  readonly value: Buffer
  readonly partition: number

  constructor(key: string, value: Buffer, partition: number) {
    this.key = key
    this.value = value
    this.partition = partition
  }
}

/** Requests of other messages, those of the program that uses rowmill, stay with KafkaJS. May be called more than once. */
export function writeExactly(): void {
  if (isMended) return
  isMended = true
  const { protocol } = produce
  produce.protocol = ({ version }) => {
    const make = protocol({ version })
    return call => {
      const made = make(call)
      if (version >= OLDEST_VERSION && isExact(call))
        made.request.frame = head => encodeProduce(call, { ...head, version, timeMs: Date.now() })
      return made
    }
  }
}

function isExact({ topicData }: ProduceCall): boolean {
  return topicData.every(({ partitions }) => partitions.every(({ messages }) => messages.every(isExactMessage)))
}

/** A message without a key, which our types forbid, is left to KafkaJS. */
function isExactMessage(message: { readonly key: unknown }): boolean {
  return message instanceof ExactMessage && typeof message.key === 'string'
}

/** The whole request, from its length on. */
export async function encodeProduce(
  { acks, timeout, compression, topicData }: ProduceCall,
  { correlationId, clientId, version, timeMs }: RequestHead & { version: number; timeMs: number },
): Promise<Buffer> {
  const codec = COMPRESSIONS[compression]!
  const topics: { topic: string; batches: [number, OutgoingBatch][] }[] = []
  for (const { topic, partitions } of topicData) {
    const batches: [number, OutgoingBatch][] = []
    for (const { partition, messages } of partitions)
      batches.push([partition, await outgoingBatch(messages, { timeMs, compression: codec })])
    topics.push({ topic, batches })
  }
  const head = 4 + 2 + 2 + 4 + 2 + Buffer.byteLength(clientId) + 2 + 2 + 4 + 4
  const names = topics.reduce((sum, { topic }) => sum + 2 + Buffer.byteLength(topic) + 4, 0)
  const bodies = topics.flatMap(({ batches }) => batches).reduce((sum, [, { bytes }]) => sum + 4 + 4 + bytes, 0)
  const bytes = Buffer.allocUnsafe(head + names + bodies)
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
  at = bytes.writeInt16BE(acks, at)
  at = bytes.writeInt32BE(timeout, at)
  at = bytes.writeInt32BE(topics.length, at)
  for (const { topic, batches } of topics) {
    writeString(topic)
    at = bytes.writeInt32BE(batches.length, at)
    for (const [partition, batch] of batches) {
      at = bytes.writeInt32BE(partition, at)
      at = bytes.writeInt32BE(batch.bytes, at)
      at = batch.write(bytes, at)
    }
  }
  return bytes
}
