import type { Kafka } from '../kafka/index.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import type { ObservedWork, Observer } from '../reports/observer.ts'
import type { ReportedParts } from '../reports/report.ts'
import { realTime, type Time } from '../support/clock.ts'
import { ClusterReach, connectTo } from './cluster-reach.ts'
import { type Health, healthRoute } from './health.ts'
import { type CommandPart, livenessOf, type MeteredParts } from './liveness.ts'
import type { CommandMetrics } from './metrics/command-metrics.ts'
import type { JobFigures } from './metrics/job-metrics.ts'
import { metricsRoute } from './metrics/metrics-route.ts'
import { OwnJob } from './own-job.ts'
import type { Route } from './server.ts'

/** How often it looks whether something has moved. */
const LOOK_MS = 1000
const NO_PARTS: ReportedParts = { publishing: null, working: null, collecting: null }

export interface MeterOptions {
  readonly command: string
  /** Of rowmill. */
  readonly version: string
  readonly stalledAfterSeconds: number
  /** A file that the command writes. Null: none. */
  readonly output: string | null
  /** Default: real time. */
  readonly time?: Time
}

/** What a command tells its metrics and its probes while it runs. Nothing of it waits, and nothing of it fails the command. */
export class Meter implements Observer {
  readonly routes: readonly Route[]
  readonly #options: MeterOptions
  readonly #time: Time
  readonly #loading: Promise<CommandMetrics>
  /** Null while prom-client is being loaded: what is noted until then is in `#early`. */
  #metrics: CommandMetrics | null = null
  #early: ((metrics: CommandMetrics) => void)[] = []
  #look: () => ReportedParts = () => NO_PARTS
  #reach: ClusterReach | null = null
  readonly #needs = new Map<string, number>()
  #sent: number | null = null
  #arrived: number | null = null
  readonly #job = new OwnJob()
  /** By part, the counts that change when a row moves on in it, and when they last did. */
  readonly #moved = new Map<CommandPart, { readonly counts: string; readonly at: number }>()
  readonly #stop: () => void

  constructor(options: MeterOptions) {
    const { time = realTime } = options
    this.#options = options
    this.#time = time
    this.#loading = this.#load()
    this.#loading.catch(() => {}) // a scrape throws it
    this.#lookForMoves()
    this.#stop = time.every(LOOK_MS, () => this.#lookForMoves())
    this.routes = [
      metricsRoute(async () => (await this.#loading).registry),
      healthRoute('/livez', () => this.live()),
      healthRoute('/readyz', () => this.ready()),
    ]
  }

  watch(look: () => ReportedParts): void {
    this.#look = look
  }

  needs(what: string, coming: Promise<unknown>): void {
    this.#needs.set(what, this.#time.now())
    coming.then(
      () => this.#needs.delete(what),
      () => {}, // the command ends
    )
  }

  connected(kafka: Kafka, pipeline: string): void {
    const { jobs, rows, results } = topicsOf(pipeline)
    this.#note(metrics => {
      metrics.pipeline = pipeline
    })
    this.#reach = new ClusterReach(hangUp => connectTo(kafka, [jobs, rows, results], hangUp))
  }

  sent(rows: number): void {
    this.#sent = rows
  }

  arrived(rows: number): void {
    this.#arrived = rows
  }

  worked({ rejected, timings }: ObservedWork): void {
    this.#note(metrics => {
      metrics.rejected(rejected)
      metrics.batches(timings)
    })
  }

  waited(seconds: number): void {
    this.#note(metrics => metrics.waited(seconds))
  }

  rejected(byReason: Readonly<Record<string, number>>): void {
    this.#note(metrics => metrics.rejected(byReason))
  }

  async live(): Promise<Health> {
    this.#lookForMoves()
    const moment = { stalledAfterSeconds: this.#options.stalledAfterSeconds, outageSeconds: null }
    const [parts, stillSeconds] = [this.#parts, this.#stillSeconds]
    const health = livenessOf(parts, { ...moment, stillSeconds })
    if (health.isGood || this.#reach === null) return health
    return livenessOf(parts, { ...moment, stillSeconds, outageSeconds: await this.#reach.outageSeconds() })
  }

  async ready(): Promise<Health> {
    const [first] = this.#needs
    if (first) {
      const [what, since] = first
      return { isGood: false, reason: `waiting until ${what}, for ${Math.floor((this.#time.now() - since) / 1000)} s` }
    }
    return this.#reach === null ? { isGood: true, reason: 'it works' } : await this.#reach.look()
  }

  async close(): Promise<void> {
    this.#stop()
    await this.#reach?.close()
  }

  async #load(): Promise<CommandMetrics> {
    const { CommandMetrics } = await import('./metrics/command-metrics.ts')
    const job = this.#options.command === 'run' ? () => this.#figures() : null
    const metrics = new CommandMetrics({ ...this.#options, look: () => this.#look(), job })
    this.#metrics = metrics
    for (const note of this.#early) note(metrics)
    this.#early = []
    return metrics
  }

  #note(note: (metrics: CommandMetrics) => void): void {
    if (this.#metrics) note(this.#metrics)
    else this.#early.push(note)
  }

  get #parts(): MeteredParts {
    return { ...this.#look(), sent: this.#sent, arrived: this.#arrived }
  }

  get #stillSeconds(): Record<CommandPart, number> {
    const still = (part: CommandPart) => (this.#time.now() - this.#moved.get(part)!.at) / 1000
    return { publishing: still('publishing'), working: still('working'), collecting: still('collecting') }
  }

  /** Null: the pipeline, which labels them, is not known yet. */
  #figures(): JobFigures | null {
    if (this.#reach === null) return null
    this.#lookForMoves()
    const { stalledAfterSeconds } = this.#options
    const moment = { now: this.#time.now(), stillSeconds: this.#stillSeconds, stalledAfterSeconds }
    return this.#job.figures(this.#parts, moment)
  }

  #lookForMoves(): void {
    this.#job.look({ arrived: this.#arrived }, this.#time.now())
    const { publishing, working, collecting } = this.#look()
    const classified = working?.workers.reduce((sum, { rows }) => sum + rows, 0)
    this.#noteMove('publishing', [publishing?.published])
    this.#noteMove('working', [classified])
    this.#noteMove('collecting', [collecting?.written, collecting?.rejected, this.#arrived])
  }

  #noteMove(part: CommandPart, all: readonly (number | null | undefined)[]): void {
    const counts = all.join()
    if (this.#moved.get(part)?.counts !== counts) this.#moved.set(part, { counts, at: this.#time.now() })
  }
}
