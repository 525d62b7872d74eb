import type { BatchAnswer } from '../classifier/boundary.ts'
import { type Batch, Batcher, type Marker } from '../core/batcher.ts'
import type { Waits } from '../core/fair-turns.ts'
import type { IntervalSet } from '../core/intervals.ts'
import type { Committed } from '../kafka/index.ts'
import type { PartitionQueue } from '../kafka/partition-queue.ts'
import type { BatchSpan } from '../tracing/batch-span.ts'
import { Arrivals } from './arrivals.ts'
import { HandOuts } from './hand-outs.ts'

/** We commit again this often, so that a late commit by a previous owner is corrected. */
const COMMIT_AGAIN_MS = 5000
/** So many bytes of answers may wait for an answer before them, which a lender may have forgotten. */
const ANSWERED_BYTES = 8 * 1024 * 1024

/** A batch or marker that was cut but not sent yet. */
export interface Slot {
  readonly item: Batch | Marker
  /** The classifier's answer, or null before it comes. */
  answer: BatchAnswer | null
  /** How long it waited and was classified, and when the answer came. */
  times: { readonly queueMs: number; readonly classifyMs: number; readonly answeredAt: number } | null
  /** Whether to send nothing of it, because its job failed. */
  skip: boolean
  /** The span of the batch, where tracing is on. */
  span: BatchSpan | null
}

/**
 * What a worker knows about one partition, from one join of the group to the next: the fetched messages, the batches cut
 * from them, and the committed offset. Results are sent in the order in which their batches were cut.
 */
export class AssignedPartition implements Waits {
  readonly queue: PartitionQueue
  readonly batcher: Batcher
  /** The attempt of its jobs that is classified here. */
  readonly attempt: number
  readonly bulk: boolean
  readonly handOuts: HandOuts
  readonly arrivals = new Arrivals()
  /** Whether a message was taken from the queue but has not reached the batcher. */
  inHand = false
  /** Positions whose row has a result of an earlier attempt, or null. */
  done: IntervalSet | null = null
  readonly #slots: Slot[] = []
  #committed: number
  #committedAt: number
  #room = Promise.withResolvers<void>()

  constructor(
    queue: PartitionQueue,
    { attempt, bulk, metadata, now }: { attempt: number; bulk: boolean; metadata: string | null; now: number },
  ) {
    this.queue = queue
    this.attempt = attempt
    this.bulk = bulk
    this.batcher = new Batcher(queue.from)
    this.handOuts = new HandOuts(queue.from, metadata)
    this.#committed = queue.from
    this.#committedAt = now
  }

  get waiting(): number {
    return this.#isFarAhead ? 0 : this.batcher.waiting
  }

  /** Whether many answers wait for one before them. */
  get #isFarAhead(): boolean {
    if (this.#slots.length < 3) return false
    const results = this.#slots.flatMap(({ answer }) => answer?.results ?? [])
    return results.reduce((sum, { length }) => sum + length, 0) > ANSWERED_BYTES
  }

  /** Resolves at the next `makeRoom`. */
  room(): Promise<void> {
    return this.#room.promise
  }

  /** Lets the intake continue, after rows left the batcher or the assignment ended. */
  makeRoom(): void {
    this.#room.resolve()
    this.#room = Promise.withResolvers<void>()
  }

  /** Appends a batch or marker that was just cut. */
  add(item: Batch | Marker): Slot {
    const slot = { item, answer: null, times: null, skip: false, span: null }
    this.#slots.push(slot)
    return slot
  }

  /** Takes the head if it can be sent now: a marker, or a batch with its answer. Settles heads that are skipped. */
  takeReady(): Slot | undefined {
    while (this.#slots.length > 0 && !this.queue.closed) {
      const slot = this.#slots[0]!
      const { item, answer, skip } = slot
      if (item.kind === 'batch' && !answer && !skip) return undefined
      this.#slots.shift()
      if (!skip) return slot
      this.batcher.settle(item)
    }
    return undefined
  }

  /**
   * Whether what is ready may wait for further results: they are batches of jobs with an end, and more rows of the partition
   * are classified or wait for that.
   */
  mayLinger(isBounded: (job: string) => boolean): boolean {
    const ready = this.#ready
    if (ready.length === 0 || !ready.every(slot => slot.answer && isBounded(jobOf(slot)))) return false
    return ready.length < this.#slots.length || this.waiting > 0
  }

  /** The bytes of the results that can be sent now. */
  get readyBytes(): number {
    return this.#ready.flatMap(({ answer }) => answer?.results ?? []).reduce((sum, { length }) => sum + length, 0)
  }

  get #ready(): Slot[] {
    const open = this.#slots.findIndex(({ item, answer, skip }) => item.kind === 'batch' && !answer && !skip)
    return open < 0 ? this.#slots : this.#slots.slice(0, open)
  }

  /** Drops a failed job. No result after a row without one may be sent: a reader would see a gap. */
  drop(job: string): void {
    this.batcher.drop(job)
    for (const slot of this.#slots) slot.skip ||= jobOf(slot) === job
    this.makeRoom()
  }

  commitIsDue(now: number): boolean {
    const lowWater = this.#lowWater
    return lowWater > this.#committed || (lowWater > 0 && now - this.#committedAt > COMMIT_AGAIN_MS)
  }

  /** The commit for this partition. `released`: the worker gives the partition back in good health. */
  toCommit({ released = false } = {}): Committed {
    const { topic, partition } = this.queue
    const offset = this.#lowWater
    return { topic, partition, offset, metadata: this.handOuts.metadata(offset, { released }) }
  }

  /**
   * The lowest offset that is not finished. If nothing is left to do, it is the end of what was read, which may be past the
   * last message: transaction markers and messages of aborted transactions take offsets too.
   */
  get #lowWater(): number {
    const { queue, batcher } = this
    const isIdle = batcher.isEmpty && queue.length === 0 && !this.inHand
    return isIdle && !queue.closed ? Math.max(batcher.lowWater, queue.nextOffset) : batcher.lowWater
  }

  noteCommit(offset: number, now: number): void {
    this.#committed = offset
    this.#committedAt = now
  }
}

function jobOf({ item }: Slot): string {
  return item.kind === 'batch' ? item.job : item.record.value.job
}
