import { setMaxListeners } from 'node:events'
import { RowmillError } from '../errors.ts'
import { realTime } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { describeKafkaError } from './errors.ts'
import type { OutgoingMessage, Producer, TopicPartition } from './index.ts'
import type { Take } from './leader-requests.ts'
import { Outage } from './outage.ts'
import { batchBytes } from './request-room.ts'
import { keyOf } from './topic-partition.ts'

interface PendingMessage extends OutgoingMessage {
  readonly acked: () => void
  readonly failed: (error: unknown) => void
}

/**
 * Sends one batch at a time for each partition, with all messages that wait for it when its request is written. A request has
 * the batches of all partitions that one broker leads, so messages gather while it is busy: the busier a sender is, the fewer
 * requests it makes.
 *
 * A batch that is not acknowledged is repeated with the same bytes before anything else goes to its partition. One that is too
 * large for its topic is sent in parts. If the broker refuses it for good, nothing more goes to its partition. So the log holds
 * the messages of a partition in the order of the calls, up to a refused one. Some may be there twice, but none is missing.
 *
 * Without that rule a row would be lost: the result of row 7 is refused, that of row 8 is written, and the worker ends. The
 * next worker writes the results of rows 7 and 8. Readers have row 8 already, and take row 7 for a late copy.
 */
export class PartitionSender {
  readonly #producer: Producer
  readonly #outage: Outage
  readonly #stop = new AbortController()
  readonly #waiting = new Map<string, PendingMessage[]>()
  readonly #running = new Map<string, Promise<void>>()
  /** The partitions that get nothing more, and why. */
  readonly #refused = new Map<string, unknown>()
  /** The pauses before failed batches are repeated, by the reason of the failure. */
  readonly #pauses = new Map<string, Promise<void>>()
  /** The most bytes of a batch, for topics that refused larger ones. */
  readonly #mostBytes = new Map<string, number>()
  #bytes = 0
  #room = Promise.withResolvers<void>()

  constructor(producer: Producer, say: Say, time = realTime) {
    this.#producer = producer
    setMaxListeners(0, this.#stop.signal) // each partition that waits for a retry listens to it
    this.#outage = new Outage('write to the broker', say, producer.patience, time)
  }

  /** How many bytes are not acknowledged yet. */
  get bytes(): number {
    return this.#bytes
  }

  /** Resolves when all in-sync replicas have acknowledged the message. Rejects as the partition's first refusal did. */
  send(to: TopicPartition, message: OutgoingMessage): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(this.#stop.signal.reason)
    const key = keyOf(to)
    if (this.#refused.has(key)) return Promise.reject(this.#refused.get(key))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const queue = this.#waiting.get(key) ?? []
    const { key: name, value, headers = null } = message
    queue.push({ key: name, value, headers, acked: resolve, failed: reject })
    this.#waiting.set(key, queue)
    this.#bytes += message.value.length
    if (!this.#running.has(key)) this.#running.set(key, this.#run(key, to, queue))
    return promise
  }

  /** Resolves when less than `limitBytes` are waiting or in flight. */
  async room(limitBytes: number): Promise<void> {
    while (this.#bytes >= limitBytes && !this.#stop.signal.aborted) await this.#room.promise
  }

  /** Gives up on messages that are not acknowledged: open calls of `send` reject with `reason`. */
  async close(reason: unknown = new Error('the sender was closed')): Promise<void> {
    if (!this.#stop.signal.aborted) this.#stop.abort(reason)
    this.#wake()
    await Promise.all(this.#running.values())
    this.#outage.close()
    await this.#producer.close()
  }

  async #run(key: string, to: TopicPartition, queue: PendingMessage[]): Promise<void> {
    while (queue.length > 0) {
      const batch: PendingMessage[] = []
      const take: Take = room => {
        if (batch.length > 0) return room.isEmpty || room.fitting(batch) === batch.length ? batch : []
        batch.push(...queue.splice(0, room.fitting(queue, this.#mostBytes.get(to.topic))))
        return batch
      }
      try {
        await this.#sendUntilAcked(to, take)
        for (const { acked } of batch) acked()
      } catch (error) {
        if (batch.length > 1 && isTooLarge(error)) {
          this.#mostBytes.set(to.topic, (batchBytes(batch) + batchBytes([])) / 2) // half of its messages
          queue.unshift(...batch.splice(0)) // none of them was written
        } else {
          const refusal = isTooLarge(error) ? tooLarge(to, batch[0]!, error) : error
          this.#refused.set(key, refusal)
          batch.push(...queue.splice(0))
          for (const { failed } of batch) failed(refusal)
        }
      }
      for (const { value } of batch) this.#bytes -= value.length
      this.#wake()
    }
    this.#running.delete(key)
  }

  async #sendUntilAcked(to: TopicPartition, take: Take): Promise<void> {
    const { signal } = this.#stop
    for (;;) {
      signal.throwIfAborted()
      try {
        await this.#producer.send(to, take, signal)
        this.#outage.over()
        return
      } catch (error) {
        await this.#pause(error)
      }
    }
  }

  /** Partitions that fail for the same reason wait together: they are one failure of the broker. */
  async #pause(error: unknown): Promise<void> {
    const { type, text } = describeKafkaError(error)
    const reason = `${type}: ${text}`
    const over = () => this.#pauses.delete(reason)
    const pause = this.#pauses.get(reason) ?? this.#outage.failed(error, this.#stop.signal).finally(over)
    this.#pauses.set(reason, pause)
    await pause
  }

  #wake(): void {
    this.#room.resolve()
    this.#room = Promise.withResolvers<void>()
  }
}

/** Whether the broker refuses a request because it is longer than its topic takes. */
function isTooLarge(error: unknown): error is RowmillError {
  return error instanceof RowmillError && /TOO_LARGE/.test(`${error.facts['type']}`)
}

/** We did not know that the topic takes so little: this user may not read its settings, or somebody has just changed them. */
function tooLarge({ topic }: TopicPartition, { value }: OutgoingMessage, cause: RowmillError): RowmillError {
  const message =
    `topic ${topic} takes no message of ${value.length} bytes. Shorten the row, or raise max.message.bytes of the topic. ` +
    'With its limit as max.request.size, rowmill names the line of such a row'
  return new RowmillError('TOPIC_UNUSABLE', message, cause.facts, { cause })
}
