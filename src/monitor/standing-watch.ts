import type { PipelineConnection } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { realTime, type Time } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { unlessLate } from '../support/unless-late.ts'
import { PipelineWatch } from '../watch/pipeline-watch.ts'
import { Timeline } from '../watch/timeline.ts'
import type { PipelineView, ViewSource } from '../watch/view.ts'
import { isOfTopics } from '../watch/watch-errors.ts'
import type { PipelineWatchOptions } from '../watch/watch-options.ts'
import { isSilence, missingTopic, PATIENCE_MS } from './cluster-reach.ts'
import { describeNoTopics } from './no-topics.ts'

/** How often it asks a cluster that does not answer or lacks the topics. */
const EVERY_MS = 1000
/** A question that has no answer after this long counts as none. */
const LATE_MS = 3000
/** The same, where the watch has had no answer for long already. */
const SILENT_LATE_MS = 1000

type State = 'watching' | 'silent' | 'no-topics'
type TopicsAnswer = { readonly missing: string | null } | 'silent'

export interface StandingWatchOptions extends PipelineWatchOptions {
  /** The first topic that is missing, or null. Asks once. Default: asks the brokers. */
  readonly ask?: (hangUp: AbortSignal) => Promise<string | null>
  /** What else is known of what a view shows. Default: nothing. */
  readonly told?: (view: PipelineView) => PipelineView
}

/**
 * Watches a pipeline until it is closed, also while no broker answers, before its topics are made and after they are deleted: its
 * views say so. Topics that are made again are another pipeline of the same name, of which nothing is known yet.
 */
export class StandingWatch implements ViewSource {
  readonly #connection: PipelineConnection
  readonly #options: PipelineWatchOptions
  readonly #ask: (hangUp: AbortSignal) => Promise<string | null>
  readonly #told: (view: PipelineView) => PipelineView
  readonly #time: Time
  readonly #wallClock: () => number
  readonly #stop = new AbortController()
  readonly #listeners = new Set<(view: PipelineView) => void>()
  readonly #timeline = new Timeline()
  #asking: Promise<TopicsAnswer> | null = null
  #latest: PipelineView | null = null
  /** The last view of a pipeline that had its topics. */
  #seen: PipelineView | null = null
  #state: State | null = null

  constructor(connection: PipelineConnection, { ask, told = view => view, ...options }: StandingWatchOptions = {}) {
    const { kafka, pipeline } = connection
    const { time = realTime, wallClock = Date.now } = options
    const { jobs, rows, results } = topicsOf(pipeline)
    this.#connection = connection
    this.#options = options
    this.#ask = ask ?? (hangUp => missingTopic(kafka, [jobs, rows, results], hangUp))
    this.#told = told
    this.#time = time
    this.#wallClock = wallClock
  }

  get latest(): PipelineView | null {
    return this.#latest
  }

