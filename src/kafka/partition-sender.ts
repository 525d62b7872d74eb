import { setMaxListeners } from 'node:events'
import { RowmillError } from '../errors.ts'
import { realTime, type Time } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import type { OutgoingMessage, Producer, TopicPartition } from './index.ts'
import { Outage } from './outage.ts'

/**
 * The most that one request carries unless max.request.size says otherwise. It is below Kafka's default limit for a topic. A
 * single message may be larger.
 */
const SEND_BYTES = 1_000_000
/** The most messages in one request. KafkaJS copies their list for each of them: 20,000 block the event loop for seconds. */
const SEND_MESSAGES = 2_000
/** The most that Kafka's format adds to the messages of a batch, and to the key and value of a message. */
const BATCH_BYTES = 61
const MESSAGE_BYTES = 40
/** After this long, a request no longer holds up other partitions: its broker may be gone while others answer. */
const SLOW_REQUEST_MS = 500

interface PendingMessage {
  readonly message: OutgoingMessage
  readonly acked: () => void
  readonly failed: (error: unknown) => void
}

/**
 * Sends one request at a time for each partition, with all messages that wait for it. Partitions take turns, so messages
 * gather while another partition is served: the busier a sender is, the fewer requests it makes.
 *
 * A failed request is repeated with the same bytes before anything else goes to its partition. One that is too large for its
 * topic is sent in parts. If the broker refuses it for good, nothing more goes to its partition. So the log holds the messages of a partition in the order of the calls, up to a
 * refused one. Some may be there twice, but none is missing.
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
  readonly #turn: Turn
  /** The most that one request carries. A topic may take less. */
  #requestBytes: number
  #bytes = 0
  #room = Promise.withResolvers<void>()

  constructor(producer: Producer, say: Say, time = realTime) {
    this.#producer = producer
    this.#requestBytes = producer.maxRequestBytes ?? SEND_BYTES
    this.#turn = new Turn(time)
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
    const key = `${to.topic}/${to.partition}`
    if (this.#refused.has(key)) return Promise.reject(this.#refused.get(key))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const queue = this.#waiting.get(key) ?? []
    queue.push({ message, acked: resolve, failed: reject })
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
    await null // the caller may queue more messages in the same turn: they join the first request
    while (queue.length > 0) {
      const endTurn = await this.#turn.take()
      const done = takeRequest(queue, this.#requestBytes)
      try {
        await this.#sendUntilAcked(to, done)
        for (const { acked } of done) acked()
      } catch (error) {
        if (done.length > 1 && isTooLarge(error)) {
          this.#requestBytes /= 2
          queue.unshift(...done.splice(0)) // none of them was written
        } else {
          const refusal = isTooLarge(error) ? tooLarge(to, done[0]!.message, error) : error
          this.#refused.set(key, refusal)
          done.push(...queue.splice(0))
          for (const { failed } of done) failed(refusal)
        }
      }
      for (const { message } of done) this.#bytes -= message.value.length
      endTurn()
      this.#wake()
    }
    this.#running.delete(key)
  }

  async #sendUntilAcked(to: TopicPartition, request: readonly PendingMessage[]): Promise<void> {
    const messages = request.map(({ message }) => message)
    const { signal } = this.#stop
    for (;;) {
      signal.throwIfAborted()
      try {
        await this.#producer.send(to, messages)
        this.#outage.over()
        return
      } catch (error) {
        await this.#outage.failed(error, signal)
      }
    }
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

function takeRequest(queue: PendingMessage[], mostBytes: number): PendingMessage[] {
  let bytes = BATCH_BYTES
  const end = queue.findIndex(({ message: { key, value } }, at) => {
    bytes += MESSAGE_BYTES + Buffer.byteLength(key) + value.length
    return at > 0 && (bytes > mostBytes || at >= SEND_MESSAGES)
  })
  return queue.splice(0, end < 0 ? queue.length : end)
}

/** A fair lock, in the order of asking. It is released by itself after SLOW_REQUEST_MS. */
class Turn {
  readonly #time: Time
  readonly #asking: (() => void)[] = []
  #taken = false

  constructor(time: Time) {
    this.#time = time
  }

  /** Resolves when it is the caller's turn, with the function that ends the turn. */
  async take(): Promise<() => void> {
    if (this.#taken) await new Promise<void>(resolve => this.#asking.push(resolve))
    this.#taken = true
    const end = () => {
      stopTimer()
      if (ended) return
      ended = true
      const next = this.#asking.shift()
      if (next) next()
      else this.#taken = false
    }
    let ended = false
    const stopTimer = this.#time.after(SLOW_REQUEST_MS, end)
    return end
  }
}
