/**
 * @typedef {import('../page-state.ts').PageState} PageState
 * @typedef {import('../page-state.ts').PageMessage} PageMessage
 * @typedef {import('../page-state.ts').JobLine} JobLine
 * @typedef {import('../history.ts').HistoryPoints} HistoryPoints
 */

const MOST_EVENTS = 200
const MOST_POINTS = 1800

/** What the page knows: all messages put together. */
export class State {
  /** Milliseconds that the clock of the monitor is ahead of that of this machine. */
  skew = 0
  /** @type {Partial<Omit<PageState, 'jobs' | 'events'>>} */
  parts = {}
  /** @type {readonly string[]} */
  order = []
  /** @type {Map<string, JobLine>} */
  jobs = new Map()
  /** @type {import('../../../watch/view.ts').EventView[]} oldest first */
  events = []
  /** @type {string | null} */
  drawn = null
  /** @type {[number[], (number | null)[], (number | null)[], (number | null)[]]} at (in seconds), published, classified, written */
  points = [[], [], [], []]

  /** By the clock of the monitor. */
  now() {
    return Date.now() + this.skew
  }

  /** The parts that this message changes. @param {PageMessage} message @returns {Set<string>} */
  take(message) {
    const { at, isFirst, order, jobs, events, points, drawn, ...parts } = message
    const changed = new Set(Object.keys(message))
    this.skew = at - Date.now()
    if (isFirst) {
      this.parts = {}
      this.jobs.clear()
      this.events = []
      for (const part of ['order', 'jobs', 'events', 'points']) changed.add(part)
    }
    Object.assign(this.parts, parts)
    for (const job of jobs ?? []) this.jobs.set(job.id, job)
    if (order) {
      this.order = order
      const kept = new Set(order)
      for (const id of this.jobs.keys()) if (!kept.has(id)) this.jobs.delete(id)
    }
    if (events) this.events = [...this.events, ...events].slice(-MOST_EVENTS)
    if (drawn !== undefined && drawn !== this.drawn) {
      this.drawn = drawn
      this.points = [[], [], [], []]
    }
    if (points) this.#addPoints(points)
    return changed
  }

  /** A stream that begins again may bring points that are here. @param {HistoryPoints} points */
  #addPoints({ at, published, classified, written }) {
    const newest = this.points[0].at(-1) ?? 0
    const first = at.findIndex(moment => moment / 1000 > newest)
    if (first === -1) return
    this.points[0].push(...at.slice(first).map(moment => moment / 1000))
    this.points[1].push(...published.slice(first))
    this.points[2].push(...classified.slice(first))
    this.points[3].push(...written.slice(first))
    for (const column of this.points) column.splice(0, column.length - MOST_POINTS)
  }
}
