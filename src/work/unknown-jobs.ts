import { bytesOf, copyOf, type Message } from '../kafka/index.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import type { Time } from '../support/clock.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import type { Membership } from './membership.ts'

/** How long a message waits for the record of its job. */
const WAIT_MS = 5000
/** How much may wait in one worker. At this bound we read `jobs` to its end and decide at once. */
const MOST_MESSAGES = 4_000
const MOST_BYTES = 16 * 1024 * 1024
/** A partition may always have this much waiting, however much of others waits. */
const OWN_MESSAGES = 100
const OWN_BYTES = 64 * 1024
/** How many jobs without a record we remember. */
const REMEMBERED_JOBS = 10_000

/** A message, where it waits, and the membership that read it. */
export interface Deferred {
  readonly held: AssignedPartition
  readonly membership: Membership
  readonly message: Message
  /** Why it cannot be read, if it waits only to learn whether its job cannot be read here either. */
  readonly flaw?: string
}

/** The messages of one unknown job, in the order of each partition. */
interface WaitingJob {
  readonly untilMs: number
  readonly messages: Deferred[]
}

export interface UnknownJobsOptions {
  readonly jobs: JobLog
  readonly time: Time
  /** Takes a message whose job is now known. */
  accept(deferred: Deferred): Promise<void>
  /** Rejects a message without a job. Resolves when there is room for another one. */
  reject(deferred: Deferred, job: string): Promise<void>
  /** Called after messages were accepted. */
  accepted(): void
  failed(fault: unknown): void
}

/**
 * Holds messages whose job has no record yet. Other messages of their partition pass them; only the committed offset
 * stays below them. All jobs wait at the same time, so 100 unknown jobs take no longer than one. Later messages of a job
 * whose record did not come in time do not wait: we read `jobs` to its end once, and decide.
 *
 * The wait is bounded. A producer writes the job record before its rows, so we rarely need to wait. Beyond the bound a
 * message is rejected after one look into `jobs`, instead of holding up the rows after it.
 */
export class UnknownJobs {
  readonly #options: UnknownJobsOptions
  readonly #waiting = new Map<string, WaitingJob>()
  readonly #vain = new Set<string>()
  /** How much waits, of each partition and of all. */
  readonly #ofPartition = new WeakMap<AssignedPartition, { messages: number; bytes: number }>()
  #messages = 0
  #bytes = 0
  #running = false
  #closed = false
  #wake = Promise.withResolvers<void>()
  #room = Promise.withResolvers<void>()

  constructor(options: UnknownJobsOptions) {
    this.#options = options
  }

  /** Whether messages of the job wait. Later messages of the job must then wait too, to keep their order. */
  has(job: string): boolean {
    return this.#waiting.has(job)
  }

  /** Holds a message until its job is known or rejected. Resolves when there is room for another message. */
  async defer(job: string, arrival: Deferred): Promise<void> {
    const { held, message } = arrival
    const waiting = this.#waiting.get(job) ?? { untilMs: this.#untilMs(job), messages: [] }
    this.#waiting.set(job, waiting)
    waiting.messages.push({ ...arrival, message: copyOf(message) })
    held.batcher.defer(message.offset)
    this.#count(held, 1, bytesOf(message))
    if (!this.#running) void this.#run()
    else if (this.#isFull || waiting.untilMs <= this.#options.time.now()) this.#wake.resolve()
    while (this.#isFull && this.#hasItsShare(held) && !this.#closed) await this.#room.promise
  }

  close(): void {
    this.#closed = true
    this.#wake.resolve()
    this.#makeRoom()
  }

  get #isFull(): boolean {
    return this.#messages >= MOST_MESSAGES || this.#bytes >= MOST_BYTES
  }

  #hasItsShare(held: AssignedPartition): boolean {
    const { messages, bytes } = this.#ofPartition.get(held)!
    return messages >= OWN_MESSAGES || bytes >= OWN_BYTES
  }

  #count(held: AssignedPartition, messages: number, bytes: number): void {
    const own = this.#ofPartition.get(held) ?? { messages: 0, bytes: 0 }
    this.#ofPartition.set(held, { messages: own.messages + messages, bytes: own.bytes + bytes })
    this.#messages += messages
    this.#bytes += bytes
  }

  #untilMs(job: string): number {
    return this.#options.time.now() + (this.#vain.has(job) ? 0 : WAIT_MS)
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      while (this.#waiting.size > 0 && !this.#closed) {
        this.#wake = Promise.withResolvers<void>()
        const news = this.#options.jobs.news()
        const due = this.#due
        if (due.length > 0) await this.#options.jobs.latest('')
        const known = [...this.#waiting.keys()].filter(job => this.#options.jobs.known(job))
        const vain = due.filter(job => !this.#options.jobs.known(job))
        if (known.length + vain.length === 0) await this.#until(news)
        else await Promise.all([this.#accept(known), this.#reject(vain)])
      }
    } catch (fault) {
      if (!this.#closed) this.#options.failed(fault)
    } finally {
      this.#running = false
    }
  }

  /** The jobs whose wait is over. */
  get #due(): string[] {
    const now = this.#options.time.now()
    const all = this.#isFull
    return [...this.#waiting].filter(([, { untilMs }]) => all || untilMs <= now).map(([job]) => job)
  }

  async #until(news: Promise<void>): Promise<void> {
    const { time } = this.#options
    const next = Math.min(...[...this.#waiting.values()].map(({ untilMs }) => untilMs))
    const due = Promise.withResolvers<void>()
    const stopTimer = time.after(Math.max(0, next - time.now()), due.resolve)
    await Promise.race([news, this.#wake.promise, due.promise]).finally(stopTimer)
  }

  async #accept(jobs: readonly string[]): Promise<void> {
    if (jobs.length === 0) return
    await Promise.all(
      jobs.map(job =>
        this.#settle(job, async messages => {
          for (const deferred of messages) await this.#options.accept(deferred)
        }),
      ),
    )
    this.#options.accepted()
  }

  async #reject(jobs: readonly string[]): Promise<void> {
    for (const job of jobs) {
      this.#remember(job)
      await this.#settle(job, async messages => {
        for (const deferred of messages) await this.#options.reject(deferred, job)
      })
    }
  }

  /** Empties what waits for a job, with what comes meanwhile. */
  async #settle(job: string, take: (messages: readonly Deferred[]) => Promise<void>): Promise<void> {
    const { messages } = this.#waiting.get(job)!
    while (messages.length > 0) {
      const taken = messages.splice(0)
      const open = taken.filter(({ held }) => !held.queue.closed) // the next owner reads the others again
      await take(open)
      for (const { held, message } of taken) {
        held.batcher.decide(message.offset)
        this.#count(held, -1, -bytesOf(message))
      }
      this.#makeRoom()
    }
    this.#waiting.delete(job)
  }

  #remember(job: string): void {
    this.#vain.add(job)
    const [oldest] = this.#vain
    if (this.#vain.size > REMEMBERED_JOBS) this.#vain.delete(oldest!)
  }

  #makeRoom(): void {
    this.#room.resolve()
    this.#room = Promise.withResolvers<void>()
  }
}
