import { byId, element, Rows, setHidden, setText, showText } from './dom.js'
import { number } from './words.js'

/** @typedef {import('../../../watch/view.ts').RejectView} RejectView */

class ReasonRow {
  #name = element('dt')
  #count = element('dd')
  root = element('div', '', this.#name, this.#count)

  /** @param {{ reason: string, count: number }} item */
  update({ reason, count }) {
    setText(this.#name, reason)
    setText(this.#count, number(count))
  }
}

class RejectRow {
  #where = element('strong')
  #reason = element('span', 'reason')
  #detail = element('code')
  root = element('li', '', this.#where, this.#reason, this.#detail)

  /** @param {RejectView} reject */
  update({ row, line, reason, detail }) {
    const places = [row === null ? null : `row ${number(row)}`, line === null ? null : `line ${number(line)}`]
    setText(this.#where, places.filter(Boolean).join(', ') || 'a row')
    setText(this.#reason, reason)
    showText(this.#detail, detail)
  }
}

export class RejectsSection {
  #reasons = new Rows(byId('reasons'), () => new ReasonRow())
  #rows = new Rows(byId('rejects'), () => new RejectRow())

  /** @param {import('./state.js').State} state */
  update({ parts: { job } }) {
    const reasons = Object.entries(job?.rejectsByReason ?? {}).map(([reason, count]) => ({ reason, count }))
    reasons.sort((a, b) => b.count - a.count)
    const last = [...(job?.lastRejects ?? [])].reverse()
    this.#reasons.show(reasons, ({ reason }) => reason)
    this.#rows.show(
      last.map((reject, place) => ({ ...reject, place })),
      ({ row, line, place }) => (row === null && line === null ? `place ${place}` : `${row} ${line}`),
    )
    setHidden(byId('last-title'), last.length === 0)
    setHidden(byId('rejects-empty'), reasons.length > 0 || last.length > 0)
  }
}
