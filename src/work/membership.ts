import type { Committed, Member, MemberHandlers } from '../kafka/index.ts'
import { PartitionFeed } from '../kafka/partition-feed.ts'
import type { Job } from '../model.ts'
import type { PipelineConnection } from '../pipeline/context.ts'
import { rowTopics, topicsOf, workersGroup } from '../pipeline/topic-names.ts'
import type { DoneRows } from '../results/done-rows.ts'
import { realTime, type Time } from '../support/clock.ts'
import { crashPoint } from '../support/crash-point.ts'
import { Activity } from './activity.ts'
import { AssignedPartition } from './assigned-partition.ts'
import type { JoinedGroup } from './dead-members.ts'
import { ShareMember } from './share-member.ts'
import type { WorkerShare } from './worker-share.ts'

const COMMIT_EVERY_MS = 1000
/** How long to wait before a commit that was refused is repeated. */
const COMMIT_RETRY_MS = 250
/** How often a membership checks whether `results` has the partitions that some of its rows wait for. */
const LOOK_FOR_ROOM_MS = 5000
/** How often the membership of a later attempt checks whether the group has finished it. */
const LOOK_EVERY_MS = 1000
/** The part of a feed's memory for the rows of a reopened job. */
const REOPENED_PART = 0.25

export interface MembershipOptions {
  /** Whether the pipeline has the topic `bulk`. Default: no. */
  readonly bulk?: boolean
  /** The name of the worker in results and logs. */
  readonly name: string
  /** The reopened job, or null (the default) for the first attempts of all jobs. */
  readonly reopened?: Job | null
  /** Where the partitions come from: the supervisor of a run. Default: null, from a consumer group. */
  readonly share?: WorkerShare | null
  /** Called at each join of a group. Default: nobody needs to know. */
  readonly onJoined?: (joined: JoinedGroup) => void
  /** Default: nobody looks. */
  readonly activity?: Activity
  /** Default: real time. */
  readonly time?: Time
}

export interface MembershipHandlers {
  /** Moves the messages of a newly assigned partition until its queue is closed. */
  pump(held: AssignedPartition, membership: Membership): Promise<void>
  /** The rows of a reopened job that have a result by now, by partition. Throws the reason of `signal`. */
  findDone(job: Job, partitions: readonly number[], signal: AbortSignal): Promise<Map<number, DoneRows>>
  /** Grows `results` to this many partitions if it can, and returns how many it has. Throws nothing. */
  resultPartitions(wanted: number): Promise<number>
  /** Called with an error that a retry cannot fix: the worker ends. */
  failed(fault: unknown): void
}

/**
 * A worker's membership in one consumer group, and the partitions assigned to it now. One group serves the first attempts of all
 * jobs. Each later attempt of a job has its own group, which reads the rows again and classifies those without a result.
 * In a run of its own the group has no members: the supervisor deals the partitions, and the group keeps the commits.
 */
export class Membership {
  readonly feed: PartitionFeed
  /** The reopened job, or null for the first attempts of all jobs. */
  readonly reopened: Job | null
  assigned: AssignedPartition[] = []
  readonly #connection: PipelineConnection
  readonly #name: string
  readonly #topics: readonly string[]
  readonly #onJoined: (joined: JoinedGroup) => void
  readonly #activity: Activity
  readonly #member: Member
  readonly #leave = new AbortController()
  #assignment = new AbortController()
  #running: Promise<void> = Promise.resolve()
  readonly #time: Time
  #stopCommits = () => {}
  #stopLooking = () => {}
  #groupLost = false
  #hasJoined = false
  #saidNoPartition = false

  private constructor(
    connection: PipelineConnection,
    { name, reopened = null, onJoined = () => {}, activity = new Activity(), time = realTime }: MembershipOptions,
    parts: { topics: readonly string[]; feed: PartitionFeed; member: Member },
  ) {
    this.#connection = connection
    this.#name = name
    this.reopened = reopened
    this.#time = time
    this.#onJoined = onJoined
    this.#activity = activity
    this.#topics = parts.topics
    this.feed = parts.feed
    this.#member = parts.member
  }

