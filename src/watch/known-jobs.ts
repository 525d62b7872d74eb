import { RowmillError } from '../errors.ts'
import type { LeaderlessPartition } from '../kafka/index.ts'
import type { JobLog, OpenedJob } from '../pipeline/job-log.ts'
import { describeLeaderless } from './without-leader.ts'

/** The jobs of a pipeline, as they are now, or as they were while nobody leads the partition of their log. */
export class KnownJobs {
  #log: JobLog | null = null

  /**
   * A log is read to its end, or cannot be read since its partition has no leader. Throws PARTITION_UNREADABLE if no log was ever
   * read: then nothing is known of any job.
   */
  note(log: JobLog, leaderless: readonly LeaderlessPartition[]): void {
    const unread = leaderless.find(({ topic }) => topic === log.topic)
    if (!unread) this.#log = log
    else if (this.#log === null) {
      const { topic, partition } = unread
      const message = `nothing is known of any job: ${describeLeaderless(unread)}. Start it again. rowmill doctor shows what is away`
      throw new RowmillError('PARTITION_UNREADABLE', message, { topic, partition })
    }
  }

  get all(): OpenedJob[] {
    return this.#log!.all
  }

  attemptsOf(id: string) {
    return this.#log!.attemptsOf(id)
  }
}
