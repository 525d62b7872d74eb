import { setImmediate as turn } from 'node:timers/promises'
import type { RowsMessage } from '../core/batcher.ts'
import { isName } from '../core/names.ts'
import { toRowmillError } from '../errors.ts'
import { describeUnreadable, type Message, TRACEPARENT } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import { realTime, type Time } from '../support/clock.ts'
import { crashPoint } from '../support/crash-point.ts'
import { FewLines } from '../support/few-lines.ts'
import type { Say } from '../support/say.ts'
import { isOfUnknownSchema } from '../wire/codec.ts'
import { admit, type MessageContent, readContent, type Verdict } from './admission.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import type { Membership } from './membership.ts'
import { survivesReading } from './read-apart.ts'
import { RejectCopies, type TraceReject } from './reject-copies.ts'
import type { RejectTopic } from './reject-topic.ts'
import { type Deferred, UnknownJobs } from './unknown-jobs.ts'

/** If a partition has this much waiting, nothing more is taken from its queue, however few rows that is. */
const WAITING_BYTES = 4 * 1024 * 1024
/** After this long, the intake gives way to fetches, acknowledgements and heartbeats. */
const SLICE_MS = 5
/** Why a message that no worker survives is rejected. */
const FATAL =
  'two workers ended or hung while they read this message, and so did a process that read nothing else. So it is skipped ' +
  'unread. If rowmill itself crashed, please report it'

export interface IntakeOptions {
  readonly jobs: JobLog
  readonly rejects: RejectTopic
  /** How many rows a batcher should have ready for the classifier. */
  readonly batchRows: number
  readonly say: Say
  /** Default: real time. */
  readonly time?: Time
  /** Null: tracing is off. */
  readonly traceReject: TraceReject | null
  /** Whether the worker gave up on this attempt of the job. */
  gaveUp(job: Job): boolean
  /** Fails the job for everyone, since this message contradicts earlier ones. Resolves when that is acknowledged. */
  failJob(held: AssignedPartition, message: Message, fault: { job: Job; why: string }): Promise<void>
  /** Called after something was added to a batcher. */
  arrived(): void
  /** Called with the error that ends the worker. */
  failed(fault: unknown): void
}

/** Moves the messages of a worker's partitions from the feed into their batchers, or into `rejects`. */
export class Intake {
  readonly #options: IntakeOptions
  readonly #time: Time
  readonly #unknown: UnknownJobs
  readonly #copies: RejectCopies
  readonly #lines: FewLines
  readonly #saidLost = new WeakSet<object>()
  #stopped = false
  #sliceBegan = 0
  #pause: Promise<void> | null = null

