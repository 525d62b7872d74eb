import type { Kafka, Message } from '../kafka/index.ts'
import { PartitionFeed } from '../kafka/partition-feed.ts'
import type { PartitionQueue } from '../kafka/partition-queue.ts'
import type { Time } from '../support/clock.ts'
import { freePart } from '../support/free-bytes.ts'
import type { Say } from '../support/say.ts'

/** What nobody waits for may stay at the broker so long. */
const PAUSE_MS = 60_000
/** A fetch stands for 2 s. What it still did not bring then, although the log has it, nobody can read now. */
const HELD_UP_MS = 4000
/** The part of the memory of a feed that a watch may use. */
const PART = 1 / 4

export interface FollowedTopic {
  readonly topic: string
  readonly time: Time
  /**
   * Gets the messages of each partition in log order. Their bytes are freed afterwards. `isAfterLoss`: earlier ones were deleted
   * before they were read.
   */
  take(partition: number, message: Message, isAfterLoss: boolean): void
}

/**
 * Follows a topic, and gives each message to its taker. It reads when somebody waits for messages, in few large fetches: a fetch
 * that stands at the broker would answer with every small batch.
 */
export class TopicFollower {
  readonly #topic: string
  readonly #feed: PartitionFeed
  readonly #time: Time
  readonly #take: FollowedTopic['take']
  #queues: PartitionQueue[] = []
  /** By partition, up to where somebody waits for messages. */
  #wanted: readonly number[] = []
  /** By partition, where an open transaction held up the messages when somebody last waited for them. */
  readonly #heldUpAt = new Map<number, number>()
  #read = Promise.withResolvers<void>()
  #following: Promise<void> | null = null
  #isClosed = false

  private constructor(feed: PartitionFeed, { topic, take, time }: FollowedTopic) {
    this.#topic = topic
    this.#feed = feed
    this.#take = take
    this.#time = time
    this.#read.promise.catch(() => {})
  }

  static async open({ kafka, say }: { kafka: Kafka; say: Say }, followed: FollowedTopic): Promise<TopicFollower> {
    const { topic, time } = followed
    let follower: TopicFollower | null = null
    const pauseMs = () => (follower === null || follower.#isBehind ? 0 : PAUSE_MS)
    const feed = await PartitionFeed.open(kafka, [topic], say, { pauseMs, part: PART, time })
    follower = new TopicFollower(feed, followed)
    return follower
  }

  /** For each partition, the offset up to which everything is taken. */
  get positions(): number[] {
    return this.#queues.map(positionOf)
  }

  /** Reads from these offsets, one for each partition, instead. */
  async begin(offsets: readonly number[]): Promise<void> {
    this.#heldUpAt.clear()
    this.#queues = await this.#feed.assign(offsets.map((offset, partition) => this.#at(partition, offset)))
    this.#following ??= this.#follow()
  }

  /** Reads everything that the first partition still holds. */
  async beginAtStart(): Promise<void> {
    const [start] = await this.#feed.offsets([{ topic: this.#topic, partition: 0 }], 'start')
    await this.begin([start?.offset ?? 0]) // without a leader nothing can be read
  }

  /** Reads partitions that were added to the topic too. */
  async grow(partitions: number): Promise<void> {
    const added = Array.from({ length: partitions - this.#queues.length }, (_, i) => this.#queues.length + i)
    this.#queues.push(...(await this.#feed.add(added.map(partition => this.#at(partition, 0)))))
  }

  /**
   * Resolves when everything below these offsets is taken, or is held up by an open transaction of another producer. Rejects when
   * the topic cannot be read. For what is held up only the first call waits: the next ones return without it until it comes.
   */
  async untilRead(ends: readonly number[]): Promise<void> {
    const behind = () =>
      this.#queues.filter(queue => {
        const position = positionOf(queue)
        return position < (ends[queue.partition] ?? 0) && this.#heldUpAt.get(queue.partition) !== position
      })
    this.#wanted = ends
    if (this.#isBehind) this.#feed.hurry()
    let isLate = false
    const late = Promise.withResolvers<void>()
    const stop = this.#time.after(HELD_UP_MS, () => {
      isLate = true
      late.resolve()
    })
    try {
      for (let left = behind(); left.length > 0 && !this.#isClosed; left = behind()) {
        if (isLate && left.every(({ drained }) => drained)) {
          for (const queue of left) this.#heldUpAt.set(queue.partition, positionOf(queue))
          return
        }
        await (isLate ? this.#read.promise : Promise.race([this.#read.promise, late.promise]))
      }
    } finally {
      stop()
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#feed.close()
    await this.#following
    this.#read.resolve()
  }

  /** Whether messages that somebody waits for are still at the broker. */
  get #isBehind(): boolean {
    return this.#queues.some(({ partition, nextOffset }) => nextOffset < (this.#wanted[partition] ?? 0))
  }

  #at(partition: number, offset: number) {
    return { topic: this.#topic, partition, offset }
  }

  async #follow(): Promise<void> {
    try {
      while (!this.#isClosed) {
        const arrival = this.#feed.arrival()
        for (const queue of this.#queues) this.#drain(queue)
        this.#read.resolve()
        this.#read = Promise.withResolvers<void>()
        this.#read.promise.catch(() => {})
        await arrival
      }
    } catch (fault) {
      this.#read.reject(fault)
    }
  }

  #drain(queue: PartitionQueue): void {
    for (let message = this.#feed.take(queue); message; message = this.#feed.take(queue)) {
      this.#take(queue.partition, message, queue.lost !== null && message.offset >= queue.lost.end)
      if (message.value !== null) freePart(message.value)
    }
  }
}

function positionOf(queue: PartitionQueue): number {
  return queue.peek()?.offset ?? queue.nextOffset
}
