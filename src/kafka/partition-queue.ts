import { bytesOf, type Message, type Position } from './index.ts'

/**
 * The messages of one partition that were fetched and not taken yet. A queue belongs to one assignment: the next one
 * closes it, with everything in it.
 */
export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  /** The offset that reading began with. */
  readonly from: number
  /** The offset that the next fetch asks for. It moves as soon as messages come, also before `assign` resolves. */
  position: number
  /** The offset after the last readable message, as of the last fetch. Before the first fetch: -1. */
  end = -1
  closed = false
  bytes = 0
  /** The bytes of the message that was taken last, until it is released. */
  inHand = 0
  /** How many answers in a row brought nothing, although the log goes on: they were full, or the messages are gone. */
  emptyAnswers = 0
  /** Offsets that were deleted before they were fetched: the feed continued at `end`. */
  lost: { readonly from: number; readonly end: number } | null = null
  #messages: (Message | undefined)[] = []
  #head = 0

  constructor({ topic, partition, offset }: Position) {
    this.topic = topic
    this.partition = partition
    this.from = offset
    this.position = offset
  }

  get length(): number {
    return this.#messages.length - this.#head
  }

  /** Whether everything up to the end of the log, as of the last fetch, was taken. */
  get drained(): boolean {
    return this.length === 0 && this.end >= 0 && this.position >= this.end
  }

  /** `next` is the offset that the next fetch asks for. */
  push(messages: readonly Message[], next: number): void {
    for (const message of messages) {
      this.#messages.push(message)
      this.bytes += bytesOf(message)
    }
    this.position = next
  }

  peek(): Message | undefined {
    return this.#messages[this.#head]
  }

  shift(): Message | undefined {
    const message = this.#messages[this.#head]
    if (!message) return undefined
    this.bytes -= bytesOf(message)
    this.#messages[this.#head++] = undefined // or the message would keep its whole batch in memory
    if (this.#head > 256 && this.#head * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    }
    return message
  }
}
