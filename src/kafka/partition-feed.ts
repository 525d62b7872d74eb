import { realTime, type Time } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { FeedRoom } from './feed-room.ts'
import { FetchPause } from './fetch-pause.ts'
import { FetchTurns, type Lane, type NextFetch } from './fetch-turns.ts'
import type { Fetched, Kafka, Message, PartitionOffset, Reader, TopicPartition } from './index.ts'
import { OpenTransactions } from './open-transactions.ts'
import { Outage } from './outage.ts'
import { PartitionFaults } from './partition-faults.ts'
import { PartitionLeaders } from './partition-leaders.ts'
import { PartitionQueue } from './partition-queue.ts'
import { keyOf } from './topic-partition.ts'
import { UnreadableBatches } from './unreadable-batches.ts'

const LANES: readonly Lane[] = ['long', 'short']

/** What both fetches from one broker share. */
interface Node {
  readonly turns: FetchTurns
  readonly outage: Outage
}

export interface FeedOptions {
  /**
   * Whether to wait for an unreadable partition as long as it takes. Default: no, so the feed breaks after the broker
   * timeout. That suits a reader that needs every partition.
   */
  readonly patient?: boolean
  /** The part of the memory of a feed that this one may use. Default: 1. */
  readonly part?: number
  /**
   * How long the next messages may stay at the broker, in ms. It is asked after each answer that left none there, with the bytes
   * that the messages of the answer take. Default: 0.
   */
  readonly pauseMs?: (bytes: number) => number
  /** Default: real time. */
  readonly time?: Time
}

/**
 * Bounded, pull-based reading of partitions. A queue that is half empty asks for more. One slow taker holds up no other
 * partition, and nothing is fetched without room for it. The feed keeps the next offset of each partition: KafkaJS does not.
 */
export class PartitionFeed {
  readonly #reader: Reader
  readonly #say: Say
  readonly #stop = new AbortController()
  readonly #time: Time
  readonly #transactions: OpenTransactions
  readonly #unreadable: UnreadableBatches
  readonly #faults: PartitionFaults
  readonly #leaders: PartitionLeaders
  readonly #memory: FeedRoom
  readonly #pause: FetchPause
  #queues: PartitionQueue[] = []
  readonly #loops = new Map<string, Promise<unknown>>()
  /** What the loops do not wait for. */
  readonly #running = new Set<Promise<void>>()
  #arrived = Promise.withResolvers<void>()
  #room = Promise.withResolvers<void>()
  #fault: unknown = null

  private constructor(reader: Reader, say: Say, options: FeedOptions) {
    const { patient = false, part = 1, pauseMs = () => 0, time = realTime } = options
    this.#reader = reader
    this.#say = say
    this.#time = time
    this.#memory = new FeedRoom(part)
    this.#pause = new FetchPause(pauseMs, time)
    this.#faults = new PartitionFaults({ say, timeoutMs: reader.patience.timeoutMs, patient, time })
    this.#leaders = new PartitionLeaders(reader, () => time.now())
    this.#transactions = new OpenTransactions(say)
    this.#unreadable = new UnreadableBatches(say)
    this.#arrived.promise.catch(() => {})
  }

  static async open(
    kafka: Kafka,
    topics: readonly string[],
    say: Say,
    options: FeedOptions = {},
  ): Promise<PartitionFeed> {
    return new PartitionFeed(await kafka.reader(topics), say, options)
  }

