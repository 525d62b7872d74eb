import { byId, element, Rows, setAttribute, setHidden, setScrollHidden, setText, showText } from './dom.js'
import { counted, duration, fineDuration, number, rate } from './words.js'

/** @typedef {import('../../../watch/view.ts').WorkerView} WorkerView */

class WorkerRow {
  #name = element('span')
  #place = element('span', 'under')
  #state = element('span', 'state')
  #batch = element('span', 'under')
  #rate = element('td', 'number')
  #rows = element('span')
  #restarts = element('span', 'under')
  root

  constructor() {
    const head = element('th', '', this.#name, this.#place)
    head.setAttribute('scope', 'row')
    const now = element('td', '', this.#state, this.#batch)
    this.root = element('tr', '', head, now, this.#rate, element('td', 'number', this.#rows, this.#restarts))
  }

  /** @param {WorkerView} worker */
  update(worker) {
    const { name, host, pid, state, rows, rowsPerSecond, restarts, rejected, process } = worker
    const ofClassifier = Object.values(worker.classifierRestarts).reduce((sum, count) => sum + count, 0)
    setAttribute(this.root, 'data-state', state)
    setText(this.#name, name)
    setText(this.#place, pid === null ? host : `${host}, pid ${pid}`)
    setText(this.#state, stateOf(worker))
    showText(this.#batch, batchOf(worker))
    const isKnown = process !== null || rows > 0
    setText(this.#rate, isKnown && state !== 'gone' ? rate(rowsPerSecond) : '\u2013')
    setText(this.#rows, isKnown ? number(rows) : '\u2013')
    const notes = [
      restarts ? counted(restarts, 'restart') : null,
      ofClassifier ? `${counted(ofClassifier, 'restart')} of its classifier` : null,
      rejected ? `${number(rejected)} rejected` : null,
    ]
    showText(this.#restarts, notes.filter(Boolean).join(', '))
  }
}

/** @param {WorkerView} worker */
function stateOf({ state, silentSeconds, process }) {
  switch (state) {
    case 'silent':
      return `! silent for ${duration(silentSeconds)}`
    case 'gone':
      return 'gone'
    case 'starting':
      return 'starting'
    case 'idle':
      return process === null ? 'does not report' : 'has no rows'
    case 'busy':
      return 'classifying'
  }
}

/** @param {WorkerView} worker */
function batchOf({ batch, state }) {
  if (batch === null || state === 'gone') return null
  const where = batch.row === null ? '' : ` from row ${number(batch.row)}`
  return `${counted(batch.rows, 'row')}${where} for ${fineDuration(batch.seconds)}`
}

export class WorkersSection {
  #rows = new Rows(byId('workers').querySelector('tbody') ?? byId('workers'), () => new WorkerRow())

  /** @param {import('./state.js').State} state */
  update({ parts: { workers = [], workersLeftOut = 0 } }) {
    this.#rows.show(workers, ({ name, process }) => `${process} ${name}`)
    setScrollHidden(byId('workers'), workers.length === 0)
    setHidden(byId('workers-empty'), workers.length > 0)
    const silent = workers.filter(({ state }) => state === 'silent').length
    const sentences = [
      silent ? `${counted(silent, 'worker')} stopped answering.` : null,
      workersLeftOut ? `${counted(workersLeftOut, 'worker')} left out.` : null,
    ]
    showText(byId('workers-note'), sentences.filter(Boolean).join(' '))
  }
}
