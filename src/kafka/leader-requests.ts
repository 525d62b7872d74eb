import { realTime, type Time } from '../support/clock.ts'
import type { OutgoingMessage } from './outgoing-batch.ts'
import type { BatchOutcome } from './produce-request.ts'
import { RequestRoom } from './request-room.ts'
import { keyOf, type TopicPartition } from './topic-partition.ts'

/**
 * The most that one request carries unless max.request.size says otherwise. It is below Kafka's default limit for a topic. A
 * single message may be larger.
 */
const REQUEST_BYTES = 1_000_000
/** The most messages in one request, so that encoding it does not block the event loop for long. */
const REQUEST_MESSAGES = 2_000
/** After this long, a request no longer holds up other partitions: one of its partitions may wait for a replica. */
const SLOW_REQUEST_MS = 500

/**
 * Takes the messages of a partition that fit into a request. It is called while the request is put together, so what came while the
 * partition waited travels too. After a failure it must return the same array. An empty one: nothing fits.
 */
export type Take = (room: RequestRoom) => readonly OutgoingMessage[]

/** The messages of one partition in a request. */
export interface PartitionMessages extends TopicPartition {
  readonly messages: readonly OutgoingMessage[]
}

/** How requests come to the leaders of partitions. */
export interface Leaders {
  /** The broker that leads a partition now. */
  of(to: TopicPartition): Promise<string>
  /**
   * Sends one request over one of the two connections to a broker. Resolves with the outcome of each partition, in their
   * order. Rejects if nothing is known of any.
   */
  produce(node: string, batches: readonly PartitionMessages[], connection: 0 | 1): Promise<readonly BatchOutcome[]>
}

/** A partition that waits until its messages travel. */
interface WaitingPartition extends TopicPartition {
  readonly key: string
  readonly take: Take
  readonly settle: (outcome: BatchOutcome) => void
}

/** A connection to a leader. It carries one request at a time: a broker answers them one after the other anyway. */
interface Line {
  readonly connection: 0 | 1
  isBusy: boolean
}

interface Leader {
  readonly node: string
  /** The partitions that travel together, over the main line. */
  readonly together: WaitingPartition[]
  /** Those that travel alone, over the side line. */
  readonly alone: WaitingPartition[]
  main: Line
  side: Line
}

/**
 * One request at a time for each leader, with all partitions that wait for it. The outcome of each partition is judged by itself.
 *
 * The broker answers a request when its slowest partition has all replicas in sync. So a partition that failed, and those of a
 * request that took longer than 500 ms, travel alone until they are acknowledged in less. They have a connection of their own:
 * when a request is slow, the two connections change places.
 */
export class LeaderRequests {
  readonly #leaders: Leaders
  readonly #time: Time
  readonly #requestBytes: number
  readonly #known = new Map<string, Leader>()
  /** The partitions that travel alone. */
  readonly #suspects = new Set<string>()

  constructor(leaders: Leaders, { maxRequestBytes, time = realTime }: { maxRequestBytes: number | null; time?: Time }) {
    this.#leaders = leaders
    this.#requestBytes = maxRequestBytes ?? REQUEST_BYTES
    this.#time = time
  }

  /**
   * Resolves with the offset of the first message when all in-sync replicas have all messages. Rejects if they are not
   * acknowledged: they may be written or not. One call at a time for a partition keeps its messages in order.
   */
  async send({ topic, partition }: TopicPartition, take: Take): Promise<number> {
    const key = keyOf({ topic, partition })
    const leader = this.#leader(await this.#leaders.of({ topic, partition }))
    const { promise, resolve } = Promise.withResolvers<BatchOutcome>()
    const queue = this.#suspects.has(key) ? leader.alone : leader.together
    queue.push({ topic, partition, key, take, settle: resolve })
    this.#proceed(leader)
    const outcome = await promise
    if (typeof outcome === 'number') return outcome
    throw outcome
  }

  #leader(node: string): Leader {
    const known = this.#known.get(node)
    if (known) return known
    const main = { connection: 0, isBusy: false } as const
    const side = { connection: 1, isBusy: false } as const
    const leader = { node, together: [], alone: [], main, side }
    this.#known.set(node, leader)
    return leader
  }

  /** Sends what can be sent, after all code that runs now has added to it. */
  #proceed(leader: Leader): void {
    process.nextTick(() => {
      if (!leader.main.isBusy) void this.#request(leader, leader.main, this.#gather(leader.together))
      if (!leader.side.isBusy) void this.#request(leader, leader.side, this.#gather(leader.alone, 1))
    })
  }

  /** Takes out those that travel in the next request, at most `most`. Of a partition only one does, and the others wait. */
  #gather(waiting: WaitingPartition[], most = Number.POSITIVE_INFINITY): Map<WaitingPartition, PartitionMessages> {
    const room = new RequestRoom({ bytes: this.#requestBytes, messages: REQUEST_MESSAGES })
    const gathered = new Map<WaitingPartition, PartitionMessages>()
    const keys = new Set<string>()
    for (const each of waiting.splice(0)) {
      const { topic, partition, key, take } = each
      const messages = keys.has(key) || gathered.size === most ? [] : take(room)
      if (messages.length === 0) waiting.push(each)
      else gathered.set(each, { topic, partition, messages })
      if (messages.length > 0) room.fill(messages)
      keys.add(key)
    }
    return gathered
  }

  async #request(
    leader: Leader,
    line: Line,
    gathered: ReadonlyMap<WaitingPartition, PartitionMessages>,
  ): Promise<void> {
    if (gathered.size === 0) return
    const partitions = [...gathered.keys()]
    line.isBusy = true
    let isSlow = false
    const stopTimer = this.#time.after(SLOW_REQUEST_MS, () => {
      isSlow = true
      for (const { key } of partitions) this.#suspects.add(key)
      if (leader.main === line) [leader.main, leader.side] = [leader.side, line]
      this.#proceed(leader)
    })
    const outcomes = await this.#leaders
      .produce(leader.node, [...gathered.values()], line.connection)
      .catch((error: Error): BatchOutcome[] => partitions.map(() => error))
    stopTimer()
    line.isBusy = false
    for (const [i, { key, settle }] of partitions.entries()) {
      const outcome = outcomes[i]!
      if (typeof outcome !== 'number') this.#suspects.add(key)
      else if (!isSlow) this.#suspects.delete(key)
      settle(outcome)
    }
    this.#proceed(leader)
  }
}
