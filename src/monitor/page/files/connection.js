import { byId, setAttribute, setText } from './dom.js'
import { duration } from './words.js'

/** The monitor sends news every second. */
const LATE_MS = 5000
const AGAIN_MS = 2000
/** A page that nobody sees for this long lets go of its stream. */
const UNSEEN_MS = 60_000

/** The stream of news, and the words at the top that say whether it flows. */
export class Connection {
  #take
  /** @type {EventSource | null} */
  #stream = null
  /** @type {string | null} */
  #job = null
  #lastId = ''
  #newsAt = 0
  #connectedAt = Date.now()
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer
  /** Why the monitor sends no news. Null: it sends them, or does not answer. @type {string | null} */
  #refusal = null

  /** @param {(message: import('../page-state.ts').PageMessage) => void} take */
  constructor(take) {
    this.#take = take
    document.addEventListener('visibilitychange', () => this.#onVisibility())
    setInterval(() => this.#show(), 1000)
  }

  /** @param {string | null} job what is open on the page @param {boolean} isOther whether the history of another one is drawn now */
  open(job, isOther = false) {
    this.#job = job
    if (isOther) this.#lastId = ''
    this.#connect()
  }

  #connect() {
    clearTimeout(this.#timer)
    this.#stream?.close()
    const params = new URLSearchParams()
    if (this.#job !== null) params.set('job', this.#job)
    if (this.#lastId) params.set('after', this.#lastId)
    const path = `/api/stream?${params}`
    const stream = new EventSource(path)
    this.#stream = stream
    this.#connectedAt = Date.now()
    stream.onmessage = event => {
      this.#lastId = event.lastEventId
      this.#newsAt = Date.now()
      this.#refusal = null
      this.#take(JSON.parse(event.data))
      this.#show()
    }
    stream.onerror = () => {
      this.#show()
      // Otherwise the browser connects again by itself, and names the last event.
      if (stream.readyState === EventSource.CLOSED) void this.#refused(stream, path)
    }
  }

  /** A stream that is refused does not say why: an ordinary request does. @param {EventSource} stream @param {string} path */
  async #refused(stream, path) {
    const why = await refusalOf(path)
    if (stream !== this.#stream) return
    this.#refusal = why
    this.#show()
    this.#timer = setTimeout(() => this.#connect(), AGAIN_MS)
  }

  #onVisibility() {
    clearTimeout(this.#timer)
    if (document.hidden) {
      this.#timer = setTimeout(() => {
        this.#stream?.close()
        this.#stream = null
      }, UNSEEN_MS)
    } else if (this.#stream === null || this.#stream.readyState === EventSource.CLOSED) this.#connect()
  }

  #show() {
    const since = Date.now() - (this.#newsAt || this.#connectedAt)
    const isLate = since > LATE_MS || this.#refusal !== null
    const state = isLate ? 'late' : this.#newsAt ? 'live' : 'wait'
    const age = duration(since / 1000)
    if (this.#refusal !== null && !this.#newsAt)
      setText(byId('sentence'), `The monitor sends this page no news: ${this.#refusal}.`)
    const late =
      this.#refusal !== null
        ? `no news: ${this.#refusal}`
        : this.#newsAt
          ? `last news ${age} ago: is the monitor running?`
          : `no news for ${age}: is the monitor running?`
    setAttribute(byId('connection'), 'data-state', state)
    setText(byId('connection-text'), isLate ? late : this.#newsAt ? 'live' : 'connecting')
  }
}

/** What the monitor answers instead of a stream. Null: it would send one, or it does not answer. @param {string} path */
async function refusalOf(path) {
  const over = new AbortController()
  try {
    const answer = await fetch(path, { signal: over.signal })
    return answer.ok ? null : (await answer.text()).trim()
  } catch {
    return null
  } finally {
    over.abort()
  }
}
