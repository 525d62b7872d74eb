import { IntervalSet } from './intervals.ts'
import type { Job, Rejected, Result } from './model.ts'
import { type ResultsPlace, readResultsNow } from './results-now.ts'

/** What `results` says of a job by now. */
export interface OpenRejects {
  /** The rows without a result that no later attempt has replaced, in the order of the rows. */
  readonly rejected: readonly Rejected[]
  /** Whether every row has a result of some attempt, be it a reject. */
  readonly complete: boolean
}

/** Reads the results of the job as of now. Throws the reason of `signal`. */
export async function findRejects(job: Job, place: ResultsPlace): Promise<OpenRejects> {
  const partitions = job.rowsFrom.map(() => new PartitionRejects())
  const ended = new Set<number>()
  await readResultsNow(job, [...partitions.keys()], place, (partition, { kind, value }) => {
    if (kind === 'result') partitions[partition]!.add(value)
    else if (value.attempt === job.attempt) ended.add(partition)
  })
  const rejected = partitions.flatMap(({ open }) => open).sort((a, b) => a.seq! - b.seq!)
  return { rejected, complete: ended.size === partitions.length }
}

/** The rejects of one partition: the first copy of a position counts, and a later attempt more than an earlier one. */
class PartitionRejects {
  /** By position. */
  readonly #rejected = new Map<number, { attempt: number; reject: Rejected }>()
  /** By attempt, the positions it has. */
  readonly #covered = new Map<number, { positions: IntervalSet; next: number }>()

  add({ attempt, first, count, rejected }: Result): void {
    const covered = this.#covered.get(attempt) ?? { positions: new IntervalSet(), next: 0 }
    this.#covered.set(attempt, covered)
    const from = Math.max(first, covered.next)
    covered.positions.add(from, first + count)
    covered.next = Math.max(covered.next, first + count)
    for (const reject of rejected) {
      const position = first + reject.index
      const before = this.#rejected.get(position)
      if (position >= from && (!before || before.attempt < attempt)) this.#rejected.set(position, { attempt, reject })
    }
  }

  get open(): Rejected[] {
    return [...this.#rejected].flatMap(([position, { attempt, reject }]) => {
      const replaced = [...this.#covered].some(([later, { positions }]) => later > attempt && positions.has(position))
      return replaced ? [] : [reject]
    })
  }
}
