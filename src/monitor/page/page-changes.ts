import type { PipelineView } from '../../watch/view.ts'
import type { History } from './history.ts'
import { type JobLine, type PageMessage, type PageState, pageStateOf, toJson } from './page-state.ts'

/** Parts of PageState that are sent whole when they change. */
const WHOLE = ['pipeline', 'headline', 'others', 'job', 'workers', 'workersLeftOut', 'processes', 'time'] as const

/** Makes the messages for one open page: the first with everything, then what changed. */
export class PageChanges {
  readonly #wanted: string | null
  readonly #sent = new Map<string, string>()
  #newestPoint: number
  #newestEvent = -1
  #isFirst = true

  /**
   * @param wanted the job that the page has open. Null: whatever is of interest.
   * @param newestPoint the moment of the newest point of the history that the page has. 0: it has none.
   */
  constructor(wanted: string | null, newestPoint = 0) {
    this.#wanted = wanted
    this.#newestPoint = newestPoint
  }

  /** The moment of the newest point that the page has after the last message: what it says when it connects again. */
  get newestPoint(): number {
    return this.#newestPoint
  }

  /** @param at the moment now, in milliseconds since 1970 */
  next(view: PipelineView | null, history: History, at: number): string {
    const state = pageStateOf(view, this.#wanted)
    const message: PageMessage = {
      at,
      isFirst: this.#isFirst,
      ...this.#changedParts(state),
      ...this.#changedJobs(state.jobs),
      ...this.#newEvents(state),
      ...this.#newPoints(history),
    }
    this.#isFirst = false
    return toJson(message)
  }

  #changedParts(state: PageState): Partial<PageState> {
    return Object.fromEntries(WHOLE.filter(part => this.#isNew(part, state[part])).map(part => [part, state[part]]))
  }

  #changedJobs(jobs: readonly JobLine[]): Pick<PageMessage, 'jobs' | 'order'> {
    const order = jobs.map(({ id }) => id)
    const changed = jobs.filter(job => this.#isNew(`job ${job.id}`, job))
    const isOther = this.#isNew('order', order)
    if (isOther) this.#forgetJobs(order)
    return { ...(isOther ? { order } : {}), ...(changed.length > 0 ? { jobs: changed } : {}) }
  }

  #forgetJobs(kept: readonly string[]): void {
    const keys = new Set(kept.map(id => `job ${id}`))
    for (const key of this.#sent.keys()) if (key.startsWith('job ') && !keys.has(key)) this.#sent.delete(key)
  }

  #newEvents({ events }: PageState): Pick<PageMessage, 'events'> {
    const fresh = events.filter(({ number }) => number > this.#newestEvent)
    this.#newestEvent = events.at(-1)?.number ?? this.#newestEvent
    return fresh.length > 0 ? { events: fresh } : {}
  }

  #newPoints(history: History): Pick<PageMessage, 'points' | 'drawn'> {
    const points = history.since(this.#newestPoint, this.#wanted)
    this.#newestPoint = points.at.at(-1) ?? this.#newestPoint
    const drawn = this.#isFirst ? { drawn: this.#wanted } : {}
    return points.at.length > 0 ? { ...drawn, points } : drawn
  }

  #isNew(part: string, value: unknown): boolean {
    const text = JSON.stringify(value)
    if (this.#sent.get(part) === text) return false
    this.#sent.set(part, text)
    return true
  }
}
