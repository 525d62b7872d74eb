import { copyOnClick } from './copy.js'
import { byId, element, Rows, setAttribute, setHidden, setText, showText } from './dom.js'
import { duration, moment } from './words.js'

/** The sentence at the top: what the job waits for, since when, and the command that helps. */
export class HeadlineSection {
  constructor() {
    copyOnClick(byId('help-copy'), byId('help-command'))
  }

  /** @type {Rows<{ job: string, sentence: string }, { root: HTMLElement, update(item: { job: string, sentence: string }): void }>} */
  #others = new Rows(byId('others'), () => {
    const link = /** @type {HTMLAnchorElement} */ (element('a'))
    return {
      root: element('li', '', link),
      update: ({ job, sentence }) => {
        setText(link, sentence)
        setAttribute(link, 'href', `?job=${encodeURIComponent(job)}`)
        setAttribute(link, 'data-job', job)
      },
    }
  })

  /** @param {import('./state.js').State} state */
  update(state) {
    const { headline, others } = state.parts
    if (!headline) return
    setAttribute(byId('headline'), 'data-tone', headline.tone)
    setText(byId('sentence'), headline.sentence)
    document.title = `${headline.tone === 'bad' ? '(!) ' : ''}${headline.sentence} · rowmill`
    // Read aloud only if it changed, and without the percentage that changes all the time.
    setText(byId('announcement'), headline.sentence.replace(/: \d+ % of its rows are classified/, ''))
    this.tick(state)
    showText(byId('detail'), headline.detail)
    showText(byId('trace'), headline.trace)
    setHidden(byId('help'), headline.help === null)
    setText(byId('help-why'), headline.help?.why)
    setText(byId('help-command'), headline.help?.command)
    setHidden(byId('help-line'), !headline.help?.command)
    this.#others.show(others ?? [], ({ job }) => job)
    setHidden(byId('others'), !others?.length)
  }

  /** @param {import('./state.js').State} state */
  tick(state) {
    const now = state.now()
    const { since = null, isOver = false, etaSeconds = null } = state.parts.headline ?? {}
    const age = since === null ? null : duration((now - since) / 1000)
    const when = since === null ? null : moment(since, now)
    const begin = age && (isOver ? `${age} ago, at ${when}` : `For ${age}, since ${when}`)
    const end =
      etaSeconds === null ? null : `Done in about ${duration(etaSeconds)}, at ${moment(now + etaSeconds * 1000, now)}`
    showText(byId('since'), begin ?? end)
  }
}
