import { FewLines } from '../support/few-lines.ts'
import type { Say } from '../support/say.ts'
import {
  describeUnreadable,
  type Fetched,
  type Kafka,
  type Message,
  type Position,
  type Reader,
  type TopicPartition,
} from './index.ts'
import { OpenTransactions } from './open-transactions.ts'
import { Outage } from './outage.ts'
import { PartitionQueue } from './partition-queue.ts'

/** How long a fetch waits for a first message. A drained queue waits no longer than this for a fetch that is under way. */
const FETCH_WAIT_MS = 100
/** The same if the fetch has every queue: then only a new assignment can wait for it. */
const IDLE_FETCH_WAIT_MS = 500
/** The bytes that all queues of one feed may hold. Each queue gets an equal share, within these bounds. */
const FEED_BYTES = 16 * 1024 * 1024
const MIN_QUEUE_BYTES = 64 * 1024
const MAX_QUEUE_BYTES = 512 * 1024
/** With this many bytes a feed fetches only for empty queues, and with OVERFULL_BYTES not at all. */
const FULL_BYTES = 16 * 1024 * 1024
const OVERFULL_BYTES = 3 * FULL_BYTES
/** An upper bound for one answer, whatever the number of partitions. */
const FETCH_BYTES = 1024 * 1024
/** How often in a row a broker must send nothing of a partition whose log goes on, before the feed believes in a hole. */
const HOLE_ANSWERS = 3

/**
 * Bounded, pull-based reading of partitions. A queue that is half empty asks for more. One slow taker holds up no other
 * partition, and nothing is fetched without room for it. The feed owns the positions: KafkaJS remembers none.
 */
export class PartitionFeed {
  readonly #reader: Reader
  readonly #say: Say
  readonly #stop = new AbortController()
  readonly #transactions: OpenTransactions
  readonly #unreadable: FewLines
  #queues: PartitionQueue[] = []
  #leaders = new Map<string, string>()
  #loops = new Map<string, Promise<void>>()
  #queueBytes = MAX_QUEUE_BYTES
  /** The bytes in all queues, and of messages that were taken and not released yet. */
  #bytes = 0
  /** Which partition is served first. */
  #turn = 0
  #arrived = Promise.withResolvers<void>()
  #room = Promise.withResolvers<void>()
  #fault: unknown = null

  private constructor(reader: Reader, say: Say) {
    this.#reader = reader
    this.#say = say
    this.#transactions = new OpenTransactions(say)
    this.#unreadable = new FewLines(say)
    this.#arrived.promise.catch(() => {})
  }

  static async open(kafka: Kafka, topics: readonly string[], say: Say): Promise<PartitionFeed> {
    return new PartitionFeed(await kafka.reader(topics), say)
  }

