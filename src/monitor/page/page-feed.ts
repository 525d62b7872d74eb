import { realTime, type Time } from '../../support/clock.ts'
import type { PipelineView, ViewSource } from '../../watch/view.ts'
import { History } from './history.ts'
import type { PageChanges } from './page-changes.ts'

interface OpenPage {
  wake(): void
}

const LEAST_BETWEEN_MS = 1000
const KEPT_WITHOUT_PAGE_MS = 3_600_000
/** The server ends a connection on which nothing moves. */
const SIGN_OF_LIFE_MS = 15_000
/** Each open page is a connection that stays. */
const MOST_PAGES = 32

/**
 * Sends open pages what changed, at most once a second. It listens to the source from the first page until an hour after the
 * last one: a page that comes back within an hour, as after a sleep, finds the history complete. Otherwise the watch may rest.
 */
export class PageFeed {
  readonly #source: ViewSource
  readonly #time: Time
  readonly #wallClock: () => number
  readonly #history = new History()
  readonly #pages = new Set<OpenPage>()
  #unsubscribe: (() => void) | null = null
  #cancelRest: (() => void) | null = null
  #cancelWake: (() => void) | null = null
  #cancelSigns: (() => void) | null = null
  #wokeAt = -Infinity
  /** Counts the views. */
  #views = 0

  /** @param wallClock milliseconds since 1970 */
  constructor(source: ViewSource, time: Time = realTime, wallClock: () => number = Date.now) {
    this.#source = source
    this.#time = time
    this.#wallClock = wallClock
  }

  /** Whether another page may be opened. */
  get hasRoom(): boolean {
    return this.#pages.size < MOST_PAGES
  }

  /**
   * Server-sent events until the signal aborts. The next one is made when the one before was taken. So a page that does not read,
   * as on a machine that sleeps, costs nothing, and then gets all that changed in one message.
   */
  async *events(changes: PageChanges, signal: AbortSignal): AsyncGenerator<string> {
    let woken = Promise.withResolvers<void>()
    const page = { wake: () => woken.resolve() }
    signal.addEventListener('abort', page.wake, { once: true })
    this.#enter(page)
    try {
      let sent = -1
      while (!signal.aborted) {
        woken = Promise.withResolvers<void>()
        const views = this.#views
        yield views > sent ? this.#event(changes) : ': no news\n\n'
        sent = views
        await woken.promise
      }
    } finally {
      signal.removeEventListener('abort', page.wake)
      this.#leave(page)
    }
  }

  /** What `changes` says of the pipeline now, as JSON. */
  message(changes: PageChanges): string {
    return changes.next(this.#source.latest, this.#history, this.#wallClock())
  }

  /** Listens to the source no more. */
  close(): void {
    for (const cancel of [this.#cancelRest, this.#cancelWake, this.#cancelSigns, this.#unsubscribe]) cancel?.()
    this.#cancelRest = this.#cancelWake = this.#cancelSigns = this.#unsubscribe = null
  }

  #event(changes: PageChanges): string {
    const data = this.message(changes)
    return `id: ${changes.newestPoint}\ndata: ${data}\n\n`
  }

  #enter(page: OpenPage): void {
    this.#pages.add(page)
    this.#cancelRest?.()
    this.#cancelRest = null
    this.#unsubscribe ??= this.#source.subscribe(view => this.#take(view))
    this.#cancelSigns ??= this.#time.every(SIGN_OF_LIFE_MS, () => this.#wakeAll())
  }

  #leave(page: OpenPage): void {
    this.#pages.delete(page)
    if (this.#pages.size > 0 || !this.#unsubscribe) return
    this.#cancelSigns?.()
    this.#cancelSigns = null
    this.#cancelRest = this.#time.every(KEPT_WITHOUT_PAGE_MS, () => this.close())
  }

  #take(view: PipelineView): void {
    this.#views++
    this.#history.add(view)
    if (this.#pages.size === 0 || this.#cancelWake) return
    const wait = this.#wokeAt + LEAST_BETWEEN_MS - this.#time.now()
    // A view may come a little early. None is late by a second for that.
    if (wait <= LEAST_BETWEEN_MS / 4) this.#wakeAll()
    else this.#cancelWake = this.#time.every(wait, () => this.#wakeAll())
  }

  #wakeAll(): void {
    this.#cancelWake?.()
    this.#cancelWake = null
    this.#wokeAt = this.#time.now()
    for (const page of this.#pages) page.wake()
  }
}
