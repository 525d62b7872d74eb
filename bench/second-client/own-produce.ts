/**
 * The third way: KafkaJS connects, and the Produce request is our own, as the Fetch request of src/kafka is already.
 * Source: Kafka's protocol guide, Produce 3.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import Cluster from 'kafkajs/src/cluster/index.js'
import { createLogger } from 'kafkajs/src/loggers/index.js'
import Decoder from 'kafkajs/src/protocol/decoder.js'
import Encoder from 'kafkajs/src/protocol/encoder.js'
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js'
import { openSocket } from '../../src/kafka/connection.ts'
import { describeKafkaError, noPartition } from '../../src/kafka/errors.ts'
import type { Kafka, OutgoingMessage, Producer, TopicPartition } from '../../src/kafka/index.ts'
import type { Patience } from '../../src/kafka/limits.ts'
import type { Public } from '../../test/fakes/kafka.ts'
import { encodeBatch } from './own-batch.ts'

const PRODUCE = { apiKey: 0, apiVersion: 3, apiName: 'Produce', expectResponse: () => true }
const REQUEST_TIMEOUT_MS = 30_000
/** As KafkaJS does. */
const TRIES = 6
const PAUSE_MS = 100
/** acks=all as 16 bits, after the id of no transaction. */
const NO_TRANSACTION_ACKS_ALL = -1

export class OwnProducer implements Public<Producer> {
  readonly patience: Patience
  readonly maxRequestBytes = null
  readonly #cluster: Cluster

  private constructor(cluster: Cluster, patience: Patience) {
    this.#cluster = cluster
    this.patience = patience
  }

  static async open({ settings, patience }: Pick<Kafka, 'settings' | 'patience'>): Promise<OwnProducer> {
    const cluster = new Cluster({
      logger: createLogger({ level: kafkajs.logLevel.NOTHING, logCreator: () => () => {} }),
      socketFactory: openSocket,
      brokers: [...settings.brokers],
      clientId: settings.clientId,
      connectionTimeout: 5000,
      requestTimeout: REQUEST_TIMEOUT_MS,
      enforceRequestTimeout: true,
      metadataMaxAge: 60_000,
      retry: {},
      allowAutoTopicCreation: false,
      maxInFlightRequests: null,
      isolationLevel: 0,
    })
    await cluster.connect()
    return new OwnProducer(cluster, patience)
  }

  async send(to: TopicPartition, messages: readonly OutgoingMessage[]): Promise<number> {
    const records = encodeBatch(messages, Date.now())
    for (let tries = 1; ; tries++) {
      try {
        return await this.#send(to, records)
      } catch (error) {
        if (tries === TRIES || !describeKafkaError(error).retriable) throw error
        await sleep(PAUSE_MS) // a new topic takes a moment, and so does a new leader
        await this.#cluster.refreshMetadata().catch(() => {})
      }
    }
  }

  async partitions(topic: string): Promise<number> {
    await this.#cluster.addMultipleTargetTopics([topic])
    await this.#cluster.refreshMetadata()
    return this.#cluster.findTopicPartitionMetadata(topic).length
  }

  close(): Promise<void> {
    return this.#cluster.disconnect()
  }

  async #send({ topic, partition }: TopicPartition, records: Buffer): Promise<number> {
    await this.#cluster.addMultipleTargetTopics([topic])
    const [nodeId] = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]))
    if (nodeId === undefined) throw noPartition({ topic, partition })
    const broker = await this.#cluster.findBroker({ nodeId })
    return broker.connectionPool.send({
      request: { ...PRODUCE, encode: async () => encodeRequest({ topic, partition }, records) },
      requestTimeout: REQUEST_TIMEOUT_MS,
      response: { decode: async answer => baseOffset(answer), parse: async offset => offset },
    })
  }
}

function encodeRequest({ topic, partition }: TopicPartition, records: Buffer): Encoder {
  const request = new Encoder()
    .writeInt32(NO_TRANSACTION_ACKS_ALL)
    .writeInt32(REQUEST_TIMEOUT_MS)
    .writeInt32(1) // topic
    .writeString(topic)
    .writeInt32(1) // partition
    .writeInt32(partition)
    .writeInt32(records.length)
  request.writeBufferInternal(records)
  return request
}

function baseOffset(answer: Buffer): number {
  const decoder = new Decoder(answer)
  decoder.readInt32() // one topic
  decoder.readString()
  decoder.readInt32() // one partition
  decoder.readInt32()
  const code = decoder.readInt16()
  if (code !== 0) throw createErrorFromCode(code)
  return Number(decoder.readInt64())
}
