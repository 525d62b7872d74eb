import { keyOf as partitionKey } from '../kafka/topic-partition.ts'
import type { OpenedJob } from '../pipeline/job-log.ts'
import { isCommitted } from './interest.ts'
import type { CommittedPartition } from './partition-book.ts'

/**
 * The jobs of which commits said at some time that every row has a result. Commits may no longer say so when the rows of the next
 * job come, but it stays true until the job is opened again.
 */
export class CommittedJobs {
  #known = new Set<string>()

  /** The ids of those of `shown` that are committed. `rows`: of each partition of rows. */
  among(shown: readonly OpenedJob[], all: readonly OpenedJob[], rows: readonly CommittedPartition[]): Set<string> {
    const logs = new Map(rows.map(at => [partitionKey(at), { end: at.offset, committed: at.committed }]))
    const committedOf = (topic: string, partition: number) => logs.get(partitionKey({ topic, partition })) ?? null
    const found = shown.filter(each => this.#known.has(keyOf(each)) || isCommitted(each, all, committedOf))
    this.#known = new Set(found.map(keyOf))
    return new Set(found.map(({ job }) => job.id))
  }
}

function keyOf({ job: { id, state, attempt }, openedAt }: OpenedJob): string {
  return [id, openedAt, state, attempt].join('/')
}
