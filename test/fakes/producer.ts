import { noPartition } from '../../src/kafka/errors.ts'
import type { OutgoingMessage, Producer, TopicPartition } from '../../src/kafka/index.ts'
import type { FakeKafka, Public } from './kafka.ts'

const BATCH_BYTES = 61
const DEFAULT_MAX_BYTES = 1_048_588

export class FakeProducer implements Public<Producer> {
  readonly #client: FakeKafka

  constructor(client: FakeKafka) {
    this.#client = client
  }

  get maxRequestBytes(): number | null {
    return this.#client.settings.limits?.maxRequestBytes ?? null
  }

  get patience() {
    return this.#client.patience
  }

  async send(to: TopicPartition, messages: readonly OutgoingMessage[]): Promise<number> {
    const { cluster, settings } = this.#client
    this.#client.check()
    const what = await cluster.onProduce(to, messages)
    this.#client.check()
    const log = cluster.log(to)
    if (!log) throw noPartition(to)
    const contents = messages.map(({ key, value }) => ({
      key: Buffer.from(key),
      value: Buffer.from(settings.format?.write(value) ?? value),
    }))
    const bytes = contents.reduce((sum, { key, value }) => sum + key.length + value.length, BATCH_BYTES)
    const limit = Number(cluster.topics.get(to.topic)?.config['max.message.bytes'] ?? DEFAULT_MAX_BYTES)
    if (bytes > limit)
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
}