  /** Closes every queue, and reads from these positions instead. */
  async assign(positions: readonly Position[]): Promise<PartitionQueue[]> {
    for (const queue of this.#queues) queue.closed = true
    this.#queues = []
    this.#bytes = 0
    return this.add(positions)
  }

  /** Reads from these positions too. */
  async add(positions: readonly Position[]): Promise<PartitionQueue[]> {
    const queues = positions.map(position => new PartitionQueue(position))
    this.#queues = [...this.#queues, ...queues]
    const share = FEED_BYTES / Math.max(1, this.#queues.length)
    this.#queueBytes = Math.min(MAX_QUEUE_BYTES, Math.max(MIN_QUEUE_BYTES, share))
    if (queues.length > 0) await this.#findLeaders(false)
    this.#wakeLoops()
    return queues
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
    const half = this.#queueBytes / 2
    if (before >= half && queue.bytes < half) this.#wakeLoops()
    return message
  }

  /** Says that the message taken last is no longer in memory. The feed may fetch again if there is room now. */
  release(queue: PartitionQueue): void {
    const { inHand } = queue
    queue.inHand = 0
    if (inHand === 0 || queue.closed) return
    const wasFull = this.#bytes >= FULL_BYTES
    this.#bytes -= inHand
    if (wasFull) this.#wakeLoops()
  }

  offsets(wanted: readonly TopicPartition[], which: 'start' | 'end'): Promise<Position[]> {
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
    await this.#reader.close()
    await Promise.all(this.#loops.values())
  }

  async #findLeaders(refresh: boolean): Promise<void> {
    const leaders = await this.#reader.leaders(this.#queues, refresh)
    this.#leaders = new Map(
      [...leaders].flatMap(([node, led]) => led.map(at => [`${at.topic}/${at.partition}`, node] as const)),
    )
    for (const node of leaders.keys()) {
      if (!this.#loops.has(node)) this.#loops.set(node, this.#loop(node))
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

  async #loop(node: string): Promise<void> {
    const outage = new Outage('read from the broker', this.#say, this.#reader.patienceMs)
    const { signal } = this.#stop
    while (!signal.aborted) {
      const { wanted, waitMs } = this.#wantedFrom(node)
      if (wanted.length === 0) {
        await this.#room.promise
        continue
      }
      try {
        await this.#deliver(wanted, await this.#fetch(node, wanted, waitMs))
        outage.over()
      } catch (error) {
        if (signal.aborted) return
        await this.#recover(error, outage).catch(fault => this.#break(fault))
      }
    }
  }

  /** The queues to fetch for, in the order in which the broker fills its answer. */
  #wantedFrom(node: string): { wanted: PartitionQueue[]; waitMs: number } {
    const mine = this.#queues.filter(queue => this.#leaders.get(`${queue.topic}/${queue.partition}`) === node)
    const wanted = mine.filter(queue => this.#hasRoom(queue))
    const waitMs = wanted.length === mine.length ? IDLE_FETCH_WAIT_MS : FETCH_WAIT_MS
    this.#turn = wanted.length === 0 ? 0 : (this.#turn + 1) % wanted.length
    const inTurn = [...wanted.slice(this.#turn), ...wanted.slice(0, this.#turn)]
    const stuck = inTurn.filter(queue => queue.emptyAnswers > 0)
    if (stuck.length === 0) return { wanted: inTurn, waitMs }
    return { wanted: [...stuck, ...inTurn.filter(queue => queue.emptyAnswers === 0)], waitMs: FETCH_WAIT_MS }
  }

  /**
   * Whether more of a partition may be fetched. A batch is fetched whole, and may take 16 MB, so a few partitions can fill
   * the feed. The others still get their turn while their queues are empty.
   */
  #hasRoom(queue: PartitionQueue): boolean {
    if (queue.bytes >= this.#queueBytes / 2 || this.#bytes >= OVERFULL_BYTES) return false
    return this.#bytes < FULL_BYTES || queue.length === 0
  }

  #fetch(node: string, wanted: readonly PartitionQueue[], maxWaitMs: number): Promise<Fetched[]> {
    const positions = wanted.map(({ topic, partition, position }) => ({ topic, partition, offset: position }))
    return this.#reader.fetch(node, positions, {
      maxWaitMs,
      maxPartitionBytes: this.#queueBytes,
      maxBytes: FETCH_BYTES,
    })
  }

  /** Throws the error of a partition, after all other partitions got their messages. */
  async #deliver(wanted: readonly PartitionQueue[], fetched: readonly Fetched[]): Promise<void> {
    const queues = new Map(wanted.map(queue => [`${queue.topic}/${queue.partition}`, queue]))
    let news = false
    for (const found of fetched) {
      const queue = queues.get(`${found.topic}/${found.partition}`)!
      if (queue.closed || queue.position !== found.offset || found.error) continue
      const drainedBefore = queue.drained
      queue.end = found.end
      this.#transactions.note(found)
      this.#logUnreadable(queue, found.messages)
      const before = queue.bytes
      queue.push(found.messages, found.next)
      this.#bytes += queue.bytes - before
      if (found.next > found.offset || found.end <= found.offset) queue.emptyAnswers = 0
      else if (!found.empty)
        queue.emptyAnswers = 1 // the answer had no room for it: it is served first from now on
      else if (queue === wanted[0]) this.#leap(queue)
      else queue.emptyAnswers ||= 1
      if (queue.position !== found.offset || (queue.drained && !drainedBefore)) news = true
    }
    if (news) this.#announce()
    for (const found of fetched) {
      const queue = queues.get(`${found.topic}/${found.partition}`)!
      if (!found.error || queue.closed || queue.position !== found.offset) continue
      if (!found.outOfRange) throw found.error
      await this.#beginAgain(queue)
    }
  }

  #logUnreadable({ topic, partition }: PartitionQueue, messages: readonly Message[]): void {
    for (const message of messages) {
      if (!message.unreadable) continue
      const at = { topic, partition, offset: message.unreadable.first, last: message.offset }
      this.#unreadable.note(
        { kind: 'batches that cannot be read', ...at },
        () => `${topic}[${partition}]: ${describeUnreadable(message)}`,
      )
    }
  }

  /**
   * The first partition of a fetch gets at least one batch, if it has one. So this one has no batch between its position
   * and the end of its log: retention or compaction deleted all of them, and the last segment is empty.
   */
  #leap(queue: PartitionQueue): void {
    queue.emptyAnswers++
    if (queue.emptyAnswers <= HOLE_ANSWERS) return
    queue.position = queue.end
    queue.emptyAnswers = 0
  }

  /** The log no longer holds the position. Readers that count will see the gap, others continue with the rest. */
  async #beginAgain(queue: PartitionQueue): Promise<void> {
    const [start] = await this.#reader.offsets([queue], 'start')
    if (!start) return
    if (start.offset > queue.position) queue.lost = { from: queue.position, end: start.offset }
    queue.position = start.offset
    this.#announce()
  }

  async #recover(error: unknown, outage: Outage): Promise<void> {
    await outage.failed(error, this.#stop.signal)
    if (this.#stop.signal.aborted) return // or KafkaJS would connect again, and nobody would close that
    await this.#findLeaders(true).catch(() => {}) // without a leader the next fetch fails and comes back here
  }

  #break(fault: unknown): void {
    this.interrupt(fault)
    this.#stop.abort()
  }
}
