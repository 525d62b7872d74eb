import { noPartition } from '../../src/kafka/errors.ts'
import type { OutgoingMessage, Producer, TopicPartition } from '../../src/kafka/index.ts'
import type { Take } from '../../src/kafka/leader-requests.ts'
import { RequestRoom } from '../../src/kafka/request-room.ts'
import type { FakeKafka, Public } from './kafka.ts'

const BATCH_BYTES = 61
const REQUEST_BYTES = 1_000_000
const DEFAULT_MAX_BYTES = 1_048_588

export class FakeProducer implements Public<Producer> {
  readonly #client: FakeKafka

  constructor(client: FakeKafka) {
    this.#client = client
  }

  get patience() {
    return this.#client.patience
  }

  async send(to: TopicPartition, given: readonly OutgoingMessage[] | Take): Promise<number> {
    const { cluster, settings } = this.#client
    await null // the caller may add more messages in the same turn
    const bytes = settings.limits?.maxRequestBytes ?? REQUEST_BYTES
    const room = new RequestRoom({ bytes, messages: Number.POSITIVE_INFINITY })
    const messages = typeof given === 'function' ? given(room) : given
    this.#client.check()
    const what = await cluster.onProduce(to, messages)
    this.#client.check()
    const log = cluster.log(to)
    if (!log) throw noPartition(to)
    const contents = messages.map(({ key, value, headers }) => ({
      ...(headers && { headers }),
      key: Buffer.from(key),
      value: Buffer.from(settings.format?.write(value) ?? value),
    }))
    const batchBytes = contents.reduce((sum, { key, value }) => sum + key.length + value.length, BATCH_BYTES)
    const limit = Number(cluster.topics.get(to.topic)?.config['max.message.bytes'] ?? DEFAULT_MAX_BYTES)
    if (batchBytes > limit)
      throw Object.assign(new Error('The request included a message larger than the max message size'), {
        type: 'MESSAGE_TOO_LARGE',
      })
    const offset = log.append(contents)
    if (what === 'lose-ack') throw Object.assign(new Error('Request timed out'), { name: 'KafkaJSRequestTimeoutError' })
    return offset
  }

  async partitions(topic: string): Promise<number> {
    this.#client.check()
    return this.#client.cluster.partitions(topic).length
  }

  async close(): Promise<void> {}

  async hangUp(): Promise<void> {}
}
