import { IntervalSet } from '../core/intervals.ts'
import type { Job, Rejected, Result } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { readResultsNow, resultPartitions } from '../results/snapshot.ts'

/** A row that has no result. Where it has no seq, its position is the offset of its message. */
export interface OpenReject extends Rejected {
  readonly partition: number
  readonly position: number
}

/** What `results` says of a job by now. */
export interface OpenRejects {
  /** The rows without a result that no later attempt has replaced, in the order of the rows, or by partition and offset. */
  readonly rejected: readonly OpenReject[]
  /** Whether every row has a result of some attempt, be it a reject. */
  readonly complete: boolean
}

/** Reads the results of the job as of now. Throws the reason of `signal`. */
export async function findRejects(context: PipelineContext, job: Job): Promise<OpenRejects> {
  const count = await resultPartitions(context, job)
  const partitions = Array.from({ length: count }, (_, partition) => new PartitionRejects(partition))
  /** Of each epoch, the first seq that is its own. */
  const epochs = new Map<number, number>()
  const ended = new Set<number>()
  await readResultsNow(context, { job, partitions: [...partitions.keys()] }, (partition, { kind, value }) => {
    epochs.set(value.epoch, value.from)
    if (kind === 'result') partitions[partition]!.add(value)
    else if (value.attempt === job.attempt) ended.add(partition)
  })
  const counts = ({ seq, epoch }: Found) =>
    seq === null || ![...epochs].some(([later, from]) => later > epoch && seq >= from)
  const rejected = partitions.flatMap(({ open }) => open.filter(counts)).sort((a, b) => a.seq! - b.seq!)
  return { rejected, complete: ended.size === partitions.length }
}

interface Found extends OpenReject {
  readonly epoch: number
  readonly attempt: number
}

/** The rejects of one partition: the first copy of a position counts, and a later attempt more than an earlier one. */
class PartitionRejects {
  readonly #partition: number
  /** By position. */
  readonly #rejected = new Map<number, Found>()
  /** By attempt, the positions it has. */
  readonly #covered = new Map<number, { positions: IntervalSet; next: number }>()
  #epoch = 0

  constructor(partition: number) {
    this.#partition = partition
  }

  add({ epoch, attempt, first, count, rejected }: Result): void {
    if (epoch < this.#epoch) return
    const covered = this.#covered.get(attempt) ?? { positions: new IntervalSet(), next: 0 }
    this.#covered.set(attempt, covered)
    if (epoch > this.#epoch) covered.next = 0 // a newer publisher may have other rows there
    this.#epoch = epoch
    const from = Math.max(first, covered.next)
    covered.positions.add(from, first + count)
    covered.next = Math.max(covered.next, first + count)
    for (const reject of rejected) {
      const position = first + reject.index
      const before = this.#rejected.get(position)
      if (position < from || (before && before.attempt >= attempt && before.epoch >= epoch)) continue
      this.#rejected.set(position, { ...reject, partition: this.#partition, position, epoch, attempt })
    }
  }

  get open(): Found[] {
    const replaced = ({ attempt, position }: Found) =>
      [...this.#covered].some(([later, { positions }]) => later > attempt && positions.has(position))
    return [...this.#rejected.values()].filter(found => !replaced(found))
  }
}
