import { attemptOf } from '../core/job.ts'
import type { PartitionOffset } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import type { AttemptOffsets } from './attempt-groups.ts'
import type { JobFacts } from './facts.ts'
import { type CommittedPartition, PartitionBook, type TimestampsAt } from './partition-book.ts'

/** What was read of later attempts at one moment. */
export interface AttemptsRead {
  /** By job. */
  readonly found: ReadonlyMap<string, AttemptOffsets>
  /** Where the partitions of rows end. */
  readonly rows: readonly PartitionOffset[]
  /** What the group of first attempts has of the same partitions. */
  readonly first: PartitionBook
  readonly now: number
  readonly timestampsAt: TimestampsAt
}

/** What is known of the later attempts whose groups are asked. It forgets the others. */
export class AttemptBook {
  /** By `attemptOf`. */
  #attempts = new Map<string, { readonly book: PartitionBook; readonly group: AttemptOffsets['group'] }>()

  async note(asked: readonly Job[], { found, rows, first, now, timestampsAt }: AttemptsRead): Promise<void> {
    const before = this.#attempts
    this.#attempts = new Map()
    for (const job of asked) {
      const { committed, group } = found.get(job.id)!
      const book = before.get(attemptOf(job))?.book ?? new PartitionBook(job.at)
      const here = rows.filter(({ topic, partition }) => topic === job.topic && partition < committed.length)
      const asOfGroup = here.map((at): CommittedPartition => ({ ...at, committed: committed[at.partition]! }))
      await book.note(asOfGroup, now, timestampsAt)
      book.takeTransactions(first)
      this.#attempts.set(attemptOf(job), { book, group })
    }
  }

  /** The facts of a job, with those of its later attempt. */
  withAttempt(facts: JobFacts): JobFacts {
    const attempt = this.#attempts.get(attemptOf(facts.job))
    return attempt ? { ...facts, laterAttempt: { group: attempt.group, partitions: attempt.book.facts } } : facts
  }
}
