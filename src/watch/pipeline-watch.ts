import { hostname } from 'node:os'
import type { Message } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import type { PipelineConnection } from '../pipeline/context.ts'
import type { OpenedJob } from '../pipeline/job-log.ts'
import { decodeReport } from '../reports/report-text.ts'
import { realTime, type Time } from '../support/clock.ts'
import { hasEnded } from '../support/process-identity.ts'
import { readResultsHead } from '../wire/result-head.ts'
import { assembleView } from './assemble-view.ts'
import { AttemptBook } from './attempt-book.ts'
import { BrokerClock } from './broker-clock.ts'
import { BrokerSilence } from './broker-silence.ts'
import { CommittedJobs } from './committed-jobs.ts'
import type { JobFacts, PipelineFacts } from './facts.ts'
import {
  askedAttempts,
  awaitedRows,
  beginnings,
  type Interest,
  isCovered,
  jobsOf,
  neededJobs,
  shownJobs,
  unreported,
} from './interest.ts'
import { KnownJobs } from './known-jobs.ts'
import { LogEnds } from './log-ends.ts'
import { Pace } from './pace.ts'
import { HELD_UP_MS, PartitionBook } from './partition-book.ts'
import { isOpen } from './phase.ts'
import { PublishedBook } from './published-book.ts'
import { ReportBoard } from './report-board.ts'
import { TallyBook } from './tally-book.ts'
import { Timeline } from './timeline.ts'
import type { PipelineView, ViewSource } from './view.ts'
import type { PipelineWatchOptions } from './watch-options.ts'
import { type PipelineOffsets, WatchSession } from './watch-session.ts'

/** A look that is in doubt whether a process is silent looks again so often, and for so long at most. */
const DOUBT_LOOK_MS = 500
const LONGEST_DOUBT_MS = 10_000

/**
 * Reads a pipeline as any client does, from any machine, and makes a view of it: of the log of jobs, of the heads of results,
 * of what the workers committed and report. It writes nothing and joins no group.
 *
 * `look` gives one view as of now. `start` gives one every `everyMs` to its subscribers, also while no broker answers. Close it
 * in both cases. It knows how far a job is from the results of that job. If commits say that all rows of a job have a result, it
 * does not read them: so it begins at the oldest job of which they do not.
 */
export class PipelineWatch implements ViewSource {
  readonly #connection: PipelineConnection
  readonly #interest: Interest
  readonly #stalledAfterMs: number
  readonly #pace: Pick<Pace, 'untilDue'>
  readonly #time: Time
  readonly #clock: BrokerClock
  readonly #silence: BrokerSilence
  readonly #stop = new AbortController()
  readonly #listeners = new Set<(view: PipelineView) => void>()
  readonly #ends = new LogEnds()
  readonly #book = new TallyBook()
  readonly #board = new ReportBoard()
  readonly #timeline = new Timeline()
  readonly #partitions = new PartitionBook()
  readonly #committed = new CommittedJobs()
  readonly #attempts = new AttemptBook()
  readonly #published = new PublishedBook()
  /** For each partition of `results`, where reading began. */
  #from: readonly number[] = []
  /** How far the results were read when the last look was over. */
  #readUpTo: readonly number[] = []
  readonly #known = new KnownJobs()
  #jobs: JobFacts[] = []
  #leaderless: PipelineOffsets['leaderless'] = []
  #group: PipelineOffsets['group'] | null = null
  #session: WatchSession | null = null
  #looking: Promise<void> | null = null
  #running: Promise<void> | null = null
  /** When it last looked for open transactions. */
  #transactionsAt = Number.NEGATIVE_INFINITY
  #latest: PipelineView | null = null
  #isRead = false

  constructor(connection: PipelineConnection, options: PipelineWatchOptions = {}) {
    const { stalledAfterSeconds = 60, everyMs = 1000, time = realTime, wallClock = Date.now } = options
    this.#connection = { ...connection, kafka: connection.kafka.withoutLeaderless }
    this.#interest = { only: options.job ?? null, countsLatest: options.countsLatest ?? false }
    this.#stalledAfterMs = stalledAfterSeconds * 1000
    this.#pace = options.pace ?? new Pace({ everyMs, rests: false, time })
    this.#time = time
    this.#clock = new BrokerClock(time, wallClock)
    this.#silence = new BrokerSilence(time, this.#clock)
  }

