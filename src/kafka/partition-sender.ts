import { setMaxListeners } from 'node:events'
import type { Say } from '../support/say.ts'
import type { OutgoingMessage, Producer, TopicPartition } from './index.ts'
import { Outage } from './outage.ts'

/** What one request carries at most, as a topic with Kafka's usual limit takes it; one message alone may be larger. */
const SEND_BYTES = 1_000_000
/** What a batch takes beside its messages, and a message beside its key and value: at most, in Kafka's format. */
const BATCH_BYTES = 61
const MESSAGE_BYTES = 40
/** A request that takes longer holds up no other partition: its broker may be gone while others answer. */
const SLOW_REQUEST_MS = 500

interface Waiting {
  readonly message: OutgoingMessage
  readonly acked: () => void
  readonly failed: (error: unknown) => void
}

/**
 * Sends with one request in flight per partition, each for one partition, with as many messages as are waiting.
 * The partitions take turns, one request at a time: so messages gather while another partition is served, and the busier
 * a sender is, the fewer requests it makes. A request that failed is repeated with the same bytes before anything else goes to that partition: so the messages of
 * a partition stand in the log in the order of the calls, some perhaps twice, none left out.
 */
export class PartitionSender {
  readonly #producer: Producer
  readonly #outage: Outage
  readonly #stop = new AbortController()
  readonly #waiting = new Map<string, Waiting[]>()
  readonly #running = new Map<string, Promise<void>>()
  readonly #turn = new Turn()
  #bytes = 0
  #room = Promise.withResolvers<void>()

  constructor(producer: Producer, say: Say) {
    this.#producer = producer
    setMaxListeners(0, this.#stop.signal) // each partition that waits to try again is one
    this.#outage = new Outage('write to the broker', say, producer.patienceMs)
  }

  /** Bytes that are not acknowledged yet. */
  get bytes(): number {
    return this.#bytes
  }

  /** Resolves when the message is acknowledged by all in-sync replicas. */
  send(to: TopicPartition, message: OutgoingMessage): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(this.#stop.signal.reason)
    const key = `${to.topic}/${to.partition}`
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

  /** Gives up what is not acknowledged; the calls of `send` that are open reject with `reason`. */
  async close(reason: unknown = new Error('the sender was closed')): Promise<void> {
    if (!this.#stop.signal.aborted) this.#stop.abort(reason)
    this.#wake()
    await Promise.all(this.#running.values())
    await this.#producer.close()
  }

  async #run(key: string, to: TopicPartition, queue: Waiting[]): Promise<void> {
    await null // lets the caller queue more of the same turn into the first request
    while (queue.length > 0) {
      const endTurn = await this.#turn.take()
      const done = takeRun(queue)
      try {
        await this.#sendUntilAcked(to, done)
        for (const { acked } of done) acked()
      } catch (error) {
        done.push(...queue.splice(0))
        for (const { failed } of done) failed(error)
      }
      for (const { message } of done) this.#bytes -= message.value.length
      endTurn()
      this.#wake()
    }
    this.#running.delete(key)
  }

  async #sendUntilAcked(to: TopicPartition, run: readonly Waiting[]): Promise<void> {
    const messages = run.map(({ message }) => message)
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

function takeRun(queue: Waiting[]): Waiting[] {
  let bytes = BATCH_BYTES
  const behind = queue.findIndex(({ message: { key, value } }, at) => {
    bytes += MESSAGE_BYTES + Buffer.byteLength(key) + value.length
    return at > 0 && bytes > SEND_BYTES
  })
  return queue.splice(0, behind < 0 ? queue.length : behind)
}

/** One at a time, in the order of asking; who keeps it too long keeps it no longer from the next. */
class Turn {
  readonly #asking: (() => void)[] = []
  #taken = false

  /** Resolves when it is the caller's turn, with what ends it. */
  async take(): Promise<() => void> {
    if (this.#taken) await new Promise<void>(resolve => this.#asking.push(resolve))
    this.#taken = true
    const end = () => {
      clearTimeout(timer)
      if (ended) return
      ended = true
      const next = this.#asking.shift()
      if (next) next()
      else this.#taken = false
    }
    let ended = false
    const timer = setTimeout(end, SLOW_REQUEST_MS)
    return end
  }
}
