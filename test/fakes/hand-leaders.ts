import type { OutgoingMessage, TopicPartition } from '../../src/kafka/index.ts'
import { LeaderRequests, type PartitionMessages, type Take } from '../../src/kafka/leader-requests.ts'
import type { BatchOutcome } from '../../src/kafka/produce-request.ts'
import type { Time } from '../../src/support/clock.ts'

/** A request whose answer the test gives by hand. */
export interface HandRequest {
  readonly node: string
  readonly connection: 0 | 1
  /** The values that each partition has in the request. Long ones are described. */
  readonly values: Readonly<Record<number, readonly string[]>>
  readonly messages: readonly (readonly OutgoingMessage[])[]
  /** Acknowledges all partitions but those with an error. */
  answer(errors?: Readonly<Record<number, Error>>): void
  /** There is no answer. */
  lose(error: Error): void
}

/** Brokers whose requests the test answers. Partition p is led by broker 1, or as `leads` says. */
export class HandLeaders {
  readonly open: HandRequest[] = []
  readonly all: HandRequest[] = []
  readonly #requests: LeaderRequests
  leads: (to: TopicPartition) => string = () => '1'
  readonly patience = { timeoutMs: 60_000 }
  #asked = Promise.withResolvers<void>()

  constructor(time?: Time) {
    const of = async (to: TopicPartition) => this.leads(to)
    const produce = (...call: Parameters<HandLeaders['produce']>) => this.produce(...call)
    this.#requests = new LeaderRequests({ of, produce }, { maxRequestBytes: null, ...(time && { time }) })
  }

  send(to: TopicPartition, take: Take): Promise<number> {
    return this.#requests.send(to, take)
  }

  produce(node: string, batches: readonly PartitionMessages[], connection: 0 | 1): Promise<readonly BatchOutcome[]> {
    return new Promise((resolve, reject) => {
      const close = () => this.open.splice(this.open.indexOf(request), 1)
      const request: HandRequest = {
        node,
        connection,
        values: Object.fromEntries(batches.map(({ partition, messages }) => [partition, messages.map(described)])),
        messages: batches.map(({ messages }) => messages),
        answer: (errors = {}) => {
          close()
          resolve(batches.map(({ partition }) => errors[partition] ?? 0))
        },
        lose: error => {
          close()
          reject(error)
        },
      }
      this.open.push(request)
      this.all.push(request)
      this.#asked.resolve()
      this.#asked = Promise.withResolvers<void>()
    })
  }

  /** The oldest open request, once there is one. */
  async next(): Promise<HandRequest> {
    while (this.open.length === 0) await this.#asked.promise
    return this.open[0]!
  }

  async close(): Promise<void> {}
}

function described({ value }: OutgoingMessage): string {
  return value.length > 100 ? `${value.length} bytes` : value.toString()
}
