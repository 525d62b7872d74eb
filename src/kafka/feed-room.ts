import type { FetchLimits } from './fetch.ts'
import type { PartitionQueue } from './partition-queue.ts'

/** The bytes that all queues of one feed may hold. Each queue gets an equal share, within these bounds. */
const FEED_BYTES = 16 * 1024 * 1024
const MIN_QUEUE_BYTES = 64 * 1024
const MAX_QUEUE_BYTES = 512 * 1024
/** With this many bytes a feed fetches only for empty queues, and keeps no more than their share of an answer. */
const FULL_BYTES = 16 * 1024 * 1024
/** With this many bytes a feed still fetches for empty queues, but keeps only small messages. */
const OVERFULL_BYTES = 3 * FULL_BYTES
/** What an empty queue may keep of an answer although the feed is overfull. */
const RESERVE_BYTES = 64 * 1024
/** What a queue keeps of one batch. A batch may take 16 MB, and what is not kept is fetched again. */
const KEPT_BYTES = 4 * 1024 * 1024
/** An upper bound for one answer, whatever the number of partitions. */
const FETCH_BYTES = 1024 * 1024

/** What a fetch of a feed may bring. */
export type RoomLimits = Omit<FetchLimits, 'maxWaitMs'>

/**
 * How much a feed may hold in memory. The broker sends whole batches, and a single message may take 16 MB, so a few
 * partitions can fill a feed. A partition that has nothing here still gets its messages: however full the feed is, there is a
 * reserve for it.
 */
export class FeedRoom {
  /** The bytes in all queues, and of messages that were taken and not released yet. */
  bytes = 0
  readonly #part: number
  #queueBytes = MAX_QUEUE_BYTES

  /** `part` is the part of the room of a whole feed, such as 0.25. */
  constructor(part = 1) {
    this.#part = part
  }

  /** Shares the room between this many queues. */
  share(queues: number): void {
    this.#queueBytes = Math.min(
      MAX_QUEUE_BYTES,
      Math.max(MIN_QUEUE_BYTES, (FEED_BYTES * this.#part) / Math.max(1, queues)),
    )
  }

  /** A queue that holds less asks for more. */
  get half(): number {
    return this.#queueBytes / 2
  }

  get isFull(): boolean {
    return this.bytes >= FULL_BYTES * this.#part
  }

  /** Whether more may be fetched for a queue. */
  has(queue: PartitionQueue): boolean {
    if (queue.bytes >= this.half) return false
    if (!this.isFull) return true
    return queue.length === 0 && !(queue.needsRoom && this.#isOverfull)
  }

  /** The limits of the next fetch. */
  get limits(): RoomLimits {
    const limits = { maxPartitionBytes: this.#queueBytes, maxBytes: FETCH_BYTES, mayKeepNone: false }
    if (!this.isFull) return { ...limits, keepBytes: KEPT_BYTES }
    if (!this.#isOverfull) return { ...limits, keepBytes: this.#queueBytes }
    return { ...limits, keepBytes: RESERVE_BYTES, mayKeepNone: true }
  }

  get #isOverfull(): boolean {
    return this.bytes >= OVERFULL_BYTES * this.#part
  }
}