  /** Closes every queue, and reads from these offsets instead. */
  async assign(offsets: readonly PartitionOffset[]): Promise<PartitionQueue[]> {
    for (const queue of this.#queues) queue.closed = true
    this.#queues = []
    this.#memory.bytes = 0
    this.#faults.keepOnly(offsets)
    return this.add(offsets)
  }

  /** Reads from these offsets too. */
  async add(offsets: readonly PartitionOffset[]): Promise<PartitionQueue[]> {
    const queues = offsets.map(nextOffset => new PartitionQueue(nextOffset))
    this.#queues = [...this.#queues, ...queues]
    this.#memory.share(this.#queues.length)
    if (queues.length > 0) await this.#leaders.find(this.#queues, false)
    this.#startLoops()
    this.#wakeLoops()
    this.#pause.end()
    return queues
  }

  /** Ends a pause: somebody waits for messages. */
  hurry(): void {
    this.#pause.end()
  }

  /** How many partitions a topic of this feed has now. */
  partitionsNow(topic: string): Promise<number> {
    return this.#reader.partitionsNow(topic)
  }

  /** Resolves when a message arrives after the call, or the news that there is none. Rejects when the feed breaks. */
  arrival(): Promise<void> {
    return this.#fault ? Promise.reject(this.#fault) : this.#arrived.promise
  }

  /** Takes the next message of a queue, and releases the one before it. */
  take(queue: PartitionQueue): Message | undefined {
    this.release(queue)
    const before = queue.bytes
    const message = queue.shift()
    queue.inHand = before - queue.bytes
    const { half } = this.#memory
    const isNowEmpty = message !== undefined && queue.length === 0
    if ((before >= half && queue.bytes < half) || (isNowEmpty && this.#memory.isFull)) this.#wakeLoops()
    return message
  }

  /** Says that the message taken last is no longer in memory. The feed may fetch again if there is room now. */
  release(queue: PartitionQueue): void {
    const { inHand } = queue
    queue.inHand = 0
    if (inHand === 0 || queue.closed) return
    const wasFull = this.#memory.isFull
    this.#memory.bytes -= inHand
    if (wasFull) this.#wakeLoops()
  }

  offsets(wanted: readonly TopicPartition[], which: 'start' | 'end'): Promise<PartitionOffset[]> {
    return this.#reader.offsets(wanted, which)
  }

  /** Ends every wait for an arrival, open or to come, with this fault. */
  interrupt(fault: unknown): void {
    this.#fault ??= fault
    this.#arrived.reject(this.#fault)
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    for (const queue of this.#queues) queue.closed = true
    this.#unreadable.close()
    this.interrupt(new Error('the feed was closed'))
    this.#wakeLoops()
    this.#pause.end()
    await this.#reader.close()
    await Promise.all([...this.#loops.values(), ...this.#running])
  }

  #startLoops(): void {
    for (const node of this.#leaders.nodes) {
      if (this.#loops.has(node)) continue
      const outage = new Outage('read from the broker', this.#say, this.#reader.patience, this.#time)
      const both = { turns: new FetchTurns(), outage }
      const loops = LANES.map(lane => this.#loop(node, lane, both))
      this.#loops.set(node, Promise.all(loops))
    }
  }

  #wakeLoops(): void {
    this.#room.resolve()
    this.#room = Promise.withResolvers<void>()
  }

  #announce(): void {
    this.#arrived.resolve()
    this.#arrived = Promise.withResolvers<void>()
    this.#arrived.promise.catch(() => {})
  }

  async #loop(node: string, lane: Lane, { turns, outage }: Node): Promise<void> {
    const { signal } = this.#stop
    let isCalm = true
    while (!signal.aborted) {
      if (this.#leaders.areOld) this.#aside(this.#refreshLeaders())
      const mine = this.#queues.filter(queue => this.#leaders.of(queue) === node)
      const open = mine.filter(queue => !queue.isResting && this.#memory.has(queue))
      const next = turns.next(lane, open, isCalm)
      if (!next) {
        if (mine.length === 0) outage.over() // others lead its partitions now
        await this.#room.promise
        continue
      }
      try {
        const fetched = await this.#fetch(node, next, lane)
        isCalm = true
        outage.over()
        this.#deliver(next.wanted, fetched)
        turns.over(lane)
        if (lane === 'long') await this.#pause.after(fetched)
      } catch (error) {
        turns.over(lane)
        if (signal.aborted) break
        isCalm = false
        await this.#recover(error, outage).catch(fault => this.#break(fault))
      }
      if (lane === 'short') this.#wakeLoops() // the long one may wait for what the short one had
    }
    outage.close()
  }

  #fetch(node: string, { wanted, waitMs: maxWaitMs }: NextFetch, lane: Lane): Promise<Fetched[]> {
    const offsets = wanted.map(({ topic, partition, nextOffset }) => ({ topic, partition, offset: nextOffset }))
    return this.#reader.fetch(node, offsets, { maxWaitMs, ...this.#memory.limits, aside: lane === 'short' })
  }

  #deliver(wanted: readonly PartitionQueue[], fetched: readonly Fetched[]): void {
    const queues = new Map(wanted.map(queue => [keyOf(queue), queue]))
    let news = false
    for (const found of fetched) {
      const queue = queues.get(keyOf(found))!
      if (queue.closed || queue.nextOffset !== found.offset) continue
      if (found.error) {
        this.#refused(queue, found, found.error)
        continue
      }
      if (found.preferredNode !== null) {
        this.#leaders.prefer(queue, found.preferredNode)
        this.#startLoops()
        this.#wakeLoops()
        continue
      }
      if (found.next > found.offset || found.end <= found.offset) this.#faults.over(queue)
      this.#transactions.note(found)
      this.#unreadable.note(queue, found.messages)
      const before = queue.bytes
      if (queue.bring(found, queue === wanted[0])) news = true
      this.#memory.bytes += queue.bytes - before
    }
    if (news) this.#announce()
  }

  /** The broker has nothing of one partition, for a reason that concerns no other partition: none of them waits. */
  #refused(queue: PartitionQueue, { outOfRange }: Fetched, error: Error): void {
    queue.emptyAnswers = 0
    // A replica may lag behind its leader, so what it does not hold is not lost.
    if (this.#leaders.forget(queue)) this.#wakeLoops()
    else if (outOfRange) this.#doAside(queue, () => this.#beginAgain(queue, error))
    else this.#rest(queue, error)
  }

  /** The log no longer holds the next offset. Readers that count rows will find the gap; others continue with the rest. */
  async #beginAgain(queue: PartitionQueue, error: Error): Promise<void> {
    const [start] = await this.#reader.offsets([queue], 'start')
    if (queue.closed) return
    if (!start || start.offset === queue.nextOffset) throw error
    if (start.offset > queue.nextOffset) queue.lost = { from: queue.nextOffset, end: start.offset }
    queue.nextOffset = start.offset
    this.#announce()
  }

  /** Fetches nothing for a queue for a moment, since its partition cannot be read. */
  #rest(queue: PartitionQueue, error: unknown): void {
    try {
      const { pauseMs, ofLeaders } = this.#faults.failed(queue, error, this.#queues)
      if (ofLeaders) this.#aside(this.#refreshLeaders())
      this.#doAside(queue, () => this.#time.sleep(pauseMs, this.#stop.signal))
    } catch (fault) {
      this.#break(fault)
    }
  }

  /** Fetches nothing for a queue until this is done. */
  #doAside(queue: PartitionQueue, work: () => Promise<void>): void {
    queue.isResting = true
    const done = async () => {
      try {
        await work()
        queue.isResting = false
        this.#wakeLoops()
      } catch (error) {
        if (!this.#stop.signal.aborted && !queue.closed) this.#rest(queue, error)
      }
    }
    this.#aside(done())
  }

  async #refreshLeaders(): Promise<void> {
    await this.#leaders.refresh(this.#queues)
    if (this.#stop.signal.aborted) return
    this.#startLoops()
    this.#wakeLoops()
  }

  async #recover(error: unknown, outage: Outage): Promise<void> {
    await outage.failed(error, this.#stop.signal)
    if (!this.#stop.signal.aborted) await this.#refreshLeaders() // or KafkaJS would connect again
  }

  /** Runs beside the loops. `close` waits for it. */
  #aside(work: Promise<void>): void {
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }

  #break(fault: unknown): void {
    this.interrupt(fault)
    this.#stop.abort()
  }
}
