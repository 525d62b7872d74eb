import type { ReportedPartition, WorkerReport, WorkingReport } from '../reports/report.ts'
import { type Clock, monotonicMs } from '../support/clock.ts'
import { NO_TIME, type TimeSpent, type WorkerActivity } from './activity.ts'

/** A worker tells what is new once a second. After this long without news it still has the batch that it told of. */
const SAME_BATCH_MS = 1500

/** Where a worker lives. */
export interface Heard {
  /** When its process was last heard, by the monotonic clock. */
  readonly heardAt: number
  /** Undefined: it did not start. */
  readonly pid: number | undefined
}

interface KnownWorker {
  home: Heard
  isReady: boolean
  partitions: readonly ReportedPartition[]
  batch: WorkerReport['batch']
  /** When it told of the batch. */
  toldAt: number
  rows: number
  rejected: number
  joins: number
  restarts: number
  readonly classifierRestarts: Record<string, number>
  readonly usual: { rows: number; ms: number }
  spent: TimeSpent
}

/** What a supervisor knows of its workers: what they did since it began, and what they do now. */
export class KnownWorkers {
  readonly #now: Clock
  readonly #workers = new Map<string, KnownWorker>()

  constructor(now: Clock = monotonicMs) {
    this.#now = now
  }

  /** A worker begins, or begins again in another process. */
  started(name: string, home: Heard): void {
    const known = this.#workers.get(name)
    const before = known ?? {
      rows: 0,
      rejected: 0,
      joins: 0,
      restarts: -1,
      classifierRestarts: {},
      usual: { rows: 0, ms: 0 },
      spent: NO_TIME,
    }
    const begins = { home, isReady: false, partitions: [], batch: null, toldAt: this.#now() }
    this.#workers.set(name, { ...before, ...begins, restarts: before.restarts + 1 } as KnownWorker)
  }

  /** It can classify. */
  ready(name: string): void {
    const worker = this.#workers.get(name)
    if (worker) worker.isReady = true
  }

  told(name: string, news: WorkerActivity): void {
    const { rows, rejected, joins, classifierRestarts, usual, spent, batch, partitions } = news
    const worker = this.#workers.get(name)
    if (!worker) return
    worker.rows += rows
    worker.rejected += Object.values(rejected).reduce((sum, count) => sum + count, 0)
    worker.joins += joins
    for (const [code, count] of Object.entries(classifierRestarts))
      worker.classifierRestarts[code] = (worker.classifierRestarts[code] ?? 0) + count
    worker.usual.rows += usual.rows
    worker.usual.ms += usual.ms
    const { spent: before } = worker
    worker.spent = {
      ...{ start: before.start + spent.start, classify: before.classify + spent.classify },
      ...{ send: before.send + spent.send, wait: before.wait + spent.wait },
    }
    worker.batch = batch
    worker.toldAt = this.#now()
    if (partitions) worker.partitions = partitions
  }

  get report(): WorkingReport {
    const all = [...this.#workers.values()]
    return {
      restarts: all.reduce((sum, { restarts }) => sum + restarts, 0),
      rebalances: all.reduce((sum, { joins }) => sum + joins, 0),
      workers: [...this.#workers].map(([name, worker]) => this.#reportOf(name, worker)),
    }
  }

  #reportOf(name: string, worker: KnownWorker): WorkerReport {
    const { home, isReady, partitions, batch, toldAt, rows, rejected, restarts, classifierRestarts, usual, spent } =
      worker
    const now = this.#now()
    const sinceMs = now - toldAt > SAME_BATCH_MS ? now - toldAt : 0
    return {
      name,
      ...(home.pid === undefined ? {} : { pid: home.pid }),
      state: isReady ? (batch ? 'busy' : 'idle') : 'starting',
      heardSeconds: inSeconds(now - home.heardAt),
      partitions,
      batch: batch && { ...batch, seconds: inSeconds(batch.seconds * 1000 + sinceMs) },
      rows,
      rejected,
      restarts,
      classifierRestarts,
      secondsPerRow: usual.rows === 0 ? null : Number((usual.ms / usual.rows / 1000).toPrecision(3)),
      time: {
        ...{ start: inSeconds(spent.start), classify: inSeconds(spent.classify) },
        ...{ send: inSeconds(spent.send), wait: inSeconds(spent.wait) },
      },
    }
  }
}

/** With one digit: nobody reads more, and a report stays short. */
function inSeconds(ms: number): number {
  return Math.round(ms / 100) / 10
}
