import { isOpen } from '../../watch/phase.ts'
import type { JobView, PipelineView } from '../../watch/view.ts'
import { sentenceOf, troubleOf } from './describe-job.ts'
import { jobOf } from './describe-status.ts'
import { grouped, moment, speed } from './words.ts'

/** So long the number of rows may change without a line. */
const QUIET_MS = 5000

/** What is new in each view, as lines for a log: what happened, what a job waits for, and now and then how far it is. */
export class StatusLines {
  readonly #job: string | null
  #lastEvent = -1
  #isDown = false
  readonly #told = new Map<string, { at: number; state: string; rows: string }>()

  /** `job`: its id. Null: all jobs. */
  constructor(job: string | null) {
    this.#job = job
  }

  of(view: PipelineView): string[] {
    const lines = [...this.#events(view), ...this.#outage(view), ...this.#jobs(view)]
    return lines.map(line => `${moment(view.at)} ${line}`)
  }

  #events({ events }: PipelineView): string[] {
    const fresh = events.filter(({ number, job }) => number > this.#lastEvent && (job ?? this.#job) === this.#job)
    this.#lastEvent = events.at(-1)?.number ?? this.#lastEvent
    return fresh.map(({ text }) => text)
  }

  #outage({ unreachableSince, brokers }: PipelineView): string[] {
    const isDown = unreachableSince !== null
    if (isDown === this.#isDown) return []
    this.#isDown = isDown
    return [isDown ? `no broker of ${brokers} answers` : `the brokers answer again`]
  }

  #jobs(view: PipelineView): string[] {
    const job = this.#job === null ? null : jobOf(view, this.#job)
    const shown = job === null ? view.jobs.filter(job => isOpen(job) || this.#told.has(job.id)) : [job]
    return shown.flatMap(job => (this.#isNews(job, view.at) ? [describe(job, view.at)] : []))
  }

  #isNews(job: JobView, at: number): boolean {
    const { phase, attempt, waitsFor, rows } = job
    const { reason, row, partition, worker } = waitsFor ?? {}
    // While a job moves, it waits for another row each time.
    const wait = phase === 'stalled' ? [reason, row, partition, worker] : []
    const now = { at, state: JSON.stringify([phase, attempt, ...wait]), rows: JSON.stringify(rows) }
    const before = this.#told.get(job.id)
    if (before?.state === now.state && (before.rows === now.rows || at - before.at < QUIET_MS)) return false
    this.#told.set(job.id, now)
    return true
  }
}

function describe(job: JobView, now: number): string {
  const { published, classified, written, rejected } = job.rows
  const stages = Object.entries({ published, classified, written, rejected })
  const counts = stages.flatMap(([stage, count]) => (count === null ? [] : [`${stage} ${grouped(count)}`]))
  const rate = isOpen(job) ? [`now ${speed(job.rate.now)}`] : []
  const trouble = job.phase === 'stalled' || !isOpen(job) ? troubleOf(job) : null
  const help = job.help === null || trouble === null ? [] : [`to help: ${job.help.command ?? job.help.why}`]
  return [sentenceOf(job, now), ...(trouble === null ? [] : [trouble]), [...counts, ...rate].join(', '), ...help].join(
    '; ',
  )
}
