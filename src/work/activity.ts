import type { Batch } from '../core/batcher.ts'
import { seqOf } from '../core/sequence.ts'
import type { Job } from '../model.ts'
import type { BatchInHand, ReportedPartition, WORKER_ACTIVITIES } from '../reports/report.ts'
import { realTime, type Time } from '../support/clock.ts'

/** How long a batch took in each of BATCH_STAGES, in ms. */
export type StageTimes = readonly [queue: number, classify: number, send: number]

/** What a worker spent its time on, in ms. */
export type TimeSpent = Readonly<Record<(typeof WORKER_ACTIVITIES)[number], number>>

/** Batches that say how long others may take. */
export interface UsualBatches {
  readonly rows: number
  readonly ms: number
}

/** What a worker did since it last said so, and what it does now. */
export interface WorkerActivity {
  /** Rows that its classifier answered, rejects included. */
  readonly rows: number
  /** Copies that it wrote to `rejects`, by reason. */
  readonly rejected: Readonly<Record<string, number>>
  /** How often its classifier was started again, by code. */
  readonly classifierRestarts: Readonly<Record<string, number>>
  /** Rows of the batches that its classifier answered without being started again, and how long it had them. */
  readonly usual: UsualBatches
  /** How often it joined a group, or got another share. */
  readonly joins: number
  readonly spent: TimeSpent
  /** Each batch whose results were acknowledged, if somebody asked for that. */
  readonly timings: readonly StageTimes[]
  /** The oldest batch in its classifier. */
  readonly batch: BatchInHand | null
  /** Undefined: as before. */
  readonly partitions?: readonly ReportedPartition[]
}

/** A batch in the classifier. */
export interface OpenBatch {
  readonly batch: Batch
  readonly job: Job
  readonly at: ReportedPartition
  readonly sentAt: number
  /** How often the classifier had been started again by then. */
  readonly restarts: number
}

export const NO_TIME: TimeSpent = { start: 0, classify: 0, send: 0, wait: 0 }

/** Counts what one worker does, for those who watch it. */
export class Activity {
  readonly #time: Time
  readonly #keepsTimings: boolean
  /** The oldest first. */
  readonly #open = new Set<OpenBatch>()
  /** When the classifier was ready for the oldest batch. */
  #readyAt = Number.NEGATIVE_INFINITY
  #isReady = false
  /** Batches whose results are on their way. */
  #sending = 0
  #spent: TimeSpent = NO_TIME
  /** Until when `#spent` counts. */
  #countedAt: number
  #rows = 0
  #rejected: Record<string, number> = {}
  #classifierRestarts: Record<string, number> = {}
  #restarts = 0
  #usual = { rows: 0, ms: 0 }
  #joins = 0
  #timings: StageTimes[] = []
  #toldPartitions = '[]'

  constructor({ time = realTime, keepsTimings = false }: { time?: Time; keepsTimings?: boolean } = {}) {
    this.#time = time
    this.#countedAt = time.now()
    this.#keepsTimings = keepsTimings
  }

  /** The classifier is imported. */
  ready(): void {
    this.#readyAt = this.#count()
    this.#isReady = true
  }

  /** The classifier gets a batch, of this partition. */
  began(batch: Batch, job: Job, { topic, partition }: ReportedPartition): OpenBatch {
    const open = { batch, job, at: { topic, partition }, sentAt: this.#count(), restarts: this.#restarts }
    this.#open.add(open)
    return open
  }

  /** The classifier has answered, so many rows, or failed: 0. */
  ended(open: OpenBatch, rows: number): void {
    const now = this.#count()
    if (rows > 0 && open.restarts === this.#restarts)
      this.#usual = { rows: this.#usual.rows + rows, ms: this.#usual.ms + this.#msOf(open) }
    this.#open.delete(open)
    this.#readyAt = now
    this.#rows += rows
  }

  /** Results are on their way until the returned function is called. */
  sends(): () => void {
    this.#count()
    this.#sending++
    return () => {
      this.#count()
      this.#sending--
    }
  }

  /** The results of a batch are acknowledged. */
  settled(times: StageTimes): void {
    if (this.#keepsTimings) this.#timings.push(times)
  }

  rejected(reason: string): void {
    this.#rejected[reason] = (this.#rejected[reason] ?? 0) + 1
  }

  /** The classifier had hung or died, and is started again. */
  restarted(code: string): void {
    this.#restarts++
    this.#classifierRestarts[code] = (this.#classifierRestarts[code] ?? 0) + 1
  }

  joined(): void {
    this.#joins++
  }

  /** What happened since the last call, and the batch in hand. */
  take(partitions: readonly ReportedPartition[]): WorkerActivity {
    this.#count()
    const text = JSON.stringify(partitions)
    const moved = text !== this.#toldPartitions
    const news = {
      ...{ rows: this.#rows, rejected: this.#rejected, joins: this.#joins },
      ...{ classifierRestarts: this.#classifierRestarts, usual: this.#usual },
      ...{ spent: this.#spent, timings: this.#timings, batch: this.#inHand() },
      ...(moved ? { partitions } : {}),
    }
    this.#toldPartitions = text
    this.#rows = 0
    this.#rejected = {}
    this.#classifierRestarts = {}
    this.#usual = { rows: 0, ms: 0 }
    this.#joins = 0
    this.#spent = NO_TIME
    this.#timings = []
    return news
  }

  /** Adds the time until now to what the worker has done since the last call. Called before that changes. Returns now. */
  #count(): number {
    const [since, now] = [this.#countedAt, this.#time.now()]
    const does = this.#isReady ? (this.#open.size > 0 ? 'classify' : this.#sending > 0 ? 'send' : 'wait') : 'start'
    this.#spent = { ...this.#spent, [does]: this.#spent[does] + now - since }
    this.#countedAt = now
    return now
  }

  #inHand(): BatchInHand | null {
    const [oldest] = this.#open
    if (!oldest) return null
    const { batch, job, at } = oldest
    const row = job.sequenced ? seqOf({ partition: at.partition, position: batch.first }, job) : null
    return { ...at, job: batch.job, row, rows: batch.count, seconds: this.#msOf(oldest) / 1000 }
  }

  /** How long the classifier has had the oldest batch: it answers them in order. */
  #msOf({ sentAt }: OpenBatch): number {
    return this.#time.now() - Math.max(sentAt, this.#readyAt)
  }
}
