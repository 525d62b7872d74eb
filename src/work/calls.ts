import type { BatchAnswer, BatchClassifier } from '../classifier/boundary.ts'
import type { Batch } from '../core/batcher.ts'
import { CallQueue } from '../core/call-queue.ts'
import { hasFailed } from '../core/job.ts'
import { whereNext } from '../core/where-next.ts'
import { type ErrorCode, RowmillError } from '../errors.ts'
import type { TopicPartition } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import { realTime, type Time } from '../support/clock.ts'
import { crashPoint } from '../support/crash-point.ts'
import { Activity } from './activity.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { Borrowing, type Lender } from './borrowing.ts'
import { type FromDesk, type PackedAnswer, packAnswer, type ToDesk, unpackBatch } from './lending-messages.ts'

const UNUSABLE: readonly ErrorCode[] = ['PYTHON_UNUSABLE', 'CLASSIFIER_NOT_FOUND', 'CLASSIFIER_UNLOADABLE']
/** How long a new row may wait for classifier calls with rows of large jobs. */
const BULK_AHEAD_MS = 400
/** A batch that takes less is not lent: the way to the lender and back costs up to 1 ms of CPU. */
const WORTH_MS = 10
/** So many slow batches ahead are enough for a classifier that never idles. */
const SLOW_AHEAD = 2

/** The way to the desk of the supervisor. */
export interface Lending {
  tell(message: ToDesk): void
  /** Called once, with what takes the messages of the desk. */
  listen(told: (message: FromDesk) => void): void
}

export interface CallsOptions {
  readonly classifier: BatchClassifier
  readonly batchRows: number
  /** Whether other jobs may send rows at any time. Then calls with rows of large jobs, or of others, must be short. */
  readonly shared: boolean
  /** Null: the worker is alone. */
  readonly lending: Lending | null
  readonly time?: Time
  /** What its classifier does. Default: nobody looks. */
  readonly activity?: Activity
  findJob(id: string): Job | undefined
  /** The partitions whose rows wait here. */
  partitions(): readonly AssignedPartition[]
  /** Called when a classifier may take another batch. */
  freed(): void
  /** Called with an error that ends the worker. */
  failed(fault: unknown): void
}

/** A classifier that takes the next batch. */
export interface FreeClassifier {
  /** How many rows the batch should have. */
  rowsAtOnce(held: AssignedPartition): number
  /** `at`: the partition that the batch is from. `ms`: how long the classifier took. */
  classify(batch: Batch, job: Job, at: TopicPartition): Promise<{ answer: BatchAnswer; ms: number }>
}

/** The rows that wait, in batches of the usual size, and what one of them takes here. */
interface WaitingRows {
  readonly job: string
  readonly rows: number
  readonly batches: number
  readonly batchMs: number
}

/**
 * The calls of one worker, in its own classifier and in those that other workers of its supervisor lend it. A worker with
 * nothing to do lends its classifier; whoever cut the batch still sends the results and commits.
 */
export class Calls {
  readonly #options: CallsOptions
  readonly #time: Time
  readonly #queue: CallQueue
  readonly #activity: Activity
  readonly #borrowing: Borrowing | null
  /** Our own classifier, however busy it is. */
  readonly own: FreeClassifier
  /** Batches of other workers that we classify. */
  readonly #lent = new Set<Promise<void>>()
  #isReady = false
  #isSpare = false
  #draining = false
  #stopLooking: (() => void) | null = null

