import type {
  DescribedGroup,
  Fetched,
  GroupOffsets,
  LeaderlessPartition,
  Message,
  PartitionOffset,
  Reader,
} from '../kafka/index.ts'
import { openTransactions } from '../kafka/index.ts'
import { keyOf } from '../kafka/topic-partition.ts'
import type { Job } from '../model.ts'
import type { PipelineConnection } from '../pipeline/context.ts'
import { JobLog } from '../pipeline/job-log.ts'
import { type PipelineTopics, rowTopics, topicsOf, workersGroup } from '../pipeline/topic-names.ts'
import { allSettled } from '../support/all-settled.ts'
import type { Time } from '../support/clock.ts'
import { AttemptGroups, type AttemptOffsets } from './attempt-groups.ts'
import type { CommittedPartition } from './partition-book.ts'
import { TopicFollower } from './topic-follower.ts'

/** How often it asks for new topics, and whether topics got more partitions. */
const METADATA_MS = 30_000
/** The same while a partition has no leader, or there is no topic of reports: the first command that reports creates it. */
const SOON_MS = 3000

/** Batches of most producers have 1 MB at most. */
const BATCH_BYTES = 1024 * 1024
const LAST_ROWS = { maxWaitMs: 0, maxPartitionBytes: BATCH_BYTES, maxBytes: 4 * BATCH_BYTES, keepBytes: BATCH_BYTES }

/** Who gets what is read. */
export interface SessionTakers {
  /** `isAfterLoss`: earlier ones were deleted before they were read. */
  results(partition: number, message: Message, isAfterLoss: boolean): void
  reports(message: Message): void
}

/** Where the logs of a pipeline end now, and what its workers committed. */
export interface PipelineOffsets {
  /** Of each partition of rows. */
  readonly rows: readonly CommittedPartition[]
  /** By partition. NaN: it has no leader, so its end is not known. */
  readonly resultEnds: readonly number[]
  /** The same. Empty: the pipeline has no such topic. */
  readonly reportEnds: readonly number[]
  readonly group: DescribedGroup
  /** Of each partition of each topic that has a leader. */
  readonly ends: readonly PartitionOffset[]
  /** The partitions that have no leader, or had none when the session was opened. */
  readonly leaderless: readonly LeaderlessPartition[]
}

/** The connections of a watch to one pipeline. They last until the broker was silent for longer than the broker timeout. */
export class WatchSession {
  readonly jobs: JobLog
  readonly results: TopicFollower
  /** Null: the pipeline had no such topic. */
  readonly #reports: TopicFollower | null
  readonly #connection: PipelineConnection
  /** Tells where open transactions begin. Most watches never need it. */
  #stable: Promise<Reader> | null = null
  readonly #topics: PipelineTopics
  readonly #rowTopics: readonly string[]
  readonly #log: Reader
  readonly #group: GroupOffsets
  readonly #attempts: AttemptGroups
  readonly #closers: Closer[]
  readonly #time: Time
  #askedAt: number
  /** The partitions that had no leader when it was opened. It cannot read them, also when they have one. */
  readonly #unread: ReadonlyMap<string, LeaderlessPartition>

  private constructor(parts: SessionParts) {
    this.#topics = parts.topics
    this.#connection = parts.connection
    this.#rowTopics = parts.rowTopics
    this.jobs = parts.jobs
    this.results = parts.results
    this.#reports = parts.reports
    this.#log = parts.log
    this.#group = parts.group
    this.#attempts = new AttemptGroups(parts.connection)
    this.#closers = [...parts.closers, this.#attempts]
    this.#time = parts.time
    this.#askedAt = parts.time.now()
    this.#unread = this.#leaderless
  }

  /** Throws what a reader throws if the pipeline cannot be read. */
  static async open(connection: PipelineConnection, takers: SessionTakers, time: Time): Promise<WatchSession> {
    const { kafka, pipeline, say } = connection
    const topics = topicsOf(pipeline)
    const closers: Closer[] = []
    const opened = async <T extends Closer>(opening: Promise<T>): Promise<T> => {
      const part = await opening
      closers.push(part)
      return part
    }
    const there = await topicsThere(connection, topics)
    const lanes = rowTopics(pipeline, there.has(topics.bulk))
    const opening = [
      opened(JobLog.open(kafka, pipeline, say)),
      opened(TopicFollower.open(connection, { topic: topics.results, time, take: takers.results })),
      there.has(topics.reports) ? opened(openReports(connection, topics.reports, { takers, time })) : null,
      opened(
        kafka.reader([...lanes, topics.jobs, topics.results, ...(there.has(topics.reports) ? [topics.reports] : [])]),
      ),
      opened(kafka.groupOffsets(workersGroup(pipeline), lanes)),
    ] as const
    try {
      const [jobs, results, reports, log, group] = await Promise.all(opening)
      const parts = { jobs, results, reports, log, group, closers }
      return new WatchSession({ ...parts, connection, topics, rowTopics: lanes, time })
    } catch (error) {
      await Promise.allSettled(opening)
      await closeAll(closers)
      throw error
    }
  }

