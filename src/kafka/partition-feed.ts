import type { Say } from '../support/say.ts'
import {
  bytesOf,
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

/** How long a fetch waits for a first message: also the longest a drained queue waits for a fetch already out. */
const FETCH_WAIT_MS = 100
/** The same where every queue is in the fetch already, so that only a new assignment can wait for it. */
const IDLE_FETCH_WAIT_MS = 500
/** What all queues of one feed may hold together, spread over the partitions within these bounds. */
const FEED_BYTES = 16 * 1024 * 1024
const MIN_QUEUE_BYTES = 64 * 1024
const MAX_QUEUE_BYTES = 512 * 1024
/** What a feed holds when it asks for no more of a partition that has something, and when it asks for nothing at all. */
const FULL_BYTES = 16 * 1024 * 1024
const OVERFULL_BYTES = 3 * FULL_BYTES
/** An upper bound for one answer, whatever the number of partitions. */
const FETCH_BYTES = 1024 * 1024
/** So often in a row a broker must have nothing to send of a partition, though its log goes on, before that is believed. */
const HOLE_ANSWERS = 3

/**
 * The messages of one partition that were fetched and not taken yet. It belongs to one assignment: at the next one it
 * is closed, with all that is in it.
 */
export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  /** The offset the next fetch asks for. */
  position: number
  /** The offset behind the last message that can be read, as of the last fetch; -1 before the first. */
  end = -1
  closed = false
  bytes = 0
  /** What the message takes that was taken last, until it is released. */
  inHand = 0
  /** So many answers in a row brought nothing although the log goes on: they were full, or the messages are gone. */
  emptyAnswers = 0
  /** What the log no longer held when it was to be fetched: the feed went on behind it. */
  lost: { readonly from: number; readonly behind: number } | null = null
  #messages: (Message | undefined)[] = []
  #head = 0

  constructor({ topic, partition, offset }: Position) {
    this.topic = topic
    this.partition = partition
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
    this.#messages[this.#head++] = undefined // a message keeps its whole batch in memory
    if (this.#head > 256 && this.#head * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    }
    return message
  }
}

/**
 * Bounded, pull-based reading of partitions. A queue asks for more when it is half empty; one slow taker holds up no
 * other partition, and nothing is fetched that has no room. The feed owns the positions: KafkaJS remembers none.
 */
export class PartitionFeed {
  readonly #reader: Reader
  readonly #say: Say
  readonly #stop = new AbortController()
  readonly #transactions: OpenTransactions
  #queues: PartitionQueue[] = []
  #leaders = new Map<string, string>()
  #loops = new Map<string, Promise<void>>()
  #queueBytes = MAX_QUEUE_BYTES
  /** What all queues hold, with what was taken of them and not released. */
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
    this.#arrived.promise.catch(() => {})
  }

  static async open(kafka: Kafka, topics: readonly string[], say: Say): Promise<PartitionFeed> {
    return new PartitionFeed(await kafka.reader(topics), say)
  }

  /** Forgets every queue and reads from these positions on. */
  async assign(positions: readonly Position[]): Promise<PartitionQueue[]> {
    for (const queue of this.#queues) queue.closed = true
    this.#queues = []
    this.#bytes = 0
    return this.add(positions)
  }

  /** Reads from these positions on too. */
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

  /** Resolves when a message, or the knowledge that there is none, arrived after the call; throws when the feed broke. */
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

  /** The message that was taken last is in memory no longer: lets the feed fetch where there is room again. */
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

  /** In the order in which the broker is to serve them: it fills its answer from the front. */
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
   * Whether more of a partition may be fetched. One batch is fetched whole, and may take 16 MB, so some partitions can fill
   * the feed: then the others still get their turn, as long as nothing of them is here.
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

  /** Throws what the broker says of a partition, after all others have what came. */
  async #deliver(wanted: readonly PartitionQueue[], fetched: readonly Fetched[]): Promise<void> {
    const queues = new Map(wanted.map(queue => [`${queue.topic}/${queue.partition}`, queue]))
    let news = false
    for (const found of fetched) {
      const queue = queues.get(`${found.topic}/${found.partition}`)!
      if (queue.closed || queue.position !== found.offset || found.error) continue
      const drainedBefore = queue.drained
      queue.end = found.end
      this.#transactions.note(found)
      for (const message of found.messages)
        if (message.unreadable) this.#say(`${queue.topic}[${queue.partition}]: ${describeUnreadable(message)}`)
      const before = queue.bytes
      queue.push(found.messages, found.next)
      this.#bytes += queue.bytes - before
      if (found.next > found.offset || found.end <= found.offset) queue.emptyAnswers = 0
      else if (!found.empty)
        queue.emptyAnswers = 1 // the answer had no room for it: now it is the first to be served
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

  /**
   * The first partition of a fetch gets at least one batch, if it has one. So it has none between its position and the end
   * of its log: retention or compaction took all of them, and the segment with the end is empty.
   */
  #leap(queue: PartitionQueue): void {
    queue.emptyAnswers++
    if (queue.emptyAnswers <= HOLE_ANSWERS) return
    queue.position = queue.end
    queue.emptyAnswers = 0
  }

  /** The log no longer holds the position. Readers that count will see the gap; others go on with what is there. */
  async #beginAgain(queue: PartitionQueue): Promise<void> {
    const [start] = await this.#reader.offsets([queue], 'start')
    if (!start) return
    if (start.offset > queue.position) queue.lost = { from: queue.position, behind: start.offset }
    queue.position = start.offset
    this.#announce()
  }

  async #recover(error: unknown, outage: Outage): Promise<void> {
    await outage.failed(error, this.#stop.signal)
    if (this.#stop.signal.aborted) return // or KafkaJS would connect again, and nobody close it
    await this.#findLeaders(true).catch(() => {}) // without a leader the next fetch fails and comes back here
  }

  #break(fault: unknown): void {
    this.interrupt(fault)
    this.#stop.abort()
  }
}