  static async open(connection: PipelineConnection, options: MembershipOptions): Promise<Membership> {
    const { kafka, pipeline, say } = connection
    const { bulk = false, reopened = null, share = null, time = realTime } = options
    const topics = reopened ? [reopened.topic] : rowTopics(pipeline, bulk)
    const group = workersGroup(pipeline, reopened)
    const [feed, member] = await Promise.all([
      PartitionFeed.open(kafka, topics, say, { patient: true, time, part: reopened ? REOPENED_PART : 1 }),
      share
        ? kafka
            .groupOffsets(group, topics)
            .then(offsets => new ShareMember(share, offsets, { topic: topics[0]!, time }))
        : kafka.member(group, topics),
    ])
    return new Membership(connection, options, { topics, feed, member })
  }

  /** The number of the attempt that its results are of. */
  get attempt(): number {
    return this.reopened?.attempt ?? 0
  }

  /** Whether it holds no row that waits for a result, and knows of none to come. */
  get isIdle(): boolean {
    return this.assigned.every(({ queue, batcher }) => queue.drained && batcher.isEmpty)
  }

  /** Joins the group; from now on partitions come and go. */
  join(handlers: MembershipHandlers): void {
    const group = workersGroup(this.#connection.pipeline, this.reopened)
    const member: MemberHandlers = {
      onJoined: member => this.#onJoined({ group, member }),
      onAssigned: offsets => this.#assign(offsets, handlers),
      onRebalance: () => this.release().catch(() => {}), // if it fails, the next owner starts a little earlier
      onRevoked: () => this.#drop(),
      onTrouble: error => this.#lostGroup(error),
    }
    this.#running = this.#member.run(member, this.#leave.signal).catch(error => handlers.failed(error))
    this.#stopCommits = this.#time.every(COMMIT_EVERY_MS, () => void this.commit().catch(() => {}))
  }

  /**
   * Resolves when the group has committed all messages of a fully published job, so no member has anything left to do.
   * Rejects with the reason of `signal`.
   */
  async untilDone({ topic, rowsFrom }: Job, signal: AbortSignal): Promise<void> {
    const partitions = rowsFrom.map((_, partition) => ({ topic, partition }))
    const ends = await this.feed.offsets(partitions, 'end')
    const look = async () => {
      if (!this.isIdle) return false
      const reached = [await this.#member.committed(partitions), await this.feed.offsets(partitions, 'start')].flat()
      return ends.every(end => reached.some(at => at.partition === end.partition && at.offset >= end.offset))
    }
    // During an outage we do not know. The feed reports the outage and its end.
    while (!(await look().catch(() => false))) {
      await this.#time.sleep(LOOK_EVERY_MS, signal) // commits of other members raise no event
      signal.throwIfAborted()
    }
  }

  async commit(): Promise<void> {
    const now = this.#time.now()
    const due = this.assigned.filter(held => held.commitIsDue(now))
    if (due.length === 0) return
    const offsets = due.map(held => held.toCommit())
    await this.#member.commit(offsets)
    crashPoint('committed')
    due.forEach((held, i) => {
      held.noteCommit(offsets[i]!.offset, now)
    })
  }

  /** Commits all partitions. Their metadata says that they are given back in good health. */
  async release(): Promise<void> {
    if (this.assigned.length > 0)
      await this.#member.commit(this.assigned.map(held => held.toCommit({ released: true })))
  }

  /** Commits one partition. Returns false if the worker no longer holds the partition. */
  async commitOne(held: AssignedPartition): Promise<boolean> {
    while (!held.queue.closed) {
      try {
        await this.#member.commit([held.toCommit()])
        return true
      } catch {
        // The group is rebalancing. Afterwards we can commit again, or the partition has another owner.
        await this.#time.sleep(COMMIT_RETRY_MS, this.#leave.signal)
      }
    }
    return false
  }

  /** Asks at once whether the group has changed. */
  wake(): void {
    this.#member.wake()
  }

  /** Leaves the group and drops its partitions. */
  async close(): Promise<void> {
    this.#stopCommits()
    this.#stopLooking()
    this.#leave.abort()
    await this.#running
    const closing = [this.feed.close(), this.#member.close()]
    this.#assignment.abort() // its queues are closed, so nobody waits for what it was to find
    await Promise.all(closing)
    for (const held of this.assigned) held.makeRoom()
    this.assigned = []
  }

  /**
   * Logs once that the worker is in no group. The member retries, and `#assign` logs when it is in. Before its first join
   * this is a wait and no fault: a broker that has just started is still loading the group.
   */
  #lostGroup({ message }: Error): void {
    const what = this.#hasJoined ? 'lost its group' : 'waits until the broker lets it join its group'
    if (!this.#groupLost) this.#connection.say(`worker ${this.#name} ${what} (${message}). Retrying`, { level: 'warn' })
    this.#groupLost = true
  }

  /** Takes no more messages, and sends no more results, of the partitions that it has. */
  #drop(): void {
    void this.feed.assign([])
    for (const held of this.assigned) held.makeRoom()
    this.assigned = []
  }

  /** Takes a new assignment. It drops everything known about the partitions, even about those that stay. */
  async #assign(given: readonly Committed[], handlers: MembershipHandlers): Promise<void> {
    const { pump, findDone, failed } = handlers
    const { pipeline, say } = this.#connection
    const name = this.#name
    const offsets = await this.#withRoom(given, handlers)
    if (this.#groupLost) say(`worker ${name} ${this.#hasJoined ? 'is back in' : 'has joined'} its group`)
    this.#groupLost = false
    this.#hasJoined = true
    this.#activity.joined()
    if (given.length === 0 && this.reopened === null && !this.#saidNoPartition) {
      // It may get batches of other workers of its command (lending-desk.ts), so it is not idle.
      say(`worker ${name} has no partition: other workers have all partitions of ${this.#topics.join(' and ')}`)
      this.#saidNoPartition = true
    }
    const assigning = this.feed.assign(offsets.map(at => this.#within(at)))
    this.#assignment.abort() // its queues are closed, so nobody waits for what it was to find
    this.#assignment = new AbortController()
    const queues = await assigning
    for (const held of this.assigned) held.makeRoom()
    const { attempt } = this
    const { bulk } = topicsOf(pipeline)
    this.assigned = queues.map((queue, i) => {
      const { metadata } = offsets[i]!
      return new AssignedPartition(queue, { attempt, bulk: queue.topic === bulk, metadata, now: this.#time.now() })
    })
    // If this worker dies without another commit, the next owner sees in the metadata that these were handed out.
    if (queues.length > 0) await this.#member.commit(this.assigned.map(held => held.toCommit())).catch(() => {})
    const job = this.reopened
    const mine = offsets.map(({ partition }) => partition).filter(partition => partition < (job?.partitions ?? 0))
    const done = job ? findDone(job, mine, this.#assignment.signal) : Promise.resolve(null)
    done.catch(() => {}) // each pump gets the rejection
    for (const held of this.assigned) {
      const pumping = done.then(found => {
        held.done = found?.get(held.queue.partition)?.positions ?? null
        return pump(held, this)
      })
      pumping.catch(fault => {
        if (!held.queue.closed) failed(fault)
      })
    }
  }

  /** The offsets of the partitions that exist in `results`. Checks from time to time whether the others exist too. */
  async #withRoom(
    given: readonly Committed[],
    { resultPartitions }: MembershipHandlers,
  ): Promise<readonly Committed[]> {
    this.#stopLooking()
    const wanted = given.reduce((most, { partition }) => Math.max(most, partition + 1), 0)
    const found = await resultPartitions(wanted)
    if (found >= wanted) return given
    this.#stopLooking = this.#time.every(LOOK_FOR_ROOM_MS, async () => {
      if ((await resultPartitions(wanted)) >= wanted) this.#member.reassign()
    })
    return given.filter(({ partition }) => partition < found)
  }

  /** A reopened job starts at its own first offset, not at the start of its topic. */
  #within(at: Committed): Committed {
    const from = this.reopened?.rowsFrom[at.partition] ?? 0
    return from > at.offset ? { ...at, offset: from } : at
  }
}
