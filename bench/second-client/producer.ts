import type { Producer as PlatformaticProducer } from '@platformatic/kafka'
import { noPartition } from '../../src/kafka/errors.ts'
import type { OutgoingMessage, Producer, TopicPartition } from '../../src/kafka/index.ts'
import type { Take } from '../../src/kafka/leader-requests.ts'
import type { Patience } from '../../src/kafka/limits.ts'
import { RequestRoom } from '../../src/kafka/request-room.ts'
import type { Public } from '../../test/fakes/kafka.ts'
import { rethrown } from './broker-error.ts'

const ACKS_ALL = -1
const MOST = { bytes: 1_000_000, messages: 2000 }

export class SecondProducer implements Public<Producer> {
  readonly patience: Patience
  readonly #producer: PlatformaticProducer

  constructor(producer: PlatformaticProducer, patience: Patience) {
    this.#producer = producer
    this.patience = patience
  }

  async send({ topic, partition }: TopicPartition, given: readonly OutgoingMessage[] | Take): Promise<number> {
    await null // the caller may add more messages in the same turn
    const messages = typeof given === 'function' ? given(new RequestRoom(MOST)) : given
    try {
      await this.#checkPartition({ topic, partition })
      const { offsets } = await this.#producer.send({
        acks: ACKS_ALL,
        messages: messages.map(({ key, value }) => ({ topic, partition, key: Buffer.from(key), value })),
      })
      return Number(offsets![0]!.offset)
    } catch (error) {
      this.#producer.clearMetadata() // the leader may have moved
      return rethrown(error)
    }
  }

  async partitions(topic: string): Promise<number> {
    const { topics } = await this.#producer.metadata({ topics: [topic], forceUpdate: true }).catch(rethrown)
    return topics.get(topic)!.partitionsCount
  }

  close(): Promise<void> {
    return this.#producer.close()
  }

  /** The client takes the partition modulo their number: a row for a partition that it does not know lands in another. */
  async #checkPartition({ topic, partition }: TopicPartition): Promise<void> {
    const known = this.#producer.currentMetadata?.topics.get(topic)?.partitionsCount ?? 0
    if (partition >= known && partition >= (await this.partitions(topic))) throw noPartition({ topic, partition })
  }
}
