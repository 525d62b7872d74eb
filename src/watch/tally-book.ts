import type { Job } from '../model.ts'
import type { ResultsHead } from '../wire/result-head.ts'
import type { WorkerRows } from './facts.ts'
import { RateWindow } from './rate-window.ts'
import { ResultTally } from './result-tally.ts'

/** Anybody can write results under any name. */
const MOST_WORKERS = 1000
/** Results of jobs that nobody has heard of yet are kept until the log of jobs was read, but no more than these. */
const MOST_WAITING = 10_000

/** A message of `results`. */
export interface TalliedMessage {
  readonly partition: number
  readonly head: ResultsHead
  /** When the broker appended it, in ms since 1970. */
  readonly at: number
  /** Whether earlier ones of its partition were deleted before they were read. */
  readonly isAfterLoss: boolean
}

/** The tallies of the jobs that are shown. It forgets those of other jobs. */
export class TallyBook {
  readonly workerRows = new Map<string, WorkerRows>()
  readonly #tallies = new Map<string, ResultTally>()
  /** Jobs that are known and not counted. */
  #others = new Set<string>()
  #waiting: TalliedMessage[] = []

  tallyOf(id: string): ResultTally | null {
    return this.#tallies.get(id) ?? null
  }

  take(result: TalliedMessage): void {
    const { job } = result.head.value
    const tally = this.#tallies.get(job)
    if (tally) this.#count(tally, result)
    else if (!this.#others.has(job) && this.#waiting.length < MOST_WAITING) this.#waiting.push(result)
  }

  /** Counts these jobs from now on, and takes what waited for them. `others`: the ids of all other known jobs. */
  keep(jobs: readonly Job[], others: readonly string[]): void {
    const ids = new Set(jobs.map(({ id }) => id))
    for (const id of this.#tallies.keys()) if (!ids.has(id)) this.#tallies.delete(id)
    for (const job of jobs) if (!this.#tallies.has(job.id)) this.#tallies.set(job.id, new ResultTally(job))
    this.#others = new Set(others)
    const waiting = this.#waiting
    this.#waiting = []
    for (const each of waiting) {
      const tally = this.#tallies.get(each.head.value.job)
      if (tally) this.#count(tally, each)
    }
  }

  /** Forgets all counts: reading begins again. */
  clear(): void {
    this.#tallies.clear()
    this.#waiting = []
  }

  #count(tally: ResultTally, { partition, head, at, isAfterLoss }: TalliedMessage): void {
    const rows = tally.take(partition, head, at, isAfterLoss)
    if (rows === 0 || head.kind !== 'result') return
    const { by, rejected } = head.value
    const worker = this.workerRows.get(by) ?? { window: new RateWindow(), rows: 0, rejected: 0 }
    this.workerRows.delete(by)
    this.workerRows.set(by, worker) // at the end: the one that was silent longest comes first
    if (this.workerRows.size > MOST_WORKERS) this.workerRows.delete(this.workerRows.keys().next().value!)
    worker.window.add(at, rows)
    worker.rows += rows
    worker.rejected += rejected.length
  }
}