/**
 * Takes what comes in any of `queues` until `done` has held for each: it is asked for every message, and with null where
 * there is none now. Throws what the feed broke with.
 */
export async function takeUntil(
  feed: PartitionFeed,
  queues: readonly PartitionQueue[],
  done: (queue: PartitionQueue, message: Message | null) => boolean,
): Promise<void> {
  const isDone = (queue: PartitionQueue) => {
    for (let message = feed.take(queue); message; message = feed.take(queue)) if (done(queue, message)) return true
    return done(queue, null)
  }
  for (let open = queues; open.length > 0; ) {
    const arrival = feed.arrival()
    open = open.filter(queue => !isDone(queue))
    if (open.length > 0) await arrival
    else arrival.catch(() => {})
  }
}

/**
 * Reads one topic from these positions to its present end; `take` gets each message in log order. Throws the reason of
 * `signal`.
 */
export async function readNow(
  { kafka, say, signal }: { kafka: Kafka; say: Say; signal: AbortSignal },
  positions: readonly Position[],
  take: (partition: number, message: Message) => void,
): Promise<void> {
  const feed = await PartitionFeed.open(kafka, [...new Set(positions.map(({ topic }) => topic))], say)
  const interrupt = () => feed.interrupt(signal.reason)
  signal.addEventListener('abort', interrupt, { once: true })
  try {
    signal.throwIfAborted()
    const ends = new Map((await feed.offsets(positions, 'end')).map(({ partition, offset }) => [partition, offset]))
    await takeUntil(feed, await feed.assign(positions), ({ partition, position }, message) => {
      if (message) take(partition, message)
      return message === null && position >= ends.get(partition)!
    })
  } finally {
    signal.removeEventListener('abort', interrupt)
    await feed.close()
  }
}
