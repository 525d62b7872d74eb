import { byId, element, Rows, setAttribute, setHidden, setScrollHidden, setText } from './dom.js'
import { moment } from './words.js'

/** @typedef {import('../../../watch/view.ts').EventView} EventView */

/** @type {Record<import('../../../watch/view.ts').EventKind, 'good' | 'bad' | 'plain'>} */
const TONES = {
  'job-opened': 'plain',
  'job-complete': 'good',
  'job-failed': 'bad',
  'job-cancelled': 'plain',
  'job-stalled': 'bad',
  'worker-started': 'plain',
  'worker-restarted': 'bad',
  'classifier-restarted': 'bad',
  'worker-silent': 'bad',
  'worker-gone': 'plain',
  rebalance: 'plain',
  'broker-lost': 'bad',
  'broker-back': 'good',
  'topics-gone': 'bad',
  'topics-back': 'good',
  rejects: 'bad',
}

class EventRow {
  #time = element('time')
  #text = element('span')
  root = element('li', '', this.#time, this.#text)

  /** @param {{ event: EventView, now: number }} item */
  update({ event: { at, kind, text }, now }) {
    setAttribute(this.#time, 'datetime', new Date(at).toISOString())
    setText(this.#time, moment(at, now))
    setText(this.#text, text)
    setAttribute(this.root, 'data-tone', TONES[kind] ?? 'plain')
  }
}

export class TimelineSection {
  #rows = new Rows(byId('timeline'), () => new EventRow())

  /** @param {import('./state.js').State} state */
  update(state) {
    const now = state.now()
    const events = [...state.events].reverse()
    this.#rows.show(
      events.map(event => ({ event, now })),
      ({ event }) => String(event.number),
    )
    setScrollHidden(byId('timeline'), events.length === 0)
    setHidden(byId('timeline-empty'), events.length > 0)
  }
}
