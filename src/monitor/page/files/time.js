import { byId, element, Rows, setAttribute, setHidden, setText } from './dom.js'
import { duration } from './words.js'

/** @typedef {{ activity: keyof typeof WORDS, seconds: number, share: number }} Activity */

const WORDS = {
  classify: 'classifying',
  send: 'sending results',
  wait: 'waiting for rows',
  start: 'starting the classifier',
}

class ActivityRow {
  #name = element('dt', 'key')
  #value = element('dd')
  root = element('div', '', this.#name, this.#value)

  /** @param {Activity} activity */
  update({ activity, seconds, share }) {
    setAttribute(this.#name, 'data-activity', activity)
    setText(this.#name, WORDS[activity])
    setText(this.#value, `${Math.round(share * 100)} % (${duration(seconds)})`)
  }
}

/** One bar: what all workers spent their time on, the batches in hand included. */
export class TimeSection {
  #rows = new Rows(byId('time-list'), () => new ActivityRow())

  /** @param {import('./state.js').State} state */
  update({ parts: { time } }) {
    const seconds = time ? time.classify + time.send + time.wait + time.start : 0
    const isKnown = time && seconds > 0
    setHidden(byId('time'), !isKnown)
    setHidden(byId('time-empty'), Boolean(isKnown))
    /** @type {Activity[]} */
    const activities = []
    for (const bar of /** @type {Iterable<HTMLElement>} */ (byId('time').children)) {
      const activity = /** @type {keyof typeof WORDS} */ (bar.dataset.activity)
      const share = time && seconds > 0 ? time[activity] / seconds : 0
      bar.style.flexGrow = share.toFixed(4)
      if (time && isKnown) activities.push({ activity, seconds: time[activity], share })
    }
    this.#rows.show(activities, ({ activity }) => activity)
  }
}
