import type { Producer as KafkaJSProducer } from 'kafkajs'
import type Cluster from 'kafkajs/src/cluster/index.js'
import { COMPRESSIONS, type Compression } from '../options.ts'
import { noPartition } from './errors.ts'
import { ExactMessage, writeExactly } from './exact-produce.ts'
import type { Patience } from './limits.ts'
import type { OutgoingMessage } from './outgoing-batch.ts'
import type { Right, Rights } from './rights.ts'
import type { TopicPartition } from './topic-partition.ts'
import type { ValueFormat } from './value-format.ts'

/** Sends messages. One `send` is one request for one partition: with several, KafkaJS can lose one of them. */
export class Producer {
  readonly #producer: KafkaJSProducer
  readonly #cluster: Cluster
  readonly #format: ValueFormat
  readonly #rights: Rights
  /** The number of the codec in KafkaJS and in the protocol. */
  readonly #codec: number
  /** How the user of this producer retries. */
  readonly patience: Patience
  /** The most bytes that a request may have. Null: the sender decides. */
  readonly maxRequestBytes: number | null

  constructor(
    producer: KafkaJSProducer,
    cluster: Cluster,
    parts: {
      format: ValueFormat
      compression: Compression
      rights: Rights
      patience: Patience
      maxRequestBytes: number | null
    },
  ) {
    writeExactly()
    this.patience = parts.patience
    this.maxRequestBytes = parts.maxRequestBytes
    this.#codec = COMPRESSIONS.indexOf(parts.compression)
    this.#producer = producer
    this.#cluster = cluster
    this.#format = parts.format
    this.#rights = parts.rights
  }

  /** Resolves with the offset of the first message when all in-sync replicas have all messages. */
  async send({ topic, partition }: TopicPartition, messages: readonly OutgoingMessage[]): Promise<number> {
    const [written] = await this.#rights.needing(write(topic), () =>
      this.#producer.send({
        topic,
        acks: -1,
        compression: this.#codec,
        messages: messages.map(({ key, value }) => new ExactMessage(key, this.#format.write(value), partition)),
      }),
    )
    if (!written) {
      await this.#cluster.refreshMetadata() // the partition may be new
      throw noPartition({ topic, partition })
    }
    return Number(written.baseOffset)
  }

  /** How many partitions a topic has now. */
  async partitions(topic: string): Promise<number> {
    await this.#rights.needing(write(topic), async () => {
      await this.#cluster.addMultipleTargetTopics([topic])
      await this.#cluster.refreshMetadata()
    })
    return this.#cluster.findTopicPartitionMetadata(topic).length
  }

  close(): Promise<void> {
    return this.#producer.disconnect()
  }
}

function write(topic: string): Right {
  return { operation: 'Write', resource: 'topic', name: topic }
}