  get latest(): PipelineView | null {
    return this.#latest
  }

  /** Whether the pipeline was read up to its end once. */
  get isRead(): boolean {
    return this.#isRead
  }

  subscribe(listener: (view: PipelineView) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The pipeline as of now. Throws what a reader throws, such as BROKER_UNREACHABLE after the broker timeout. */
  async look(): Promise<PipelineView> {
    await this.#lookOnce()
    await this.#untilCertain()
    return this.#show()
  }

  /** A process that seems silent may be one whose broker has a clock behind ours. Then its next report soon comes, and tells. */
  async #untilCertain(): Promise<void> {
    const began = this.#time.now()
    while (!this.#stop.signal.aborted && this.#view().jobs.some(isOpen)) {
      const doubtMs = this.#board.doubtMs(this.#clock)
      if (this.#time.now() - began >= Math.min(doubtMs, LONGEST_DOUBT_MS)) return
      await this.#time.sleep(DOUBT_LOOK_MS, this.#stop.signal)
      await this.#lookOnce()
    }
  }

  /**
   * Looks again and again until `close`. The first view comes when everything is read up to now, or when no broker answers; that
   * one may lack jobs. Rejects if a retry cannot help, for example if a right is missing.
   */
  start(): Promise<void> {
    this.#running ??= this.#run()
    return this.#running
  }

  async close(): Promise<void> {
    this.#stop.abort()
    this.#listeners.clear()
    await this.#running?.catch(() => {}) // its caller has the error
    await this.#session?.close()
    await this.#looking?.catch(() => {})
    await this.#session?.close() // it may have been opened meanwhile
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    this.#silence.answers()
    while (!signal.aborted) {
      const began = this.#time.now()
      if (this.#looking === null) this.#silence.asks()
      this.#looking ??= this.#lookOnce().finally(() => {
        this.#looking = null
      })
      await this.#silence.untilLate(this.#looking, signal)
      if (signal.aborted) return
      if (this.#isRead || this.#silence.since !== null) this.#show()
      await this.#pace.untilDue(began, signal)
    }
  }

  async #lookOnce(): Promise<void> {
    try {
      if (await this.#session?.isOutdated()) await this.#closeSession()
      this.#session ??= await this.#open()
      await this.#read(this.#session)
      this.#isRead = true
    } catch (error) {
      await this.#closeSession()
      throw error
    }
  }

  async #closeSession(): Promise<void> {
    const closed = this.#session
    this.#session = null
    await closed?.close()
  }

  #open(): Promise<WatchSession> {
    const takers = {
      results: (partition: number, { offset, value, timestamp }: Message, isAfterLoss: boolean) => {
        const head = readResultsHead(value)
        if (head) this.#book.take({ partition, head, at: timestamp, isAfterLoss })
        this.#clock.reads('results', partition, { offset, timestamp })
        this.#silence.answers()
      },
      reports: ({ offset, value, timestamp }: Message) => {
        const report = decodeReport(value)
        if (report) this.#board.take(report, timestamp)
        this.#clock.reads('reports', 0, { offset, timestamp })
      },
    }
    return WatchSession.open(this.#connection, takers, this.#time)
  }

