import type { EndOfInput, Job, RowsHead } from '../model.ts'
import type { Mark } from './job-epochs.ts'
import { misplacement, placeOf, rowsInPartition, seqOf } from './sequence.ts'

interface Found {
  /** The highest epoch met in the partition: behind it, lower ones do not count. */
  epoch: number
  /** The position behind the last row of each epoch. */
  readonly ends: Map<number, number>
}

/**
 * Which rows of a sequenced event job count, as told by what lies in its topic behind a mark. In one partition nothing
 * of an older epoch counts behind a newer one; and of older epochs no row at or above the `from` of a newer one counts
 * in any partition. A barrier says no `from`: when it is sent, nobody knows it yet.
 */
export class CountingRows {
  readonly #job: Job
  readonly #mark: Mark
  readonly #found: Found[]
  readonly #from = new Map<number, number>()

  constructor(job: Job, mark: Mark) {
    this.#job = job
    this.#mark = mark
    this.#found = Array.from({ length: job.partitions }, () => ({ epoch: mark.epoch, ends: new Map() }))
  }

  /** The highest epoch met in the partition so far. */
  epochOf(partition: number): number {
    return this.#found[partition]!.epoch
  }

  /** Whether the partition has any row of the job behind the mark. */
  hasRows(partition: number): boolean {
    return this.#found[partition]!.ends.size > 0
  }

  takeRows(partition: number, { epoch, from, seq, count }: RowsHead): void {
    if (!this.#counts(partition, epoch) || count === 0 || seq === null) return
    if (misplacement(seq, count, { partition, layout: this.#job })) return
    this.#from.set(epoch, from)
    const { ends } = this.#found[partition]!
    ends.set(epoch, Math.max(ends.get(epoch) ?? 0, placeOf(seq, this.#job).position + count))
  }

  takeEnd(partition: number, { epoch, from }: EndOfInput): void {
    if (this.#counts(partition, epoch)) this.#from.set(epoch, from)
  }

  /** The lowest seq of which no row counts. A producer sends the rows of a partition in order: none below is missing. */
  get next(): number {
    const first = this.#found.map((_, partition) => seqOf({ partition, position: this.#behind(partition) }, this.#job))
    return Math.min(...first)
  }

  #counts(partition: number, epoch: number): boolean {
    const found = this.#found[partition]!
    if (epoch < found.epoch) return false
    found.epoch = epoch
    return true
  }

  /** The position behind the last row that counts. */
  #behind(partition: number): number {
    const { ends } = this.#found[partition]!
    let behind = rowsInPartition(partition, this.#mark.from, this.#job)
    for (const epoch of [...this.#from.keys()].sort((a, b) => a - b)) {
      if (epoch > this.#mark.epoch) {
        behind = Math.min(behind, rowsInPartition(partition, this.#from.get(epoch)!, this.#job))
      }
      behind = Math.max(behind, ends.get(epoch) ?? 0)
    }
    return behind
  }
}
