import { setTimeout as sleep } from 'node:timers/promises'
import { RowmillError } from './errors.ts'
import type { JobLog } from './jobs.ts'
import type { Kafka, KafkaAdmin } from './kafka.ts'
import { topicsOf, workersGroup } from './topics.ts'

/** How often a reader without progress asks whether what it waits for can still come. */
const LOOK_EVERY_MS = 10_000

/** How long its end waits for a look that a broker does not answer. */
const CLOSE_MS = 1000

/** Where a reader of results stands: the partition it needs, the offset it reads there next, and the row it waits for. */
export interface Wanted {
  readonly partition: number
  readonly offset: number
  readonly row: number
}

export interface LossWatchOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly jobs: JobLog
  readonly job: string
  readonly attempt: number
  readonly lookEveryMs?: number
}

/**
 * Looks, as long as there is no progress, whether the rows that a reader waits for are lost: topics may be deleted, made
 * anew or cut by retention before they were read, and nothing tells. Lost is what a job lacks that is published to its
 * end, once the workers have committed all there is of its rows, or it is gone, and the results end without it.
 */
export class LossWatch {
  readonly #kafka: Kafka
  readonly #pipeline: string
  readonly #jobs: JobLog
  readonly #job: string
  readonly #attempt: number
  readonly #wanted: () => Wanted
  readonly #timer: NodeJS.Timeout
  #last = ''
  #admin: Promise<KafkaAdmin> | null = null
  #looking: Promise<void> | null = null

  /** `lost` is told what can no longer come. */
  constructor(
    { kafka, pipeline, jobs, job, attempt, lookEveryMs = LOOK_EVERY_MS }: LossWatchOptions,
    wanted: () => Wanted,
    lost: (error: RowmillError) => void,
  ) {
    this.#kafka = kafka
    this.#pipeline = pipeline
    this.#jobs = jobs
    this.#job = job
    this.#attempt = attempt
    this.#wanted = wanted
    const look = async () => {
      try {
        const error = await this.#look()
        if (error) lost(error)
      } catch {
        // An outage says so itself.
      }
      this.#looking = null
    }
    this.#timer = setInterval(() => {
      this.#looking ??= look()
    }, lookEveryMs).unref()
  }

  /** Connections are closed when a look that is under way is over, or KafkaJS would open them again for it. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    const closed = Promise.resolve(this.#looking).then(async () => (await this.#admin)?.close())
    await Promise.race([closed.catch(() => {}), sleep(CLOSE_MS, undefined, { ref: false })])
  }

  async #look(): Promise<RowmillError | null> {
    const wanted = this.#wanted()
    const state = JSON.stringify(wanted)
    const progress = state !== this.#last
    this.#last = state
    return progress ? null : await this.#judge(wanted)
  }

  async #judge({ partition, offset, row }: Wanted): Promise<RowmillError | null> {
    this.#admin ??= this.#kafka.admin()
    const admin = await this.#admin
    const { rows, results } = topicsOf(this.#pipeline)
    const there = await admin.partitions([rows, results])
    const gone = [results, rows].find(topic => !there.has(topic))
    if (gone) return this.#lost({ partition, row }, `topic ${gone} was deleted`)
    if (this.#jobs.peek(this.#job)?.state !== 'ended') return null
    // In this order: a commit says that the results of all before it are in the log.
    const group = workersGroup(this.#pipeline, { id: this.#job, attempt: this.#attempt })
    const committed = await admin.committed(group, rows, partition)
    const { start, end } = await admin.bounds(rows, partition)
    if (Math.max(committed, start) < end) return null
    const { end: resultsEnd } = await admin.bounds(results, partition)
    if (offset < resultsEnd || JSON.stringify(this.#wanted()) !== this.#last) return null
    const passed = `${rows}[${partition}] holds nothing for the workers (it begins at ${start}, ends at ${end}, committed is ${committed})`
    const why = `${passed}, and ${results}[${partition}] ends at ${resultsEnd} without it`
    return this.#lost({ partition, row }, why)
  }

  #lost({ partition, row }: Pick<Wanted, 'partition' | 'row'>, why: string): RowmillError {
    const message =
      `job ${this.#job}: row ${row} (partition ${partition}) can no longer come: ${why}. Was a topic deleted, made anew, ` +
      'or cut by retention before it was read? Publish the rows again as another job'
    return new RowmillError('ROW_GAP', message, { job: this.#job, partition, row })
  }
}
