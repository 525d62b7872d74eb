import { IntervalSet } from '../core/intervals.ts'
import { RowLedger } from '../core/row-ledger.ts'
import type { Job, Rejected, Result } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { readResultsNow, resultPartitions } from '../results/snapshot.ts'

/** A row without a result. If it has no seq, its position is the offset of its message. */
export interface OpenReject extends Rejected {
  readonly partition: number
  readonly position: number
}

/** The rejects of a job as of now. */
export interface OpenRejects {
  /** Rows without a result that no later attempt has replaced: in the order of the rows, or by partition and offset. */
  readonly rejected: readonly OpenReject[]
  /** Whether every row has a result or a reject of some attempt. */
  readonly complete: boolean
}

/** Reads the results of the job as of now. Throws the reason of `signal`. */
export async function findRejects(context: PipelineContext, job: Job): Promise<OpenRejects> {
  const count = await resultPartitions(context, job)
  const partitions = Array.from({ length: count }, (_, partition) => new PartitionRejects(partition))
  /** By epoch, the first seq that is its own. */
  const epochs = new Map<number, number>()
  const ended = new Set<number>()
  await readResultsNow(context, { job, partitions: [...partitions.keys()] }, (partition, { kind, value }) => {
    epochs.set(value.epoch, value.from)
    if (kind === 'result') partitions[partition]!.add(value)
    else if (value.attempt === job.attempt) ended.add(partition)
  })
  const counts = ({ seq, epoch }: FoundReject) =>
    seq === null || ![...epochs].some(([later, from]) => later > epoch && seq >= from)
  const rejected = partitions.flatMap(({ open }) => open.filter(counts)).sort((a, b) => a.seq! - b.seq!)
  return { rejected, complete: ended.size === partitions.length }
}

interface FoundReject extends OpenReject {
  readonly epoch: number
  readonly attempt: number
}

/** The rejects of one partition. A later attempt replaces an earlier one; within an attempt the first copy counts. */
class PartitionRejects {
  readonly #partition: number
  readonly #ledger = new RowLedger()
  /** By position. */
  readonly #rejected = new Map<number, FoundReject>()
  /** By attempt, the positions that it has. */
  readonly #covered = new Map<number, IntervalSet>()

  constructor(partition: number) {
    this.#partition = partition
  }

  add(result: Result): void {
    const { epoch, attempt, first, count, rejected } = result
    const { from, end } = this.#ledger.take(result, first, count)
    const covered = this.#covered.get(attempt) ?? new IntervalSet()
    this.#covered.set(attempt, covered)
    covered.add(from, end)
    for (const reject of rejected) {
      const position = first + reject.index
      const before = this.#rejected.get(position)
      if (position < from || (before && before.attempt >= attempt && before.epoch >= epoch)) continue
      this.#rejected.set(position, { ...reject, partition: this.#partition, position, epoch, attempt })
    }
  }

  get open(): FoundReject[] {
    const replaced = ({ attempt, position }: FoundReject) =>
      [...this.#covered].some(([later, positions]) => later > attempt && positions.has(position))
    return [...this.#rejected.values()].filter(found => !replaced(found))
  }
}