  /**
   * Whether the pipeline has got a topic that this session does not follow, or other partitions lack a leader than when it was
   * opened: then open another one. Asks now and then.
   */
  async isOutdated(): Promise<boolean> {
    if (this.#hasOtherLeaders) return true
    const now = this.#time.now()
    if (now - this.#askedAt <= (this.#reports === null || this.#unread.size > 0 ? SOON_MS : METADATA_MS)) return false
    this.#askedAt = now
    const { bulk, reports, results } = this.#topics
    const [there] = await allSettled([topicsThere(this.#connection, this.#topics), this.#log.partitionsNow(results)])
    const isNew = (topic: string, isFollowed: boolean) => there.has(topic) && !isFollowed
    if (isNew(reports, this.#reports !== null) || isNew(bulk, this.#rowTopics.includes(bulk))) return true
    return this.#hasOtherLeaders
  }

  /** Asks where everything is now. The log of jobs is then read to its end. */
  async offsets(): Promise<PipelineOffsets> {
    const { jobs, results, reports } = this.#topics
    const rows = this.#rowTopics.flatMap(topic => this.#partitionsOf(topic))
    const others = [jobs, results, ...(this.#reports ? [reports] : [])].flatMap(topic => this.#partitionsOf(topic))
    const [committed, group, ends] = await allSettled([
      // none may connect again after the session is closed
      this.#group.committed(rows),
      this.#group.describe(),
      this.#log.offsets([...rows, ...others], 'end'),
    ])
    const commits = new Map(committed.map(at => [keyOf(at), at.offset]))
    const ofRows = ends.filter(({ topic }) => this.#rowTopics.includes(topic))
    const found = new Map(ends.map(at => [keyOf(at), at.offset]))
    for (const key of this.#unread.keys()) found.delete(key)
    const endsOf = (name: string) =>
      others.filter(({ topic }) => topic === name).map(at => found.get(keyOf(at)) ?? Number.NaN)
    await this.jobs.readTo(endsOf(jobs)[0]!)
    return {
      rows: ofRows.map(at => ({ ...at, committed: commits.get(keyOf(at)) ?? 0 })),
      resultEnds: endsOf(results),
      reportEnds: endsOf(reports),
      group,
      ends,
      leaderless: [...new Map([...this.#unread, ...this.#leaderless]).values()],
    }
  }

  get #hasOtherLeaders(): boolean {
    const now = this.#leaderless
    return now.size !== this.#unread.size || [...now.keys()].some(key => !this.#unread.has(key))
  }

  /** By `keyOf`. */
  get #leaderless(): Map<string, LeaderlessPartition> {
    const { jobs, results, reports } = this.#topics
    const found = [jobs, results, reports, ...this.#rowTopics].flatMap(topic => this.#log.leaderless(topic))
    return new Map(found.map(at => [keyOf(at), at]))
  }

  /** What the groups of these later attempts say now, by job. */
  attempts(jobs: readonly Job[]): Promise<Map<string, AttemptOffsets>> {
    return this.#attempts.ask(jobs)
  }

  /** What one small fetch at each broker brings of rows from these offsets on. A partition whose broker is not known is left out. */
  async fetchRows(offsets: readonly PartitionOffset[]): Promise<Fetched[]> {
    const fetched: Fetched[] = []
    for (const [node, here] of await this.#log.leaders(offsets, false))
      fetched.push(...(await this.#log.fetch(node, here, LAST_ROWS)))
    return fetched
  }

  /**
   * When the message at each of these offsets was appended, in ms since 1970. Null: nothing can be read there. Undefined: one
   * small fetch at each broker did not tell. It serves the first offsets first.
   */
  async timestamps(offsets: readonly PartitionOffset[]): Promise<(number | null | undefined)[]> {
    const found = new Map<string, number | null | undefined>()
    for (const [node, here] of await this.#log.leaders(offsets, false)) {
      const timestamps = await this.#log.timestamps(node, here)
      for (const [i, at] of here.entries()) found.set(keyOf(at), timestamps[i]!)
    }
    return offsets.map(at => found.get(keyOf(at)))
  }

  /**
   * Of these partitions, each with where its log ended a moment ago: those where an open transaction of another producer holds up
   * messages, with the offset at which it begins.
   */
  async openTransactions(partitions: readonly PartitionOffset[]): Promise<PartitionOffset[]> {
    this.#stable ??= this.#openStable()
    return openTransactions(await this.#stable, partitions)
  }

  /** Resolves when the reports below these offsets are taken. */
  async reportsRead(ends: readonly number[]): Promise<void> {
    await this.#reports?.untilRead(ends)
  }

  close(): Promise<void> {
    return closeAll(this.#closers)
  }

  async #openStable(): Promise<Reader> {
    const options = { stableEnds: true, operation: 'Describe' } as const
    const reader = await this.#connection.kafka.reader(this.#rowTopics, options)
    this.#closers.push(reader)
    return reader
  }

  #partitionsOf(topic: string) {
    return Array.from({ length: this.#log.partitions(topic) }, (_, partition) => ({ topic, partition }))
  }
}

interface Closer {
  close(): Promise<void>
}

interface SessionParts {
  readonly connection: PipelineConnection
  readonly topics: PipelineTopics
  readonly time: Time
  readonly rowTopics: readonly string[]
  readonly jobs: JobLog
  readonly results: TopicFollower
  readonly reports: TopicFollower | null
  readonly log: Reader
  readonly group: GroupOffsets
  readonly closers: Closer[]
}

async function topicsThere({ kafka }: PipelineConnection, { bulk, reports }: PipelineTopics) {
  const admin = await kafka.admin()
  try {
    return await admin.partitions([bulk, reports])
  } finally {
    await admin.close()
  }
}

async function openReports(
  connection: PipelineConnection,
  topic: string,
  { takers, time }: { readonly takers: SessionTakers; readonly time: Time },
): Promise<TopicFollower> {
  const take = (_: number, message: Message) => takers.reports(message)
  const follower = await TopicFollower.open(connection, { topic, time, take })
  try {
    await follower.beginAtStart()
    return follower
  } catch (error) {
    await follower.close()
    throw error
  }
}

async function closeAll(parts: readonly Closer[]): Promise<void> {
  await Promise.allSettled(parts.map(part => part.close()))
}