  subscribe(listener: (view: PipelineView) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when `signal` aborts. Rejects if a retry cannot help, for example if the broker refuses the login. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = AbortSignal.any([signal, this.#stop.signal])
    while (!stopped.aborted) {
      await this.#untilThere(stopped)
      if (!stopped.aborted) await this.#whileThere(stopped)
    }
  }

  close(): void {
    this.#stop.abort()
    this.#listeners.clear()
  }

  async #untilThere(stopped: AbortSignal): Promise<void> {
    let since: number | null = null
    while (!stopped.aborted) {
      const began = this.#time.now()
      const at = this.#wallClock()
      const answer = await this.#answer(stopped)
      if (stopped.aborted) return
      if (answer !== 'silent' && answer.missing === null) return
      since = answer === 'silent' ? (since ?? at) : null
      this.#showNothing(answer, since)
      await this.#time.sleep(Math.max(0, EVERY_MS - (this.#time.now() - began)), stopped)
    }
  }

  /** Resolves when the topics are gone. */
  async #whileThere(stopped: AbortSignal): Promise<void> {
    const { kafka, pipeline } = this.#connection
    const gone = Promise.withResolvers<void>()
    /** Acts unless topics are missing: then that is the cause. */
    const unlessGone = async (act: () => void, lateMs = LATE_MS) => {
      const answer = await this.#answer(stopped, lateMs)
      if (answer !== 'silent' && answer.missing !== null) gone.resolve()
      else act()
    }
    const say: Say = (message, facts) => {
      const tell = () => this.#connection.say(message, facts)
      if (facts?.code === 'PARTITION_UNREADABLE') unlessGone(tell).catch(gone.reject)
      else tell()
    }
    const watch = new PipelineWatch({ kafka, pipeline, say }, this.#options)
    let isOver = false
    watch.subscribe(view => {
      const showSilence = () => {
        if (!isOver && watch.latest!.unreachableSince !== null) this.#showSeen(watch.latest!)
      }
      if (isOver) return
      if (view.unreachableSince === null) this.#showSeen(view)
      else unlessGone(showSilence, SILENT_LATE_MS).catch(gone.reject)
    })
    try {
      const ended = new Promise<void>(resolve => stopped.addEventListener('abort', () => resolve(), { once: true }))
      await Promise.race([watch.start(), gone.promise, ended])
    } catch (error) {
      if (!isOfTopics(error)) throw error
    } finally {
      isOver = true
      void watch.close()
    }
  }

  /** Whether topics are missing now. One question at a time, and none waits long. Throws what a retry cannot help. */
  async #answer(stopped: AbortSignal, lateMs = LATE_MS): Promise<TopicsAnswer> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = null
    })
    const answer = await unlessLate(this.#asking, lateMs, this.#time, stopped)
    return answer === 'late' ? 'silent' : answer
  }

  async #askOnce(): Promise<TopicsAnswer> {
    const hangUp = new AbortController()
    const late = this.#time.after(PATIENCE_MS, () => hangUp.abort())
    try {
      return { missing: await this.#ask(hangUp.signal) }
    } catch (error) {
      if (isSilence(error)) return 'silent'
      throw error
    } finally {
      late()
    }
  }

  #showSeen(seen: PipelineView): void {
    const view = this.#told(seen)
    this.#seen = view
    this.#tell('watching', `watching pipeline ${view.pipeline}`)
    this.#show({ ...view, events: this.#timeline.after(view) })
  }

  /** @param silentSince since when no broker answers, in ms since 1970. Null: one answers. */
  #showNothing(answer: TopicsAnswer, silentSince: number | null): void {
    const { kafka, pipeline } = this.#connection
    const brokers = kafka.settings.brokers.join(',')
    const at = this.#wallClock()
    const none = { pipeline, at, brokers, jobs: [], workers: [], processes: [] }
    if (answer === 'silent') {
      this.#tell('silent', `no Kafka broker answers at ${brokers}. Waiting until one does`)
      const noTopics = this.#latest?.noTopics ?? null
      this.#show({ ...none, unreachableSince: silentSince, noTopics, events: this.#latest?.events ?? [] })
      return
    }
    const before = this.#latest?.noTopics
    const lastJob = this.#seen?.jobs.at(-1) ?? null
    const noTopics = before ?? { since: at, missing: answer.missing!, wereThere: this.#seen !== null, lastJob }
    const view = { ...none, unreachableSince: null, noTopics, events: [] }
    this.#tell('no-topics', `${describeNoTopics(pipeline, noTopics)}. Waiting for them`)
    this.#show(this.#seen === null ? view : { ...view, events: this.#timeline.after(view) })
  }

  #show(view: PipelineView): void {
    this.#latest = view
    for (const listener of this.#listeners) listener(view)
  }

  /** Logs one line when what is wrong changes. */
  #tell(state: State, message: string): void {
    if (state === this.#state) return
    this.#state = state
    this.#connection.say(message, state === 'watching' ? {} : { level: 'warn' })
  }
}