  constructor(options: IntakeOptions) {
    const { jobs, rejects, say, time = realTime, traceReject, arrived, failed } = options
    this.#options = options
    this.#time = time
    this.#lines = new FewLines(say, { time, hint: `; copies are in ${rejects.topic}` })
    this.#copies = new RejectCopies({ rejects, lines: this.#lines, trace: traceReject, failed })
    this.#unknown = new UnknownJobs({
      jobs,
      time,
      accept: deferred => this.#accept(deferred, { waited: true }),
      reject: ({ held, message, flaw }, id) =>
        flaw === undefined
          ? this.#reject(held, message, 'UNKNOWN_JOB', `no job ${id} in ${jobs.topic}`)
          : this.#reject(held, message, 'MALFORMED', flaw),
      accepted: arrived,
      failed,
    })
  }

  /** Takes messages of one partition, a little ahead of the classifier, until the assignment ends. */
  async pump(held: AssignedPartition, membership: Membership): Promise<void> {
    this.#sliceBegan = this.#time.now()
    while (!held.queue.closed && !this.#stopped) {
      const { waiting, waitingBytes } = held.batcher
      if (waiting >= this.#options.batchRows || waitingBytes >= WAITING_BYTES) {
        await held.room()
        continue
      }
      const message = membership.feed.take(held.queue)
      this.#sayLost(held)
      if (!message) {
        await membership.feed.arrival()
        this.#sliceBegan = this.#time.now() // a fetch was let in just now
        continue
      }
      held.inHand = true
      await this.#accept({ held, membership, message })
      held.inHand = false
      membership.feed.release(held.queue)
      this.#options.arrived()
      if (this.#time.now() - this.#sliceBegan >= SLICE_MS) await this.#letOthersIn()
    }
  }

  /** Resolves in the next turn of the event loop. Without it a flood of messages would block the loop for seconds. */
  #letOthersIn(): Promise<void> {
    this.#pause ??= turn().then(() => {
      this.#sliceBegan = this.#time.now()
      this.#pause = null
    })
    return this.#pause
  }

  /** Reports once what the log lost before it was read: nobody else would notice that events are missing. */
  #sayLost({ queue }: AssignedPartition): void {
    const { topic, partition, lost } = queue
    if (!lost || this.#saidLost.has(lost)) return
    this.#saidLost.add(lost)
    const { from, end } = lost
    this.#options.say(
      `${topic}[${partition}]: offsets ${from} to ${end - 1} are gone (retention, or kafka-delete-records), and no ` +
        'commit says that workers read them. Rows that were there may have no result',
      { level: 'warn', topic, partition, offset: from },
    )
  }

  /** Takes no more messages. Resolves when the copies that are on their way to `rejects` are acknowledged. */
  async drain(): Promise<void> {
    this.#stopped = true
    await this.#copies.drain()
  }

  close(): void {
    this.#stopped = true
    this.#unknown.close()
    this.#lines.close()
  }

  /** `waited`: the message waited for the record of its job, which is known now. */
  async #accept(arrival: Deferred, { waited = false } = {}): Promise<void> {
    const { held, membership, message } = arrival
    const { offset, value } = message
    if (message.unreadable) return this.#reject(held, message, 'UNREADABLE', describeUnreadable(message))
    if (value && held.handOuts.isSuspect(offset) && !(await survivesReading(value)))
      return this.#reject(held, message, 'POISON', FATAL)
    let content: MessageContent | null
    try {
      content = await this.#read(arrival)
      if (!content) return
    } catch (error) {
      const id = message.key?.toString() ?? ''
      const flaw = toRowmillError(error).message
      // `known` throws if its job cannot be read here either: workers with the right schema registry can do the work.
      const mayBeOfJob = isOfUnknownSchema(error) && isName(id) && !this.#options.jobs.known(id)
      if (membership.reopened) return held.batcher.pass(offset) // it was rejected in the first attempt
      if (mayBeOfJob && !waited) return this.#unknown.defer(id, { ...arrival, flaw })
      return this.#reject(held, message, 'MALFORMED', flaw)
    }
    const { topic, partition } = held.queue
    const verdict = admit(
      { topic, partition, offset, value: value!, content },
      {
        findJob: id => (this.#unknown.has(id) && !waited ? undefined : this.#options.jobs.known(id)),
        gaveUp: job => this.#options.gaveUp(job),
        reopened: membership.reopened,
        batcher: held.batcher,
      },
    )
    return this.#act(verdict, arrival)
  }

  #act(verdict: Verdict, arrival: Deferred): Promise<void> | void {
    const { held, message } = arrival
    const { batcher } = held
    switch (verdict.action) {
      case 'pass':
        return batcher.pass(message.offset)
      case 'reject':
        return this.#reject(held, message, 'MALFORMED', verdict.why)
      case 'fail':
        return this.#options.failJob(held, message, verdict).then(() => batcher.pass(message.offset))
      case 'wait':
        return this.#unknown.defer(verdict.id, arrival)
      case 'rows':
        held.arrivals.note(message.offset, this.#sliceBegan)
        return batcher.addRows(message.offset, withTrace(verdict.rows, message), verdict.position, held.done)
      case 'end':
        return batcher.addEnd(message.offset, verdict.end)
      case 'barrier':
        return batcher.addBarrier(message.offset, verdict.barrier)
    }
  }

  /**
   * Reads the content of a message. Resolves with null if the partition was lost meanwhile. Throws ROW_MALFORMED if the
   * message holds nothing that a worker can read.
   */
  async #read({ held, membership, message: { offset, value } }: Deferred): Promise<MessageContent | null> {
    const commits = held.handOuts.needsCommit(value?.length ?? 0)
    if (commits) {
      held.handOuts.begin(offset)
      if (!(await membership.commitOne(held))) return null
    }
    crashPoint('message-taken', value)
    try {
      return readContent(value)
    } finally {
      if (commits) {
        held.handOuts.end(offset)
        await membership.commitOne(held)
      }
    }
  }

  /** Sends a copy of a message to `rejects` and skips the message. Resolves when there is room for another copy. */
  #reject(held: AssignedPartition, message: Message, reason: string, why: string): Promise<void> {
    return this.#copies.send(held, message, { reason, why })
  }
}

/** Messages have headers only where tracing is on. */
function withTrace(rows: RowsMessage, { headers }: Message): RowsMessage {
  const traceparent = headers?.[TRACEPARENT]
  return traceparent === undefined ? rows : { ...rows, traceparent }
}
