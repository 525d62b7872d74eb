import type { DescribedGroup, GroupOffsets } from '../kafka/index.ts'
import { keyOf } from '../kafka/topic-partition.ts'
import type { Job } from '../model.ts'
import type { PipelineConnection } from '../pipeline/context.ts'
import { workersGroup } from '../pipeline/topic-names.ts'
import { allSettled } from '../support/all-settled.ts'

/** What the group of a later attempt committed, and who is in it. */
export interface AttemptOffsets {
  /** By partition. */
  readonly committed: readonly number[]
  readonly group: DescribedGroup
}

/** Asks the groups of later attempts. Each has a connection of its own, as long as it is asked. */
export class AttemptGroups {
  readonly #connection: PipelineConnection
  readonly #groups = new Map<string, Promise<GroupOffsets>>()
  #isClosed = false

  constructor(connection: PipelineConnection) {
    this.#connection = connection
  }

  /** What the groups of these attempts say now, by job. Lets go of all other groups. */
  async ask(jobs: readonly Job[]): Promise<Map<string, AttemptOffsets>> {
    if (this.#isClosed) return new Map()
    const ids = new Set(jobs.map(job => workersGroup(this.#connection.pipeline, job)))
    const others = [...this.#groups].filter(([id]) => !ids.has(id))
    for (const [id] of others) this.#groups.delete(id)
    await Promise.all(others.map(([, group]) => closeOnce(group)))
    const asked = await allSettled<AttemptOffsets[]>(jobs.map(job => this.#askOne(job))) // none may go on after it is closed
    return new Map(jobs.map(({ id }, i) => [id, asked[i]!]))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#groups.values()].map(closeOnce))
  }

  async #askOne(job: Job): Promise<AttemptOffsets> {
    const { topic, rowsFrom } = job
    const id = workersGroup(this.#connection.pipeline, job)
    const opening = this.#groups.get(id) ?? this.#connection.kafka.groupOffsets(id, [topic])
    this.#groups.set(id, opening)
    const offsets = await opening
    const committed = await offsets.committed(rowsFrom.map((_, partition) => ({ topic, partition })))
    const group = await offsets.describe()
    const found = new Map(committed.map(at => [keyOf(at), at.offset]))
    // A later attempt begins at the first row of its job, and may not have committed that yet.
    return {
      committed: rowsFrom.map((from, partition) => Math.max(from, found.get(keyOf({ topic, partition })) ?? 0)),
      group,
    }
  }
}

async function closeOnce(group: Promise<GroupOffsets>): Promise<void> {
  await group.then(
    offsets => offsets.close(),
    () => {}, // it was never opened
  )
}
