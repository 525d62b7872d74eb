/** A transaction that its producer gave up, as the answer to a fetch names it. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

/** What the head of a batch says about transactions. */
export interface LoggedBatch {
  /** The offset of its last message. */
  readonly last: number
  readonly producerId: bigint
  /** Whether it is the end of a transaction. */
  readonly isControl: boolean
  readonly isTransactional: boolean
}

/** Drops messages of aborted transactions. Transactions of several producers overlap, so it tracks each producer. */
export class AbortedFilter {
  readonly #begins: AbortedTransaction[]
  readonly #open = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#begins = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /** Whether to read the next batch in the log. */
  passes(batch: LoggedBatch): boolean {
    while (this.#begins[0] && this.#begins[0].firstOffset <= batch.last)
      this.#open.add(this.#begins.shift()!.producerId)
    if (batch.isControl) {
      // A producer has one transaction at a time, so this record ends the one we track, if we track one.
      this.#open.delete(batch.producerId)
      return false
    }
    return !batch.isTransactional || !this.#open.has(batch.producerId)
  }
}
