/** While rows of a large job wait, one batch in so many is theirs: endless small jobs must not starve them. */
const BULK_EVERY = 10

/** A partition that takes turns. */
export interface Waits {
  /** Rows that wait for the classifier. */
  readonly waiting: number
  /** Whether they are rows of large jobs. */
  readonly bulk: boolean
}

/** Picks the next partition: small jobs and events before large jobs, and then the one that was served longest ago. */
export class FairTurns<T extends Waits> {
  readonly #lastTurn = new WeakMap<T, number>()
  #turn = 0
  /** Batches of small jobs since the last turn of a large job that waits. */
  #letThrough = 0

  /** The partition whose turn it is, among those with waiting rows. It counts as served. */
  next(all: readonly T[]): T | undefined {
    const first = this.#longestWaiting(all, false)
    const bulk = this.#longestWaiting(all, true)
    const next = bulk && this.#letThrough >= BULK_EVERY - 1 ? bulk : (first ?? bulk)
    this.#letThrough = bulk && next !== bulk ? this.#letThrough + 1 : 0
    if (next) this.#lastTurn.set(next, ++this.#turn)
    return next
  }

  #longestWaiting(all: readonly T[], bulk: boolean): T | undefined {
    let [found, since]: [T | undefined, number] = [undefined, Number.POSITIVE_INFINITY]
    for (const each of all) {
      if (each.waiting === 0 || each.bulk !== bulk) continue
      const lastTurn = this.#lastTurn.get(each) ?? 0
      if (lastTurn < since) [found, since] = [each, lastTurn]
    }
    return found
  }
}
