/** One batch in so many is of a large job while any of its rows wait: small jobs that never end must not stop it. */
const BULK_EVERY = 10

/** What takes turns: a partition of which rows may wait for the classifier. */
export interface Waits {
  /** How many rows. */
  readonly waiting: number
  /** Whether they are of jobs that let others through. */
  readonly bulk: boolean
}

/**
 * Whose rows go next: those of small jobs and events before those of large ones, and in both the partition that has not
 * been next for longest.
 */
export class Turns<T extends Waits> {
  readonly #lastTurn = new WeakMap<T, number>()
  #turn = 0
  /** Batches that were let through since one of a large job was next, or none waited. */
  #letThrough = 0

  /** Of those with rows that wait, the one whose turn it is; it counts as served. */
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
