import type { Message } from '../kafka/index.ts'
import type { Time } from '../support/clock.ts'

/** For each topic that the watch follows, where its partitions end. */
interface FollowedEnds {
  readonly results: readonly number[]
  readonly reports: readonly number[]
}

type Read = Pick<Message, 'offset' | 'timestamp'>

/** If our two clocks part by more than this, one of them was set, or the machine slept. */
const LEAP_MS = 1000

/** What time it is by the clock of the broker, as well as messages tell. It is ours, as long as that can be right. */
export class BrokerClock {
  readonly #time: Time
  readonly #wallClock: () => number
  /** How far the clock of the broker is ahead of ours for durations, at least and at most. */
  #least = Number.NEGATIVE_INFINITY
  #most = Number.POSITIVE_INFINITY
  /** When the ends of the logs were last asked for, by our clock for durations, and the time before. The last one first. */
  #asks: readonly { readonly time: number; readonly ends: FollowedEnds }[] = []
  /** How far our wall clock was ahead of that for durations. */
  #lead: number

  constructor(time: Time, wallClock: () => number) {
    this.#time = time
    this.#wallClock = wallClock
    this.#lead = wallClock() - time.now()
  }

  /** Milliseconds since 1970. */
  get now(): number {
    const lead = this.#wallClock() - this.#time.now()
    if (Math.abs(lead - this.#lead) > LEAP_MS) {
      this.#lead = lead
      this.#most = Number.POSITIVE_INFINITY
    }
    return Math.round(this.#time.now() + Math.max(this.#least, Math.min(lead, this.#most)))
  }

  /** The broker's clock shows this or more now, in ms since 1970. */
  get earliest(): number {
    return this.#time.now() + this.#least
  }

  /** The ends that were asked for at `time`, by our clock for durations, are known. What comes after them is newer. */
  asked(time: number, ends: FollowedEnds): void {
    this.#asks = [{ time, ends }, ...this.#asks.slice(0, 1)]
  }

  /** A message is read. */
  reads(topic: keyof FollowedEnds, partition: number, { offset, timestamp }: Read): void {
    const before = this.#asks.find(({ ends }) => offset >= (ends[topic][partition] ?? Number.POSITIVE_INFINITY))
    const least = timestamp - this.#time.now()
    const most = before === undefined ? Number.POSITIVE_INFINITY : timestamp - before.time
    this.#least = Math.max(this.#least, least)
    this.#most = Math.min(this.#most, most)
    if (this.#least <= this.#most) return
    this.#least = least // a clock was set: what was read last counts
    this.#most = most
  }
}
