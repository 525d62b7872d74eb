import { byId, element, Rows, setAttribute, setHidden, setScrollHidden, setText, showText } from './dom.js'
import { counted, duration, number, rate } from './words.js'

/** @typedef {import('../../../watch/view.ts').PartitionView} PartitionView */

class PartitionRow {
  #name = element('span')
  #blocks = element('span', 'mark', '\u25b6 output waits here')
  #lag = element('span')
  #age = element('span', 'under')
  #rate = element('td', 'number')
  #owner = element('td')
  root

  constructor() {
    const head = element('th', '', this.#name, this.#blocks)
    head.setAttribute('scope', 'row')
    this.root = element('tr', '', head, element('td', 'number', this.#lag, this.#age), this.#rate, this.#owner)
  }

  /** @param {{ partition: PartitionView, isNamed: boolean }} item */
  update({ partition: { topic, partition, lagRows, lagSeconds, rowsPerSecond, owner, blocks }, isNamed }) {
    setText(this.#name, isNamed ? `${topic} ${partition}` : String(partition))
    setHidden(this.#blocks, !blocks)
    setAttribute(this.root, 'class', blocks ? 'blocks' : null)
    setText(this.#lag, number(lagRows))
    showText(this.#age, lagRows && lagSeconds ? `oldest: ${duration(lagSeconds)}` : null)
    setText(this.#rate, rate(rowsPerSecond))
    setText(this.#owner, owner ?? (lagRows ? 'nobody' : '\u2013'))
    setAttribute(this.#owner, 'class', owner === null && lagRows ? 'trouble' : null)
  }
}

export class PartitionsSection {
  #rows = new Rows(byId('partitions').querySelector('tbody') ?? byId('partitions'), () => new PartitionRow())

  /** @param {import('./state.js').State} state */
  update({ parts: { job } }) {
    const partitions = job?.partitions ?? []
    const isNamed = new Set(partitions.map(({ topic }) => topic)).size > 1
    this.#rows.show(
      partitions.map(partition => ({ partition, isNamed })),
      ({ partition: { topic, partition } }) => `${topic} ${partition}`,
    )
    setScrollHidden(byId('partitions'), partitions.length === 0)
    setHidden(byId('partitions-empty'), partitions.length > 0)
    const blocking = partitions.find(({ blocks }) => blocks)
    const sentences = [
      blocking ? `The ordered output waits for partition ${blocking.partition}.` : null,
      job?.partitionsLeftOut
        ? `${counted(job.partitionsLeftOut, 'partition')} with fewer rows waiting left out.`
        : null,
    ]
    showText(byId('partitions-note'), sentences.filter(Boolean).join(' '))
  }
}
