import { byId, element, Rows, setHidden, setText } from './dom.js'
import { duration } from './words.js'

/** @typedef {{ stage: 'queue' | 'classify' | 'send', seconds: number, share: number }} Stage */

const WORDS = { queue: 'waiting in a queue', classify: 'in the classifier', send: 'sending results' }

class StageRow {
  #name = element('dt')
  #value = element('dd')
  root = element('div', '', this.#name, this.#value)

  /** @param {Stage} stage */
  update({ stage, seconds, share }) {
    this.#name.className = `key ${stage}`
    setText(this.#name, WORDS[stage])
    setText(this.#value, `${Math.round(share * 100)} % (${duration(seconds)})`)
  }
}

/** One bar: where the time of a batch goes. */
export class TimeSection {
  #rows = new Rows(byId('time-list'), () => new StageRow())

  /** @param {import('./state.js').State} state */
  update({ parts: { time } }) {
    const seconds = time ? time.queue + time.classify + time.send : 0
    const isKnown = time && seconds > 0
    setHidden(byId('time'), !isKnown)
    setHidden(byId('time-empty'), Boolean(isKnown))
    /** @type {Stage[]} */
    const stages = []
    for (const bar of byId('time').children) {
      const stage = /** @type {'queue'} */ (bar.className)
      const share = time && seconds > 0 ? time[stage] / seconds : 0
      if (bar instanceof HTMLElement) bar.style.flexGrow = share.toFixed(4)
      if (time && isKnown) stages.push({ stage, seconds: time[stage], share })
    }
    this.#rows.show(stages, ({ stage }) => stage)
  }
}