  async #read(session: WatchSession): Promise<void> {
    const askedAt = this.#time.now()
    const offsets = await session.offsets()
    this.#clock.asked(askedAt, { results: offsets.resultEnds, reports: offsets.reportEnds })
    this.#silence.answers()
    this.#ends.note(offsets.ends)
    this.#group = offsets.group
    this.#leaderless = offsets.leaderless
    this.#known.note(session.jobs, this.#leaderless)
    const { all } = this.#known
    const shown = shownJobs(all, this.#interest.only)
    const committed = this.#committed.among(shown, all, offsets.rows)
    const rows = awaitedRows(offsets.rows, shown, committed)
    await this.#partitions.note(rows, this.#clock.now, at => session.timestamps(at))
    await this.#noteTransactions(session, rows)
    const isCounted = (job: Job) => committed.has(job.id) && !this.#isTallied(job)
    const needed = neededJobs(shown, isCounted, this.#interest)
    await this.#readResults(session, offsets, { all, shown, needed })
    this.#silence.hears(askedAt)
    await this.#published.look(unreported(jobsOf(shown), this.#board.heard(this.#clock.now)), {
      ...{ all: jobsOf(all), ends: offsets.rows },
      fetch: at => session.fetchRows(at),
    })
    this.#jobs = shown.map(({ job, ...opening }) => ({
      ...{ job, ...opening, isCommitted: committed.has(job.id), tally: this.#book.tallyOf(job.id) },
      attempts: this.#known.attemptsOf(job.id).map(({ attempt }) => attempt),
      ...{ laterAttempt: null, inLog: this.#published.of(job) },
    }))
    await this.#noteAttempts(session, offsets)
  }

  async #readResults(
    session: WatchSession,
    { resultEnds, reportEnds }: PipelineOffsets,
    { all, shown, needed }: { [name in 'all' | 'shown' | 'needed']: readonly OpenedJob[] },
  ): Promise<void> {
    const { results } = session
    const isNew = results.positions.length === 0
    const isMissing = needed.some(({ job }) => !this.#isTallied(job) && !isCovered(job, this.#from))
    const begins = this.#from.length === 0 || isMissing
    if (begins) {
      this.#book.clear()
      this.#from = beginnings(jobsOf(needed), resultEnds)
      this.#readUpTo = this.#from
    }
    const counted = jobsOf(shown).filter(job => this.#isTallied(job) || isCovered(job, this.#from))
    const ids = new Set(counted.map(({ id }) => id))
    const others = jobsOf(all).flatMap(({ id }) => (ids.has(id) ? [] : [id]))
    this.#book.keep(counted, others)
    if (begins || isNew) await results.begin(this.#readUpTo)
    if (results.positions.length < resultEnds.length) await results.grow(resultEnds.length)
    await Promise.all([results.untilRead(resultEnds), session.reportsRead(reportEnds)])
    this.#readUpTo = results.positions
    this.#book.keep(counted, others) // what waited for its job
  }

  /** Where rows have waited for long, looks whether an open transaction holds them up. */
  async #noteTransactions(session: WatchSession, rows: PipelineOffsets['rows']): Promise<void> {
    const stuck = this.#partitions.stuck(rows, this.#clock.now)
    if (stuck.length === 0 || this.#time.now() - this.#transactionsAt < HELD_UP_MS) return
    this.#transactionsAt = this.#time.now()
    this.#partitions.noteTransactions(await session.openTransactions(stuck))
  }

  /** Asks the groups of the later attempts that are not over. */
  async #noteAttempts(session: WatchSession, { rows }: PipelineOffsets): Promise<void> {
    const asked = askedAttempts(this.#jobs)
    await this.#attempts.note(asked, {
      ...{ found: await session.attempts(asked), rows, first: this.#partitions, now: this.#clock.now },
      timestampsAt: offsets => session.timestamps(offsets),
    })
    this.#jobs = this.#jobs.map(job => this.#attempts.withAttempt(job))
  }

  #isTallied({ id }: Job): boolean {
    return this.#book.tallyOf(id) !== null
  }

  #view(): PipelineView {
    const { kafka, pipeline } = this.#connection
    const facts: PipelineFacts = {
      ...{ pipeline, host: hostname(), hasEnded, brokers: kafka.settings.brokers.join(',') },
      ...{ at: this.#clock.now, stalledAfterMs: this.#stalledAfterMs },
      ...{ unreachableSince: this.#silence.since, hearing: this.#silence.hearing },
      ...{ jobs: this.#jobs, partitions: this.#partitions.facts },
      ...{ leaderless: this.#leaderless, group: this.#group, board: this.#board, workerRows: this.#book.workerRows },
    }
    return assembleView(facts)
  }

  #show(): PipelineView {
    const now = this.#view()
    const view = this.#isRead ? { ...now, events: this.#timeline.after(now) } : now
    this.#latest = view
    for (const listener of this.#listeners) listener(view)
    return view
  }
}
