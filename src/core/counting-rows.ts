import type { EndOfInput, Job, RowsHead } from '../model.ts'
import type { TakeoverPoint } from './job-epochs.ts'
import { RowLedger } from './row-ledger.ts'
import { misplacement, placeOf, rowsInPartition, seqOf } from './sequence.ts'

/** The messages of one partition after the takeover point. */
interface PartitionRows {
  readonly ledger: RowLedger
  /** By epoch, the end of the positions of its rows. */
  readonly ends: Map<number, number>
}

/**
 * Finds out which rows of a sequenced event job count, from the messages after a takeover point. In a partition, nothing of an
 * older epoch counts after a newer one. In all partitions, no row of an older epoch counts from the `from` of a newer
 * epoch on. A barrier does not say `from`: nobody knows it yet when the barrier is sent.
 */
export class CountingRows {
  readonly #job: Job
  readonly #point: TakeoverPoint
  readonly #found: PartitionRows[]
  readonly #from = new Map<number, number>()

  constructor(job: Job, point: TakeoverPoint) {
    this.#job = job
    this.#point = point
    this.#found = Array.from({ length: job.partitions }, () => ({
      ledger: new RowLedger(point.epoch),
      ends: new Map(),
    }))
  }

  /** The highest epoch in the partition so far. */
  epochOf(partition: number): number {
    return this.#found[partition]!.ledger.epoch
  }

  /** Whether the partition has a row of the job after the takeover point. */
  hasRows(partition: number): boolean {
    return this.#found[partition]!.ends.size > 0
  }

  takeRows(partition: number, { epoch, from, seq, count }: RowsHead): void {
    const { ledger, ends } = this.#found[partition]!
    if (!ledger.enter(epoch) || count === 0 || seq === null) return
    if (misplacement(seq, count, { partition, layout: this.#job })) return
    this.#from.set(epoch, from)
    ledger.take({ epoch }, placeOf(seq, this.#job).position, count)
    ends.set(epoch, ledger.end())
  }

  takeEnd(partition: number, { epoch, from }: EndOfInput): void {
    if (this.#found[partition]!.ledger.enter(epoch)) this.#from.set(epoch, from)
  }

  /** The lowest seq without a row that counts. No lower row is missing: a producer sends the rows of a partition in order. */
  get next(): number {
    const first = this.#found.map(({ ends }, partition) =>
      seqOf({ partition, position: this.#endOf(partition, ends) }, this.#job),
    )
    return Math.min(...first)
  }

  /** The end of the positions of the rows that count. */
  #endOf(partition: number, ends: ReadonlyMap<number, number>): number {
    let end = rowsInPartition(partition, this.#point.from, this.#job)
    for (const epoch of [...this.#from.keys()].sort((a, b) => a - b)) {
      if (epoch > this.#point.epoch) end = Math.min(end, rowsInPartition(partition, this.#from.get(epoch)!, this.#job))
      end = Math.max(end, ends.get(epoch) ?? 0)
    }
    return end
  }
}
