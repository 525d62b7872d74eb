import { RowmillError, toRowmillError } from '../../errors.ts'
import type { OptionValues } from '../../options.ts'
import { unlessAborted, untilAborted } from '../../support/abort.ts'
import type { Say } from '../../support/say.ts'
import { isOpen } from '../../watch/phase.ts'
import { PipelineWatch } from '../../watch/pipeline-watch.ts'
import type { PipelineView } from '../../watch/view.ts'
import { type FoundPipeline, foundAgain, optionsOf } from '../found-pipeline.ts'
import { isRunning, untilOver } from '../found-run.ts'
import type { Session } from '../limits.ts'
import { logAbout } from '../log.ts'
import { openSharedPipeline, type SharedOptions, type SharedPipeline } from '../shared-pipeline.ts'
import { outputEnded } from '../standard-output.ts'
import { exitOf, FAILED } from './exit-code.ts'
import { untilLast } from './follow.ts'
import { describeRun, endOfRun, nameOfOutput, type RunNews, viewOfRun } from './run-of-status.ts'
import { followingDisplay, printNews, printStatus, type Shown, type StatusDisplay } from './show-status.ts'

export type StatusOptions = SharedOptions & OptionValues<'followStatus' | 'showAll' | 'stalledAfter' | 'output'>

/** `rowmill status`: shows a pipeline once, or again and again until there is nothing more to wait for. */
export class WatchedStatus {
  readonly #session: Session
  readonly #options: StatusOptions
  readonly #others: readonly string[]
  readonly #display: StatusDisplay | null
  readonly #say: Say
  #found: FoundPipeline
  /** The job that is shown. Null: all. If one job alone is open at first, it stays with that one. */
  #job: string | null
  #view: PipelineView | null = null
  /** Whether the job was there, and is no longer. */
  #isRemoved = false
  /** What the client said last while a terminal shows the status. */
  #said: string | null = null

  constructor(session: Session, options: StatusOptions, found: FoundPipeline) {
    this.#session = session
    this.#options = options
    this.#found = found
    this.#others = found.others
    this.#job = found.job
    this.#display = options.followStatus ? followingDisplay(options.output, () => this.#shown) : null
    const note = (text: string) => {
      this.#said = text
    }
    this.#say = this.#display?.isScreen && process.stderr.isTTY ? note : session.say
  }

  /** Resolves with the exit code. */
  async show(): Promise<number> {
    const shared = await this.#open()
    if ('text' in shared) return this.#tell(shared)
    const { pipeline, kafka } = shared
    const { stalledAfter: stalledAfterSeconds } = this.#options
    const interest = { job: this.#job, countsLatest: true, stalledAfterSeconds }
    const watch = new PipelineWatch({ kafka, pipeline, say: this.#say }, interest)
    try {
      return await (this.#display ? this.#follow(watch, this.#display) : this.#once(watch))
    } finally {
      await watch.close()
      await shared.close()
    }
  }

  async #once(watch: PipelineWatch): Promise<number> {
    const view = this.#take(await unlessAborted(watch.look(), this.#session.signal))
    printStatus(view, this.#options.output, this.#shown)
    return exitOf(view, this.#job)
  }

  async #follow(watch: PipelineWatch, display: StatusDisplay): Promise<number> {
    const over = new AbortController()
    const signal = AbortSignal.any([this.#session.signal, over.signal])
    const show = (view: PipelineView) => {
      if (watch.isRead) display.show(this.#take(view))
    }
    const following = untilLast(watch, { show, isLast: () => this.#isRemoved || this.#isOver, signal }).then(
      () => this.#removal,
    )
    const failing = watch.start().then(() => new Promise<never>(() => {})) // it resolves when it is closed
    const ending = untilAborted(outputEnded).then(() => null)
    const ends = [following, ending, failing, this.#untilRunIsOver(signal)]
    try {
      const news = await Promise.race(ends)
      display.close(news === null)
      return news === null ? exitOf(this.#view!, this.#job) : this.#tell(news)
    } finally {
      over.abort()
      display.close(true)
      for (const end of ends) end.catch(() => {}) // the first one counts
    }
  }

  /** The pipeline once it has its topics, or what there is to say of a run that has none. */
  async #open(): Promise<SharedPipeline | RunNews> {
    const { signal } = this.#session
    for (;;) {
      const { run, cluster } = this.#found
      if (cluster !== null) {
        const use = { command: 'status', options: optionsOf(this.#options, this.#found), topics: null }
        try {
          return await unlessAborted(openSharedPipeline(use, { say: this.#say, signal }), signal)
        } catch (error) {
          // A run writes its file before it makes its topics, and removes it after them.
          if (run === null || toRowmillError(error).code !== 'TOPIC_UNUSABLE') throw error
        }
      }
      if (this.#display === null || !isRunning(run!)) return describeRun(run!)
      const now = await foundAgain({ ...this.#found, run: run! }, signal)
      if (now === null) return endOfRun(run!, null)
      this.#found = now
    }
  }

  /** Keeps a view, in the words of the run that it is of. Throws USAGE if there is no such job. */
  #take(seen: PipelineView): PipelineView {
    const { run } = this.#found
    const view = run === null ? seen : viewOfRun(seen, run)
    const isFirst = this.#view === null
    const open = view.jobs.filter(isOpen)
    if (isFirst && this.#job === null && open.length === 1) {
      this.#job = open[0]!.id
      logAbout({ job: this.#job })
    }
    if (run === null && this.#job !== null && !view.jobs.some(({ id }) => id === this.#job)) {
      if (isFirst) throw new RowmillError('USAGE', noJob(this.#job, view.pipeline))
      this.#isRemoved = true
      return this.#view!
    }
    this.#view = view
    return view
  }

  /** Null: the job was not removed. */
  get #removal(): RunNews | null {
    if (!this.#isRemoved) return null
    return { text: `Job ${this.#job} was removed from the pipeline.`, command: null, exit: FAILED }
  }

  get #isOver(): boolean {
    const { run } = this.#found
    const shown = this.#view!.jobs.filter(({ id }) => this.#job === null || id === this.#job)
    if (run !== null) return shown.some(job => !isOpen(job)) || !isRunning(run)
    return !shown.some(isOpen)
  }

  /** Resolves when the file of the run is gone: the run is complete, or it failed for good. */
  async #untilRunIsOver(signal: AbortSignal): Promise<RunNews> {
    const { run } = this.#found
    if (run === null) return await new Promise<never>(() => {})
    await untilOver(run, signal)
    return endOfRun(run, this.#view)
  }

  #tell(news: RunNews): number {
    printNews(news, this.#options.output)
    return news.exit
  }

  get #shown(): Shown {
    const { run } = this.#found
    const hasJob = this.#view!.jobs.some(({ id }) => id === this.#job)
    const notes = [
      run && !hasJob ? describeRun(run).text : '',
      run ? `It writes ${nameOfOutput(run)}.` : '',
      this.#others.length > 0 ? `There is more to watch: ${this.#others.join('; ')}` : '',
      this.#said ?? '',
    ]
    return { job: this.#job, all: this.#options.showAll, note: notes.filter(note => note !== '').join(' ') || null }
  }
}

function noJob(job: string, pipeline: string): string {
  return `no job ${job} in pipeline ${pipeline}: it is not published yet, was removed, or is in another pipeline. rowmill jobs list names those that are there`
}
