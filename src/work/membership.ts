import { setTimeout as sleep } from 'node:timers/promises'
import type { Committed, GroupMember } from '../kafka/index.ts'
import { PartitionFeed } from '../kafka/partition-feed.ts'
import type { Job } from '../model.ts'
import type { PipelineConnection } from '../pipeline/context.ts'
import { rowTopics, topicsOf, workersGroup } from '../pipeline/topic-names.ts'
import type { DoneRows } from '../results/done-rows.ts'
import { monotonicMs } from '../support/clock.ts'
import { crashPoint } from '../support/crash-point.ts'
import { AssignedPartition } from './assigned-partition.ts'

const COMMIT_EVERY_MS = 250
/** How often a membership asks whether `results` has the partitions that some of its rows wait for. */
const LOOK_FOR_ROOM_MS = 5000
/** How often the membership of one attempt asks whether the group has done all of it. */
const LOOK_EVERY_MS = 1000

export interface MembershipOptions {
  /** Whether the pipeline has the topic `bulk`. Default: no. */
  readonly bulk?: boolean
  /** Of the worker, for messages. */
  readonly name: string
  /** The job as it was reopened; null: the first attempts of all jobs. Default: null. */
  readonly reopened?: Job | null
}

export interface MembershipHandlers {
  /** Moves the messages of a partition that was just assigned, until its queue is closed. */
  pump(held: AssignedPartition, membership: Membership): Promise<void>
  /** What of a reopened job has a row in these partitions by now. Throws the reason of `signal`. */
  findDone(job: Job, partitions: readonly number[], signal: AbortSignal): Promise<Map<number, DoneRows>>
  /** Adds partitions to `results` up to this number, where it has fewer; returns how many it has. Throws nothing. */
  resultPartitions(wanted: number): Promise<number>
  /** Told what trying again will not mend: the worker ends. */
  failed(fault: unknown): void
}

/**
 * What a worker is a member of, and the partitions it has there: the group of all first attempts, or that of one later
 * attempt of one job, which reads the rows of the job again and classifies those that have no row yet.
 */
export class Membership {
  readonly feed: PartitionFeed
  /** The job as it was reopened; null: the first attempts of all jobs. */
  readonly reopened: Job | null
  assigned: AssignedPartition[] = []
  readonly #connection: PipelineConnection
  readonly #name: string
  readonly #topics: readonly string[]
  readonly #member: GroupMember
  readonly #leave = new AbortController()
  #assignment = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #commits: NodeJS.Timeout | null = null
  #lookForRoom: NodeJS.Timeout | undefined
  #groupLost = false

  private constructor(
    connection: PipelineConnection,
    { name, reopened = null }: MembershipOptions,
    parts: { topics: readonly string[]; feed: PartitionFeed; member: GroupMember },
  ) {
    this.#connection = connection
    this.#name = name
    this.reopened = reopened
    this.#topics = parts.topics
    this.feed = parts.feed
    this.#member = parts.member
  }

  static async open(connection: PipelineConnection, options: MembershipOptions): Promise<Membership> {
    const { kafka, pipeline, say } = connection
    const { bulk = false, reopened = null } = options
    const topics = reopened ? [reopened.topic] : rowTopics(pipeline, bulk)
    const [feed, member] = await Promise.all([
      PartitionFeed.open(kafka, topics, say),
      kafka.member(workersGroup(pipeline, reopened), topics),
    ])
    return new Membership(connection, options, { topics, feed, member })
  }

  /** The number of the attempt that its results are of. */
  get attempt(): number {
    return this.reopened?.attempt ?? 0
  }

