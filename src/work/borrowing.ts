import type { BatchAnswer } from '../classifier/boundary.ts'
import type { Batch } from '../core/batcher.ts'
import { CallQueue } from '../core/call-queue.ts'
import type { TopicPartition } from '../kafka/index.ts'
import type { Time } from '../support/clock.ts'
import { type FromDesk, type PackedAnswer, packBatch, type ToDesk, unpackAnswer } from './lending-messages.ts'

/** A lender that has not answered after this long, and so many times what we expect, is not waited for. */
const LATE_MS = 5000
const LATE_TIMES = 10

/** A worker that lends us its classifier. */
export interface Lender {
  readonly number: number
  /** Our batches that it has. */
  readonly calls: CallQueue
  /** Whether it takes a batch now. */
  isOffered: boolean
  /** When it is done with what it had when it was offered. */
  freeAt: number
}

export interface BorrowingOptions {
  readonly time: Time
  /** How long a call with rows of a large job may take. */
  readonly callMs: number
  tell(message: ToDesk): void
}

/** The owner's side of lending: which lenders it has, and the batches that they have. */
export class Borrowing {
  readonly #options: BorrowingOptions
  readonly #lenders = new Map<number, Lender>()
  readonly #open = new Map<number, (answer: PackedAnswer | null) => void>()
  #asked = false
  #batches = 0

  constructor(options: BorrowingOptions) {
    this.#options = options
  }

  get offered(): Lender[] {
    return [...this.#lenders.values()].filter(({ isOffered }) => isOffered)
  }

  /** Those that have a batch of ours, and take no further one now. */
  get atWork(): Lender[] {
    return [...this.#lenders.values()].filter(({ isOffered, calls }) => !isOffered && calls.length > 0)
  }

  /** Asks for lenders, once until they are not needed. */
  ask(): void {
    if (!this.#asked) this.#options.tell({ type: 'needs' })
    this.#asked = true
  }

  /** Gives back the lenders that have nothing to do for us. */
  giveBack(): void {
    for (const lender of this.offered) {
      this.#asked = false
      lender.isOffered = false
      this.#options.tell({ type: 'unneeded', lender: lender.number })
    }
  }

  offer({ lender: number, inMs }: Extract<FromDesk, { type: 'lender' }>): void {
    const known = this.#lenders.get(number)
    const lender = known ?? { number, calls: new CallQueue(this.#options.callMs), isOffered: false, freeAt: 0 }
    this.#lenders.set(number, lender)
    lender.isOffered = true
    lender.freeAt = this.#options.time.now() + inMs
  }

  /**
   * Resolves with null if the lender has no answer: it declined, failed, ended, or is late. An answer that comes after
   * that is dropped. `expectedMs` is what the batch would take here. `ms` is what it took there.
   */
  async classify(
    lender: Lender,
    batch: Batch,
    { attempt, at, expectedMs }: { attempt: number; at: TopicPartition; expectedMs: number },
  ): Promise<{ answer: BatchAnswer; ms: number } | null> {
    const { time, tell } = this.#options
    const id = ++this.#batches
    const { promise, resolve } = Promise.withResolvers<PackedAnswer | null>()
    lender.isOffered = false
    this.#open.set(id, resolve)
    const call = lender.calls.sent(batch, Math.max(time.now(), lender.freeAt))
    const stopClock = time.after(LATE_MS + LATE_TIMES * expectedMs, () => resolve(null))
    tell({ type: 'lend', lender: lender.number, id, batch: packBatch(batch, { attempt, at }) })
    const answer = await promise
    stopClock()
    this.#open.delete(id)
    if (answer) lender.calls.answered(call, time.now(), answer.ms)
    else lender.calls.ended(call)
    return answer && { answer: unpackAnswer(answer), ms: answer.ms }
  }

  answer({ id, answer }: Extract<FromDesk, { type: 'answer' }>): void {
    this.#open.get(id)?.(answer)
  }
}
