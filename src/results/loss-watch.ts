import { setTimeout as sleep } from 'node:timers/promises'
import { RowmillError } from '../errors.ts'
import type { KafkaAdmin } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { topicsOf, workersGroup } from '../pipeline/topic-names.ts'
import { realTime, type Time } from '../support/clock.ts'

/** How often a reader without progress checks whether its rows can still arrive. */
const LOOK_EVERY_MS = 10_000

/** How long `close` waits for a check that the broker does not answer. */
const CLOSE_MS = 1000

/** The row that a reader waits for, its partition, and the next offset to read there. */
export interface Wanted {
  readonly partition: number
  readonly offset: number
  readonly row: number
}

/** The same for a reader without a wanted partition. `read` grows while it makes progress. */
export interface WantedAnywhere {
  readonly partition: null
  readonly read: number
}

export interface LossWatchOptions {
  readonly job: Pick<Job, 'id' | 'attempt' | 'topic'>
  readonly lookEveryMs?: number | undefined
  /** Default: real time. */
  readonly time?: Time
  /** What the reader waits for. */
  wanted(): Wanted | WantedAnywhere
  /** Called with an error that names the rows that are lost. */
  lost(error: RowmillError): void
}

/**
 * Checks, while there is no progress, whether the rows that a reader waits for are lost. Topics may be deleted, recreated
 * or truncated by retention before they were read, and no error says so. A row is lost if three things are true: all rows
 * of the job were published, the workers have nothing left to read, and the results end without the row.
 */
export class LossWatch {
  readonly #context: PipelineContext
  readonly #job: LossWatchOptions['job']
  readonly #wanted: () => Wanted | WantedAnywhere
  readonly #stop: () => void
  #last = ''
  /** A row that is lost unless it is in `results` below offset `end`. The reader has not read up to there. */
  #suspect: { readonly wanted: Wanted; readonly end: number; readonly why: string } | null = null
  #admin: Promise<KafkaAdmin> | null = null
  #looking: Promise<void> | null = null

  constructor(
    context: PipelineContext,
    { job, lookEveryMs = LOOK_EVERY_MS, wanted, lost, time = realTime }: LossWatchOptions,
  ) {
    this.#context = context
    this.#job = job
    this.#wanted = wanted
    const look = async () => {
      try {
        const error = await this.#look()
        if (error) lost(error)
      } catch (error) {
        if (error instanceof RowmillError && error.code === 'NOT_AUTHORIZED') lost(error)
        // KafkaJS reports outages.
      }
      this.#looking = null
    }
    this.#stop = time.every(lookEveryMs, () => {
      this.#looking ??= look()
    })
  }

  /** Waits for a running check first: KafkaJS would reopen a closed connection for it. */
  async close(): Promise<void> {
    this.#stop()
    const closed = Promise.resolve(this.#looking).then(async () => (await this.#admin)?.close())
    await Promise.race([closed.catch(() => {}), sleep(CLOSE_MS, undefined, { ref: false })])
  }

  async #look(): Promise<RowmillError | null> {
    const wanted = this.#wanted()
    const waitsFor = describe(wanted)
    const progress = waitsFor !== this.#last
    this.#last = waitsFor
    if (progress) this.#suspect = null
    return progress ? null : (this.#confirm(wanted) ?? (await this.#judge(wanted)))
  }

  /** The loss of the suspected row, once the reader has read all results that could have it. */
  #confirm(wanted: Wanted | WantedAnywhere): RowmillError | null {
    const suspect = this.#suspect
    if (!suspect || wanted.partition === null || describe(wanted) !== describe(suspect.wanted)) return null
    return wanted.offset < suspect.end ? null : this.#lost(suspect.wanted, suspect.why)
  }

  async #judge(wanted: Wanted | WantedAnywhere): Promise<RowmillError | null> {
    this.#admin ??= this.#context.kafka.admin()
    const admin = await this.#admin
    const { results } = topicsOf(this.#context.pipeline)
    const { id, topic: rows } = this.#job
    const there = await admin.partitions([rows, results])
    const gone = [results, rows].find(topic => !there.has(topic))
    if (gone) return this.#lost(wanted, `topic ${gone} was deleted`)
    if (wanted.partition === null || this.#context.jobs.peek(id)?.state !== 'ended') return null
    const { partition } = wanted
    // In this order: after a commit, the results of all rows before it are in the log.
    const committed = await admin.committed(workersGroup(this.#context.pipeline, this.#job), rows, partition)
    const { start, end } = await admin.bounds(rows, partition)
    if (Math.max(committed, start) < end) return null
    const { end: resultsEnd } = await admin.bounds(results, partition)
    const passed = `${rows}[${partition}] holds nothing for the workers (it begins at ${start}, ends at ${end}, committed is ${committed})`
    const why = `${passed}, and ${results}[${partition}] ends at ${resultsEnd} without it`
    this.#suspect = { wanted, end: resultsEnd, why }
    return this.#confirm(this.#wanted()) // if other jobs add results all the time, a later check confirms it
  }

  #lost(wanted: Wanted | WantedAnywhere, why: string): RowmillError {
    const { id } = this.#job
    const which = wanted.partition === null ? 'its rows' : `row ${wanted.row} (partition ${wanted.partition})`
    const message =
      `job ${id}: ${which} can no longer come: ${why}. Was a topic deleted, created again, ` +
      'or cut by retention before it was read? Publish the rows again as another job'
    const { partition } = wanted
    return new RowmillError(
      'ROW_GAP',
      message,
      partition === null ? { job: id } : { job: id, partition, row: wanted.row },
    )
  }
}

/** What the reader waits for. Its offset is left out: it also grows with results of other jobs. */
function describe(wanted: Wanted | WantedAnywhere): string {
  return wanted.partition === null ? `after ${wanted.read}` : `row ${wanted.row}`
}
