import type { JobView, PipelineView } from '../../watch/view.ts'

/** The stages of a row that the page draws over time. */
export const STAGES = ['published', 'classified', 'written'] as const
export type RowStage = (typeof STAGES)[number]

/** Rows per second, column by column. Null: not known. `at` is in milliseconds since 1970, and ascends. */
export interface HistoryPoints {
  readonly at: readonly number[]
  readonly published: readonly (number | null)[]
  readonly classified: readonly (number | null)[]
  readonly written: readonly (number | null)[]
}

type StageCounts = Readonly<Record<RowStage, number | null>>
type Series = Readonly<Record<RowStage, Float32Array>>

/** An hour. */
const POINTS = 1800
const STEP_MS = 2000

/** Rows per second of each job and of the pipeline for an hour. A point is the average over the 2 s before it. */
export class History {
  readonly #at = new Float64Array(POINTS)
  readonly #jobs = new Map<string, Series>()
  readonly #pipeline = emptySeries()
  #counts = new Map<string, StageCounts>()
  #length = 0
  #next = 0

  /** When the newest point was made. 0 before the first point. */
  get newest(): number {
    return this.#length === 0 ? 0 : this.#at[(this.#next + POINTS - 1) % POINTS]!
  }

  /** Adds a point, unless the newest one is younger than 2 s. Forgets the jobs that are not in the view. */
  add({ at, jobs }: Pick<PipelineView, 'at' | 'jobs'>): void {
    const before = this.newest
    if (this.#length > 0 && at < before + STEP_MS) return
    const slot = this.#next
    this.#at[slot] = at
    this.#next = (slot + 1) % POINTS
    this.#length = Math.min(POINTS, this.#length + 1)
    const seconds = (at - before) / 1000
    const sums = { published: NaN, classified: NaN, written: NaN }
    const counts = new Map<string, StageCounts>()
    for (const job of jobs) {
      counts.set(job.id, job.rows)
      const series = this.#seriesOf(job.id)
      const earlier = this.#countsBefore(job, before)
      for (const stage of STAGES) {
        const rate = rateOf(earlier?.[stage], job.rows[stage], seconds)
        series[stage][slot] = rate
        if (!Number.isNaN(rate)) sums[stage] = (Number.isNaN(sums[stage]) ? 0 : sums[stage]) + rate
      }
    }
    for (const stage of STAGES) this.#pipeline[stage][slot] = sums[stage]
    for (const id of this.#jobs.keys()) if (!counts.has(id)) this.#jobs.delete(id)
    this.#counts = counts
  }

  /** The points after the moment `since` of a job, or of the pipeline for null. */
  since(since: number, job: string | null): HistoryPoints {
    const series = job === null ? this.#pipeline : this.#jobs.get(job)
    const slots: number[] = []
    for (let back = this.#length; back > 0; back--) {
      const slot = (this.#next + POINTS - back) % POINTS
      if (this.#at[slot]! > since) slots.push(slot)
    }
    const column = (stage: RowStage) => slots.map(slot => rounded(series?.[stage][slot]))
    return {
      at: slots.map(slot => this.#at[slot]!),
      published: column('published'),
      classified: column('classified'),
      written: column('written'),
    }
  }

  #seriesOf(job: string): Series {
    const series = this.#jobs.get(job) ?? emptySeries()
    this.#jobs.set(job, series)
    return series
  }

  /** A job that was opened after the newest point began with no rows. */
  #countsBefore(job: JobView, before: number): StageCounts | undefined {
    const isNew = before > 0 && job.openedAt >= before
    return this.#counts.get(job.id) ?? (isNew ? { published: 0, classified: 0, written: 0 } : undefined)
  }
}

function emptySeries(): Series {
  const column = () => new Float32Array(POINTS).fill(NaN)
  return { published: column(), classified: column(), written: column() }
}

/** NaN: not known. A later attempt may begin with fewer results than the one before. */
function rateOf(before: number | null | undefined, now: number | null, seconds: number): number {
  return before == null || now === null ? NaN : Math.max(0, now - before) / seconds
}

const rounded = (rate: number | undefined) =>
  rate === undefined || Number.isNaN(rate) ? null : Math.round(rate * 10) / 10
