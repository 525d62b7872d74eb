import { byId, element, Rows, setAttribute, setHidden, setText } from './dom.js'
import { counted, duration, number, PHASES, rate } from './words.js'

/** @typedef {import('./state.js').JobLine} JobLine */

const SHOWN_FIRST = 8

/** A job in one line: what it does, how far it is, when it is done. The open one has its numbers below. */
class JobRow {
  #name = element('span', 'job-name')
  #phase = element('span', 'phase')
  #layers = ['published', 'classified', 'written'].map(stage => element('span', stage))
  #figure = element('span', 'job-figure')
  #more = element('span', 'job-more')
  #link = element('a', 'job')
  root

  constructor() {
    const bar = element('span', 'progress', ...this.#layers)
    bar.setAttribute('aria-hidden', 'true')
    this.#link.append(element('span', 'job-head', this.#name, this.#phase), this.#figure, bar, this.#more)
    this.root = element('li', '', this.#link)
  }

  /** @param {{ job: JobLine, isOpen: boolean }} item */
  update({ job, isOpen }) {
    const { id, phase, rows } = job
    setText(this.#name, id)
    setText(this.#phase, phase === 'complete' && rows.rejected ? 'complete, with rejects' : PHASES[phase])
    setAttribute(this.root, 'data-rejects', rows.rejected ? 'true' : null)
    setAttribute(this.root, 'data-phase', phase)
    setAttribute(this.#link, 'href', `?job=${encodeURIComponent(id)}`)
    setAttribute(this.#link, 'data-job', id)
    setAttribute(this.#link, 'aria-current', isOpen ? 'true' : null)
    const whole = rows.total ?? Math.max(rows.published ?? 0, rows.classified ?? 0)
    for (const layer of this.#layers) {
      const done = rows[/** @type {'published'} */ (layer.className)] ?? 0
      const share = `scaleX(${whole > 0 ? Math.min(1, done / whole).toFixed(4) : 0})`
      if (layer.style.transform !== share) layer.style.transform = share
    }
    setText(this.#figure, figureOf(job))
    setText(this.#more, moreOf(job))
  }
}

/** @param {JobLine} job */
function figureOf({ rows: { total, classified }, bounded }) {
  if (total === null) return `${number(classified ?? 0)} rows${bounded ? ' so far' : ''}`
  const share = total > 0 ? Math.floor((100 * (classified ?? 0)) / total) : 100
  return `${share} % of ${counted(total, 'row')}`
}

/** @param {JobLine} job */
function moreOf({ rows, rate: now, etaSeconds, phase }) {
  const isMoving = now > 0 && (phase === 'classifying' || phase === 'publishing')
  return [
    rows.published === null ? null : `${number(rows.published)} published`,
    rows.classified === null ? null : `${number(rows.classified)} classified`,
    rows.written === null ? null : `${number(rows.written)} written`,
    rows.rejected ? `${number(rows.rejected)} rejected` : null,
    isMoving ? `${rate(now)} rows/s` : null,
    isMoving && etaSeconds !== null ? `done in about ${duration(etaSeconds)}` : null,
  ]
    .filter(Boolean)
    .join(' · ')
}

export class JobsSection {
  #rows = new Rows(byId('jobs'), () => new JobRow())
  #showsAll = false

  /** @param {() => void} onMore called when more or fewer jobs are to be shown */
  constructor(onMore) {
    byId('jobs-more').addEventListener('click', () => {
      this.#showsAll = !this.#showsAll
      onMore()
    })
  }

  /** @param {import('./state.js').State} state */
  update({ order, jobs, parts }) {
    const open = parts.job?.id
    const shown = this.#showsAll ? order : order.filter((id, place) => place < SHOWN_FIRST || id === open)
    const items = shown.flatMap(id => {
      const job = jobs.get(id)
      return job ? [{ job, isOpen: id === open }] : []
    })
    this.#rows.show(items, ({ job }) => job.id)
    setHidden(byId('jobs-empty'), order.length > 0)
    setHidden(byId('jobs-more'), order.length <= SHOWN_FIRST)
    setText(byId('jobs-more'), this.#showsAll ? 'Show fewer' : `Show all ${order.length} jobs`)
    setAttribute(byId('jobs-more'), 'aria-expanded', String(this.#showsAll))
  }
}