  constructor(options: CallsOptions) {
    const { classifier, batchRows, lending, time = realTime, activity = new Activity() } = options
    const callMs = BULK_AHEAD_MS / classifier.ahead
    this.#options = options
    this.#time = time
    this.#queue = new CallQueue(callMs)
    this.#activity = activity
    this.#borrowing = lending && new Borrowing({ time, callMs, tell: message => lending.tell(message) })
    this.own = {
      rowsAtOnce: ({ bulk, batcher }) => {
        const { job } = batcher.next!
        return bulk ? this.#queue.size.rowsAtOnce(job, batcher.next!, batchRows) : batchRows
      },
      classify: (batch, job, at) => this.#classify(batch, job, at),
    }
    lending?.listen(message => this.#told(message))
  }

  /** The classifier is imported: it may be lent. */
  ready(): void {
    this.#isReady = true
    this.#options.freed()
  }

  /** The classifier for the next batch. Null if every classifier is busy, or nothing waits that is worth lending. */
  freeClassifier(): FreeClassifier | null {
    const { classifier } = this.#options
    const hasRoom = this.#queue.length < classifier.ahead
    const waiting = this.#borrowing && this.#waiting()
    if (!this.#borrowing || !waiting || waiting.batchMs < WORTH_MS) return hasRoom ? this.own : null
    const [offered, atWork] = [this.#borrowing.offered, this.#borrowing.atWork]
    if (offered.length + atWork.length === 0) {
      if (this.#queue.length < Math.min(classifier.ahead, SLOW_AHEAD)) return this.own
      this.#borrowing.ask()
      this.#isSpare = false
      return null
    }
    return this.#choose(waiting, { offered, atWork })
  }

  /** Called when no batch can be given out: what is left decides what we tell the desk. */
  settle({ hasRows }: { hasRows: boolean }): void {
    if (!this.#borrowing) return
    if (!hasRows || this.#draining) this.#borrowing.giveBack()
    if (hasRows || this.#draining || !this.#isReady || this.#isSpare || this.#queue.length > 1) return
    this.#isSpare = true
    const inMs = this.#queue.freeInMs(this.#time.now())
    this.#options.lending!.tell({ type: 'spare', inMs: Number.isFinite(inMs) ? inMs : 0 })
  }

  /** Lends and borrows nothing from now on. Resolves when batches of other workers are answered. */
  async drain(): Promise<void> {
    this.#draining = true
    this.#stopLooking?.()
    this.#borrowing?.giveBack()
    await Promise.all(this.#lent)
  }

  /** While somebody lends us a classifier, no second batch waits in ours: whoever is free first gets it. */
  #choose(
    waiting: WaitingRows,
    { offered, atWork }: { offered: readonly Lender[]; atWork: readonly Lender[] },
  ): FreeClassifier | null {
    const { job, rows, batches, batchMs } = waiting
    const now = this.#time.now()
    const candidate = (lender: Lender) => {
      const freeInMs = lender.calls.length > 0 ? lender.calls.freeInMs(now) : Math.max(0, lender.freeAt - now)
      return { lender, freeInMs, batchMs: lender.calls.size.msFor(job, rows) ?? batchMs }
    }
    const ownHasRoom = this.#queue.length === 0
    const next = whereNext({
      own: { freeInMs: this.#queue.freeInMs(now), batchMs },
      ownHasRoom,
      offered: offered.map(candidate),
      atWork: atWork.map(candidate),
      batches,
    })
    if (next === 'own') return this.own
    if (next) return this.#borrowed(next.lender)
    // A lender would be done sooner, if it does not stand still. We look again, since it tells us nothing then.
    if (ownHasRoom) this.#lookAgain(batchMs)
    return null
  }

  #lookAgain(ms: number): void {
    if (this.#draining) return
    this.#stopLooking ??= this.#time.after(ms, () => {
      this.#stopLooking = null
      this.#options.freed()
    })
  }

  /** Null if nothing waits, or it is not known yet how long it takes. */
  #waiting(): WaitingRows | null {
    let [rows, next]: [number, AssignedPartition | null] = [0, null]
    let isMore = false
    for (const held of this.#options.partitions()) {
      rows += held.waiting
      isMore ||= held.queue.length > 0
      if (held.waiting > (next?.waiting ?? 0)) next = held
    }
    const job = next?.batcher.next?.job
    if (!next || job === undefined) return null
    const atOnce = Math.min(next.waiting, this.own.rowsAtOnce(next))
    const batchMs = this.#queue.size.msFor(job, atOnce)
    if (batchMs === null) return null
    return { job, rows: atOnce, batches: isMore ? Number.POSITIVE_INFINITY : Math.max(1, rows / atOnce), batchMs }
  }

  #borrowed(lender: Lender): FreeClassifier {
    const { shared, batchRows } = this.#options
    return {
      // The lender may get rows of its own meanwhile. In a shared pipeline they wait no longer than for rows of a large job.
      rowsAtOnce: ({ batcher }) =>
        shared ? lender.calls.size.rowsAtOnce(batcher.next!.job, batcher.next!, batchRows) : batchRows,
      classify: async (batch, job, at) => {
        const expectedMs = this.#queue.size.msFor(batch.job, batch.count) ?? 0
        const answered = await this.#borrowing!.classify(lender, batch, { attempt: job.attempt, at, expectedMs })
        return answered ?? (await this.own.classify(batch, job, at))
      },
    }
  }

  async #classify(batch: Batch, job: Job, at: TopicPartition): Promise<{ answer: BatchAnswer; ms: number }> {
    const { classifier } = this.#options
    const call = this.#queue.sent(batch, this.#time.now())
    const open = this.#activity.began(batch, job, at)
    let rows = 0
    try {
      await classifier.start()
      call.at = this.#time.now()
      const answer = await classifier.classify(batch, job)
      rows = batch.count
      return { answer, ms: this.#queue.answered(call, this.#time.now()) }
    } finally {
      this.#queue.ended(call)
      this.#activity.ended(open, rows)
    }
  }

  #told(message: FromDesk): void {
    if (message.type === 'lent') {
      const answering = this.#lend(message).catch(this.#options.failed)
      this.#lent.add(answering)
      void answering.then(() => this.#lent.delete(answering))
    } else if (message.type === 'answer') this.#borrowing!.answer(message)
    else {
      this.#borrowing!.offer(message)
      this.#options.freed()
    }
  }

  /** Classifies a batch of another worker, unless rows of our own wait. Its owner does what we cannot do. */
  async #lend({ id, batch }: Extract<FromDesk, { type: 'lent' }>): Promise<void> {
    const { lending, findJob, partitions, freed } = this.#options
    this.#isSpare = false
    const job = findJob(batch.job)
    const isBusy = this.#draining || partitions().some(({ waiting }) => waiting > 0)
    let answer: PackedAnswer | null = null
    if (job && !hasFailed(job) && !isBusy) {
      const answering = this.#classify(unpackBatch(batch), { ...job, attempt: batch.attempt }, batch.at)
      freed() // the next batch may come while this one is classified
      try {
        const { answer: made, ms } = await answering
        answer = packAnswer(made, ms)
      } catch (error) {
        if (isUnusable(error)) throw error
      }
      crashPoint('lent-classified')
    }
    lending!.tell({ type: 'answered', id, answer })
    freed()
  }
}

/** Every batch of every job would meet this error: the worker ends. */
export function isUnusable(error: unknown): boolean {
  return error instanceof RowmillError && UNUSABLE.includes(error.code)
}
