import { phaseOf } from '../watch/phase.ts'
import { RateWindow } from '../watch/rate-window.ts'
import type { MeteredParts, Moment } from './liveness.ts'
import { idleSecondsOf, type JobFigures } from './metrics/job-metrics.ts'

/** The job of a `rowmill run`, as far as the command knows it from itself: it asks the broker nothing. */
export class OwnJob {
  readonly #rates = new RateWindow()
  #classified: number | null = null

  /** To be called about once a second. @param now in ms, by any clock */
  look({ arrived }: Pick<MeteredParts, 'arrived'>, now: number): void {
    if (arrived === null) return
    if (this.#classified !== null && arrived > this.#classified) this.#rates.add(now, arrived - this.#classified)
    this.#classified = arrived
  }

  /** Null: the command does not know its job yet. */
  figures(
    { publishing, collecting, arrived }: MeteredParts,
    { now, stillSeconds, stalledAfterSeconds }: Omit<Moment, 'outageSeconds'> & { readonly now: number },
  ): JobFigures | null {
    if (publishing === null) return null
    const { job: id, published, total } = publishing
    const { written = null, rejected = null } = collecting ?? {}
    const { working, collecting: collector, publishing: publisher } = stillSeconds
    // Rows without an end that arrive do not show that their job moves.
    const still = Math.min(working, collector, total === null ? Number.POSITIVE_INFINITY : publisher)
    const rows = { total, published, classified: arrived, written, rejected }
    const isClassified = total !== null && (arrived ?? 0) >= total
    const phase = phaseOf({
      ...{ rows, isClassified, bounded: total !== null, isStill: still > stalledAfterSeconds },
      state: total !== null && published >= total ? 'ended' : 'open',
      isWritten: total !== null && (written ?? 0) + (rejected ?? 0) >= total,
    })
    const rate = this.#rates.rate(now)
    const etaSeconds = total === null || isClassified || rate === 0 ? null : (total - (arrived ?? 0)) / rate
    return { id, phase, rows, etaSeconds, idleSeconds: idleSecondsOf({ phase, rows }, still) }
  }
}