  /** Joins the group; from now on partitions come and go. */
  join(handlers: MembershipHandlers): void {
    this.#running = this.#member.run(
      {
        onAssigned: positions => this.#assign(positions, handlers),
        onRebalance: () => this.release().catch(() => {}), // the next owner begins a little earlier
        onTrouble: error => this.#lostGroup(error),
      },
      this.#leave.signal,
    )
    this.#commits = setInterval(() => void this.commit().catch(() => {}), COMMIT_EVERY_MS)
  }

  /**
   * Resolves when the group has committed everything that a job which is published to its end has in its topic by now: no
   * member has anything left to do. Rejects with the reason of `signal`.
   */
  async untilDone({ topic, rowsFrom }: Job, signal: AbortSignal): Promise<void> {
    const partitions = rowsFrom.map((_, partition) => ({ topic, partition }))
    const ends = await this.feed.offsets(partitions, 'end')
    const look = async () => {
      if (!this.assigned.every(({ queue, batcher }) => queue.drained && batcher.isEmpty)) return false
      const reached = [await this.#member.committed(partitions), await this.feed.offsets(partitions, 'start')].flat()
      return ends.every(end => reached.some(at => at.partition === end.partition && at.offset >= end.offset))
    }
    // In an outage, which the feed says and ends, it is not known.
    while (!(await look().catch(() => false))) {
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {}) // commits of other members tell nobody
      signal.throwIfAborted()
    }
  }

  async commit(): Promise<void> {
    const now = monotonicMs()
    const due = this.assigned.filter(held => held.commitIsDue(now))
    if (due.length === 0) return
    const positions = due.map(held => held.toCommit())
    await this.#member.commit(positions)
    crashPoint('committed')
    due.forEach((held, i) => {
      held.noteCommit(positions[i]!.offset, now)
    })
  }

  /** Commits all partitions, as one who gives them back. */
  async release(): Promise<void> {
    if (this.assigned.length > 0)
      await this.#member.commit(this.assigned.map(held => held.toCommit({ released: true })))
  }

  /** Commits what there is to say of one partition; false where it is the worker's no more. */
  async note(held: AssignedPartition): Promise<boolean> {
    while (!held.queue.closed) {
      try {
        await this.#member.commit([held.toCommit()])
        return true
      } catch {
        // The group is between two assignments: either it commits again, or this partition is somebody else's.
        await sleep(COMMIT_EVERY_MS, undefined, { signal: this.#leave.signal }).catch(() => {})
      }
    }
    return false
  }

  /** Leaves the group and forgets what it had there. */
  async close(): Promise<void> {
    clearInterval(this.#commits ?? undefined)
    clearInterval(this.#lookForRoom)
    this.#leave.abort()
    await this.#running
    const closing = [this.feed.close(), this.#member.close()]
    this.#assignment.abort() // now that its queues are closed, nobody misses what it was to find
    await Promise.all(closing)
    for (const held of this.assigned) held.makeRoom()
    this.assigned = []
  }

  /** Said once: it goes on trying, and says when it is back. */
  #lostGroup({ message }: Error): void {
    if (!this.#groupLost) this.#connection.say(`worker ${this.#name} lost its group: ${message}. Trying again`)
    this.#groupLost = true
  }

  /** All that was known of the partitions is dropped, also where they stay. */
  async #assign(given: readonly Committed[], handlers: MembershipHandlers): Promise<void> {
    const { pump, findDone, failed } = handlers
    const { pipeline, say } = this.#connection
    const name = this.#name
    const positions = await this.#withRoom(given, handlers)
    if (this.#groupLost) say(`worker ${name} is back in its group`)
    this.#groupLost = false
    if (given.length === 0 && this.reopened === null)
      say(`worker ${name} stays idle: other workers have all partitions of ${this.#topics.join(' and ')}`)
    const assigning = this.feed.assign(positions.map(at => this.#within(at)))
    this.#assignment.abort() // now that its queues are closed, nobody misses what it was to find
    this.#assignment = new AbortController()
    const queues = await assigning
    for (const held of this.assigned) held.makeRoom()
    const { attempt } = this
    const { bulk } = topicsOf(pipeline)
    this.assigned = queues.map((queue, i) => {
      const { metadata } = positions[i]!
      return new AssignedPartition(queue, { attempt, bulk: queue.topic === bulk, metadata })
    })
    // The next owner is to know how often this was begun, should this one say no more.
    if (queues.length > 0) await this.#member.commit(this.assigned.map(held => held.toCommit())).catch(() => {})
    const job = this.reopened
    const mine = positions.map(({ partition }) => partition).filter(partition => partition < (job?.partitions ?? 0))
    const done = job ? findDone(job, mine, this.#assignment.signal) : Promise.resolve(null)
    done.catch(() => {}) // each pump is told
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

  /** Those whose results have a partition to go to. Looks from time to time whether the others have one. */
  async #withRoom(
    given: readonly Committed[],
    { resultPartitions }: MembershipHandlers,
  ): Promise<readonly Committed[]> {
    clearInterval(this.#lookForRoom)
    const wanted = given.reduce((most, { partition }) => Math.max(most, partition + 1), 0)
    const found = await resultPartitions(wanted)
    if (found >= wanted) return given
    this.#lookForRoom = setInterval(async () => {
      if ((await resultPartitions(wanted)) >= wanted) this.#member.reassign()
    }, LOOK_FOR_ROOM_MS)
    return given.filter(({ partition }) => partition < found)
  }

  /** The rows of a job begin where it began, not where its topic does. */
  #within(at: Committed): Committed {
    const from = this.reopened?.rowsFrom[at.partition] ?? 0
    return from > at.offset ? { ...at, offset: from } : at
  }
}
