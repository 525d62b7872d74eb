import type { BatchAnswer } from '../classifier/boundary.ts'
import { type Batch, Batcher, type Marker } from '../core/batcher.ts'
import type { Waits } from '../core/fair-turns.ts'
import type { IntervalSet } from '../core/intervals.ts'
import type { Committed } from '../kafka/index.ts'
import type { PartitionQueue } from '../kafka/partition-feed.ts'
import { monotonicMs } from '../support/clock.ts'
import { HandOuts } from './hand-outs.ts'

/** A commit of an earlier owner that arrived late is put right after this long at most. */
const COMMIT_AGAIN_MS = 5000

/** A batch or marker that was cut and not sent yet. */
export interface Slot {
  readonly item: Batch | Marker
  /** What the classifier has answered. */
  answer: BatchAnswer | null
  /** Whether nothing of it is to be sent: its job failed. */
  skip: boolean
}

/**
 * What a worker knows of one partition, from one join of the group to the next: the messages fetched, what was made of
 * them, and what was committed. What goes out goes out in the order in which it was cut.
 */
export class AssignedPartition implements Waits {
  readonly queue: PartitionQueue
  readonly batcher: Batcher
  /** The attempt of its jobs that is classified here. */
  readonly attempt: number
  readonly bulk: boolean
  readonly handOuts: HandOuts
  /** Whether a message was taken from the queue of which the batcher does not know yet. */
  inHand = false
  /** Positions that have a row of an earlier attempt; null where there is none. */
  done: IntervalSet | null = null
  readonly #slots: Slot[] = []
  #committed: number
  #committedAt = monotonicMs()
  #room = Promise.withResolvers<void>()

  constructor(
    queue: PartitionQueue,
    { attempt, bulk, metadata }: { attempt: number; bulk: boolean; metadata: string | null },
  ) {
    this.queue = queue
    this.attempt = attempt
    this.bulk = bulk
    this.batcher = new Batcher(queue.position)
    this.handOuts = new HandOuts(queue.position, metadata)
    this.#committed = queue.position
  }

  get waiting(): number {
    return this.batcher.waiting
  }

  /** Resolves at the next `makeRoom`. */
  room(): Promise<void> {
    return this.#room.promise
  }

  /** Lets whoever fills the batcher go on: rows went out of it, or the assignment ended. */
  makeRoom(): void {
    this.#room.resolve()
    this.#room = Promise.withResolvers<void>()
  }

  /** Puts what was just cut behind all that was cut before. */
  add(item: Batch | Marker): Slot {
    const slot = { item, answer: null, skip: false }
    this.#slots.push(slot)
    return slot
  }

  /** Takes the head if it may be sent now: a marker, or a batch with its result. What is skipped is settled. */
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

  /** Gives up a job that failed. Behind a row without result nothing of it may be sent: a reader would see a gap. */
  drop(job: string): void {
    this.batcher.drop(job)
    for (const slot of this.#slots) slot.skip ||= jobOf(slot) === job
    this.makeRoom()
  }

  commitIsDue(now: number): boolean {
    const lowWater = this.#lowWater
    return lowWater > this.#committed || (lowWater > 0 && now - this.#committedAt > COMMIT_AGAIN_MS)
  }

  /** `released`: the worker gives the partition back, and nothing is wrong with it. */
  toCommit({ released = false } = {}): Committed {
    const { topic, partition } = this.queue
    const offset = this.#lowWater
    return { topic, partition, offset, metadata: this.handOuts.note(offset, { released }) }
  }

  /**
   * The lowest offset that is not done with. Where nothing is left to do that is the end of what was read: behind the last
   * message stand perhaps the marker of a transaction, or messages of one that was aborted.
   */
  get #lowWater(): number {
    const { queue, batcher } = this
    const isIdle = batcher.isEmpty && queue.length === 0 && !this.inHand
    return isIdle && !queue.closed ? Math.max(batcher.lowWater, queue.position) : batcher.lowWater
  }

  noteCommit(offset: number, now: number): void {
    this.#committed = offset
    this.#committedAt = now
  }
}

function jobOf({ item }: Slot): string {
  return item.kind === 'batch' ? item.job : item.record.value.job
}
