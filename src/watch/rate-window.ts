/** The longest time that a rate is asked over. */
export const WINDOW_SECONDS = 30
/** The second under way counts too. */
const SLOTS = WINDOW_SECONDS + 2

/** Counts what happened in each of the last seconds. Times are milliseconds since 1970; they need not come in order. */
export class RateWindow {
  /** By second, modulo their number: which second a slot counts, and what it counted. */
  readonly #seconds = new Float64Array(SLOTS).fill(-1)
  readonly #counts = new Float64Array(SLOTS)
  #first: number | null = null
  #last: number | null = null

  /** When something was first counted. Null: never. */
  get firstAt(): number | null {
    return this.#first
  }

  /** When something was last counted. Null: never. */
  get lastAt(): number | null {
    return this.#last
  }

  add(at: number, count: number): void {
    this.#first = Math.min(at, this.#first ?? at)
    this.#last = Math.max(at, this.#last ?? at)
    const second = Math.floor(at / 1000)
    const slot = second % SLOTS
    if (this.#seconds[slot]! > second) return // long ago
    if (this.#seconds[slot]! < second) this.#counts[slot] = 0
    this.#seconds[slot] = second
    this.#counts[slot]! += count
  }

  /** How many a second: over the last 30 s, or since the first of them if that is later, but at least over 1 s. */
  rate(now: number): number {
    if (this.#first === null) return 0
    const from = Math.max(this.#first, now - WINDOW_SECONDS * 1000)
    let sum = 0
    for (let slot = 0; slot < SLOTS; slot++) {
      const second = this.#seconds[slot]!
      if (second >= Math.floor(from / 1000) && second * 1000 <= now) sum += this.#counts[slot]!
    }
    return sum / Math.max(1, (now - from) / 1000)
  }
}
