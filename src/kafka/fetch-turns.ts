import type { PartitionQueue } from './partition-queue.ts'

/** How long a fetch stands that has all queues with room. A fetch that another one waits for is a `short` one. */
const LONG_WAIT_MS = 2000
/** How long a fetch waits that a queue may wait for. */
const SHORT_WAIT_MS = 100

/**
 * The two fetches of a feed that one broker may have at once. It answers the requests of one connection one after the other,
 * and no request can be cancelled. So the long one stands until a message comes, and the short one fetches meanwhile for
 * queues that have room now, or were just assigned.
 */
export type Lane = 'long' | 'short'

export interface NextFetch {
  /** In the order in which the broker fills its answer. */
  readonly wanted: readonly PartitionQueue[]
  readonly waitMs: number
}

const NONE: ReadonlySet<PartitionQueue> = new Set()

/** Which queues the next fetch of each lane is for, and how long it may wait. No queue is in both. */
export class FetchTurns {
  readonly #underWay: Record<Lane, ReadonlySet<PartitionQueue>> = { long: NONE, short: NONE }
  #longStands = false
  /** Which partition is served first. */
  #turn = 0

  /**
   * The next fetch for these queues. Null if the lane has nothing to fetch now: then it waits for room. `isCalm`: the last request did
   * not fail. Otherwise nothing waits long, so that the end of an outage is noticed.
   */
  next(lane: Lane, queues: readonly PartitionQueue[], isCalm: boolean): NextFetch | null {
    if (lane === 'short' && !this.#longStands) return null
    const others = this.#underWay[lane === 'long' ? 'short' : 'long']
    const wanted = queues.filter(queue => !others.has(queue))
    if (wanted.length === 0) return null
    this.#turn = (this.#turn + 1) % wanted.length
    const inTurn = [...wanted.slice(this.#turn), ...wanted.slice(0, this.#turn)]
    const [stuck, fluent] = [
      inTurn.filter(({ emptyAnswers }) => emptyAnswers > 0),
      inTurn.filter(q => q.emptyAnswers === 0),
    ]
    const mayStand = lane === 'long' && isCalm && others.size === 0 && stuck.length === 0
    this.#underWay[lane] = new Set(wanted)
    if (lane === 'long') this.#longStands = mayStand
    // A queue that was never fetched for does not know whether it is drained, and somebody may wait for that.
    const waitMs = wanted.some(({ end }) => end < 0) ? 0 : mayStand ? LONG_WAIT_MS : SHORT_WAIT_MS
    return { wanted: [...stuck, ...fluent], waitMs }
  }

  /** The fetch of a lane has ended. */
  over(lane: Lane): void {
    this.#underWay[lane] = NONE
    if (lane === 'long') this.#longStands = false
  }
}
