import { realTime, type Time } from '../support/clock.ts'
import type { PipelineView, ViewSource } from '../watch/view.ts'
import type { Health } from './health.ts'
import { describeNoTopics } from './no-topics.ts'

/** A watch that rests may be late without a fault. */
const LEAST_SECONDS = 30

/** Whether `rowmill monitor` itself is well. What it sees of the pipeline, such as a job that is stalled, is no fault of it. */
export class WatchHealth {
  readonly #lateAfterSeconds: number
  readonly #time: Time
  #source: ViewSource | null = null
  /** When the last view came. */
  #viewAt: number

  /** Views come every 10 s or more often. It is not live if none came for so long, and for half a minute. */
  constructor(lateAfterSeconds: number, time: Time = realTime) {
    this.#lateAfterSeconds = Math.max(LEAST_SECONDS, lateAfterSeconds)
    this.#time = time
    this.#viewAt = time.now()
  }

  /** The cluster is reached, and views come from here. */
  watches(source: ViewSource): void {
    this.#source = source
    source.subscribe(() => {
      this.#viewAt = this.#time.now()
    })
  }

  live(): Health {
    const { latest = null } = this.#source ?? {}
    if (latest === null) return { isGood: true, reason: 'it has not read the pipeline yet' }
    const seconds = (this.#time.now() - this.#viewAt) / 1000
    const looked = `it looked at pipeline ${latest.pipeline} ${Math.floor(seconds)} s ago`
    const reason =
      latest.noTopics === null ? looked : `${looked}; ${describeNoTopics(latest.pipeline, latest.noTopics)}`
    return { isGood: seconds < this.#lateAfterSeconds, reason }
  }

  ready(): Health {
    if (this.#source === null) return { isGood: false, reason: 'no broker has answered yet' }
    const { latest } = this.#source
    if (latest === null) return { isGood: false, reason: 'it reads the pipeline for the first time' }
    const { pipeline, unreachableSince, noTopics } = latest
    if (unreachableSince !== null)
      return { isGood: false, reason: `no broker has answered for ${silentSeconds(latest, unreachableSince)} s` }
    if (noTopics !== null) return { isGood: false, reason: describeNoTopics(pipeline, noTopics) }
    return { isGood: true, reason: `it watches pipeline ${pipeline}` }
  }
}

function silentSeconds({ at }: PipelineView, since: number): number {
  return Math.max(0, Math.floor((at - since) / 1000))
}
