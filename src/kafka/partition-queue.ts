import { bytesOf, type Fetched, type Message, type PartitionOffset } from './index.ts'

/** How often in a row a broker may send nothing of a partition whose log continues. After that we believe in a hole. */
const HOLE_ANSWERS = 3

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
  nextOffset: number
  /** The offset after the last readable message, as of the last fetch. Before the first fetch: -1. */
  end = -1
  closed = false
  bytes = 0
  /** The bytes of the message that was taken last, until it is released. */
  inHand = 0
  /** How many answers in a row brought nothing, although the log continues: they were full, or the messages are gone. */
  emptyAnswers = 0
  /** Whether its next message is larger than the reserve of an overfull feed. */
  needsRoom = false
  /** Whether nothing is fetched for it: the feed waits before a retry, or looks where the log begins. */
  isResting = false
  /** Offsets that were deleted before they were fetched: the feed continued at `end`. */
  lost: { readonly from: number; readonly end: number } | null = null
  #messages: (Message | undefined)[] = []
  #head = 0

  constructor({ topic, partition, offset }: PartitionOffset) {
    this.topic = topic
    this.partition = partition
    this.from = offset
    this.nextOffset = offset
  }

  get length(): number {
    return this.#messages.length - this.#head
  }

  /** Whether everything up to the end of the log, as of the last fetch, was taken. */
  get drained(): boolean {
    return this.length === 0 && this.end >= 0 && this.nextOffset >= this.end
  }

  /**
   * Takes what a fetch brought from the partition. `servedFirst`: the broker filled its answer with this partition first.
   * Returns whether that is news for a waiting taker.
   */
  bring(found: Fetched, servedFirst: boolean): boolean {
    const drainedBefore = this.drained
    this.end = found.end
    this.needsRoom = found.tooLarge
    this.push(found.messages, found.next)
    if (found.next > found.offset || found.end <= found.offset || found.tooLarge) this.emptyAnswers = 0
    else if (!found.empty)
      this.emptyAnswers = 1 // the answer had no room for it: it is served first from now on
    else if (servedFirst) this.#leap()
    else this.emptyAnswers ||= 1
    return this.nextOffset !== found.offset || (this.drained && !drainedBefore)
  }

  /**
   * The first partition of a fetch gets at least one batch, if it has one. So this one has no batch between its next offset
   * and the end of its log: retention or compaction deleted all of them, and the last segment is empty.
   */
  #leap(): void {
    this.emptyAnswers++
    if (this.emptyAnswers <= HOLE_ANSWERS) return
    this.nextOffset = this.end
    this.emptyAnswers = 0
  }

  /** `next` is the offset that the next fetch asks for. */
  push(messages: readonly Message[], next: number): void {
    for (const message of messages) {
      this.#messages.push(message)
      this.bytes += bytesOf(message)
    }
    this.nextOffset = next
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
