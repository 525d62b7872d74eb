import { byId, element, Rows, setHidden, setText } from './dom.js'
import { clock, rate } from './words.js'

/** @typedef {import('./state.js').State} State */

const HEIGHT = 220
/** Until there is so much, the chart is not full. */
const LEAST_SECONDS = 120
const STAGES = /** @type {const} */ (['published', 'classified', 'written'])
const DASHES = { published: [], classified: [7, 4], written: [2, 3] }

class MinuteRow {
  #cells = ['', ...STAGES].map((_, place) => element(place ? 'td' : 'th', place ? 'number' : ''))
  root = element('tr', '', ...this.#cells)

  constructor() {
    this.#cells[0]?.setAttribute('scope', 'row')
  }

  /** @param {{ at: number, means: (number | null)[] }} minute */
  update({ at, means }) {
    const texts = [clock(at * 1000), ...means.map(mean => (mean === null ? 'unknown' : rate(mean)))]
    for (const [place, cell] of this.#cells.entries()) setText(cell, texts[place])
  }
}

/** Rows per second over time. A line for each stage, and the same in words and as a table. */
export class ChartSection {
  #parent = byId('chart')
  #rows = new Rows(byId('chart-rows'), () => new MinuteRow())
  #table = /** @type {HTMLDetailsElement} */ (byId('chart-rows').closest('details'))
  /** @type {any} the chart of uPlot */
  #chart = null
  /** @type {State | null} */
  #state = null

  constructor() {
    const redraw = () => {
      this.#clear()
      if (this.#state) this.update(this.#state)
    }
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw)
    new ResizeObserver(() => this.#chart?.setSize(this.#size())).observe(this.#parent)
    this.#table.addEventListener('toggle', () => this.#showTable())
  }

  /** @param {State} state */
  update(state) {
    this.#state = state
    const { points, drawn } = state
    setText(byId('chart-title'), drawn === null ? 'Rows per second, all jobs' : `Rows per second, job ${drawn}`)
    const isDrawn = points[0].length > 1
    setHidden(this.#parent, !isDrawn)
    setHidden(this.#table, !isDrawn)
    if (!isDrawn) this.#clear()
    else if (this.#chart) this.#chart.setData(points)
    // @ts-expect-error uPlot is a script of its own, loaded before this one
    else this.#chart = new uPlot(this.#options(), points, this.#parent)
    setText(byId('chart-text'), textOf(points))
    this.#showTable()
  }

  #clear() {
    this.#chart?.destroy()
    this.#chart = null
  }

  #size() {
    return { width: Math.max(200, this.#parent.clientWidth), height: HEIGHT }
  }

  #options() {
    const style = getComputedStyle(document.documentElement)
    /** @param {string} name */
    const color = name => style.getPropertyValue(name).trim()
    const font = `12px ${style.getPropertyValue('--font')}`
    const axis = { stroke: color('--quiet'), font, grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } }
    return {
      ...this.#size(),
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: {
          range: (/** @type {any} */ _, /** @type {number} */ from, /** @type {number} */ to) => [
            Math.min(from, to - LEAST_SECONDS),
            to,
          ],
        },
        y: {
          range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ most) => [
            0,
            Math.max(1, (most || 0) * 1.1),
          ],
        },
      },
      axes: [
        {
          ...axis,
          size: 32,
          space: 80,
          values: (/** @type {any} */ _, /** @type {number[]} */ moments) =>
            moments.map(moment => clock(moment * 1000)),
        },
        { ...axis, size: 56, values: (/** @type {any} */ _, /** @type {number[]} */ rates) => rates.map(rate) },
      ],
      series: [
        {},
        ...STAGES.map(stage => ({
          label: stage,
          stroke: color(`--${stage}`),
          width: stage === 'classified' ? 2.5 : 2,
          dash: DASHES[stage],
          points: { show: false },
        })),
      ],
    }
  }

  #showTable() {
    if (this.#table.open && this.#state) this.#rows.show(minutesOf(this.#state.points), ({ at }) => String(at))
  }
}

/** @param {State['points']} points */
function textOf(points) {
  const classified = points[2].filter(value => value !== null)
  if (classified.length === 0) return 'No rate is known yet.'
  const minutes = Math.max(1, Math.round(((points[0].at(-1) ?? 0) - (points[0][0] ?? 0)) / 60))
  const last = /** @type {number} */ (classified.at(-1))
  const span = minutes === 1 ? 'minute' : `${minutes} minutes`
  return `Classified now: ${rate(last)} rows/s. In the last ${span}: ${rate(meanOf(classified))} on average, ${rate(Math.max(...classified))} at most.`
}

/** @param {number[]} values */
const meanOf = values => values.reduce((sum, value) => sum + value, 0) / values.length

/** The averages of each minute, newest first. @param {State['points']} points */
function minutesOf(points) {
  /** @type {Map<number, number[]>} */
  const places = new Map()
  for (const [place, at] of points[0].entries()) {
    const minute = Math.floor(at / 60) * 60
    places.set(minute, [...(places.get(minute) ?? []), place])
  }
  const minutes = [...places].map(([at, of]) => ({
    at,
    means: points.slice(1).map(column => {
      const values = of.map(place => column[place]).filter(value => value !== null && value !== undefined)
      return values.length ? meanOf(/** @type {number[]} */ (values)) : null
    }),
  }))
  return minutes.reverse()
}
