import { setTimeout as sleep } from 'node:timers/promises'
import { RowmillError } from '../errors.ts'
import type { KafkaAdmin } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { topicsOf, workersGroup } from '../pipeline/topic-names.ts'

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

/** The same of a reader that needs no partition more than another; `read` grows while it makes progress. */
export interface WantedAnywhere {
  readonly partition: null
  readonly read: number
}

export interface LossWatchOptions {
  readonly job: Pick<Job, 'id' | 'attempt' | 'topic'>
  readonly lookEveryMs?: number | undefined
  /** What the reader waits for now. */
  wanted(): Wanted | WantedAnywhere
  /** Told what can no longer come. */
  lost(error: RowmillError): void
}

/**
 * Looks, as long as there is no progress, whether the rows that a reader waits for are lost: topics may be deleted, made
 * anew or cut by retention before they were read, and nothing tells. Lost is what a job lacks that is published to its
 * end, once the workers have committed all there is of its rows, or it is gone, and the results end without it.
 */
export class LossWatch {
  readonly #context: PipelineContext
  readonly #job: LossWatchOptions['job']
  readonly #wanted: () => Wanted | WantedAnywhere
  readonly #timer: NodeJS.Timeout
  #last = ''
  /** What is lost unless it is in `results` below `end`, up to where the reader has yet to come. */
  #suspect: { readonly wanted: Wanted; readonly end: number; readonly why: string } | null = null
  #admin: Promise<KafkaAdmin> | null = null
  #looking: Promise<void> | null = null

  constructor(context: PipelineContext, { job, lookEveryMs = LOOK_EVERY_MS, wanted, lost }: LossWatchOptions) {
    this.#context = context
    this.#job = job
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
    const waitsFor = describe(wanted)
    const progress = waitsFor !== this.#last
    this.#last = waitsFor
    if (progress) this.#suspect = null
    return progress ? null : (this.#confirm(wanted) ?? (await this.#judge(wanted)))
  }

  /** The loss of what was suspected before, once the reader has passed all results that could have it. */
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
    // In this order: a commit says that the results of all before it are in the log.
    const committed = await admin.committed(workersGroup(this.#context.pipeline, this.#job), rows, partition)
    const { start, end } = await admin.bounds(rows, partition)
    if (Math.max(committed, start) < end) return null
    const { end: resultsEnd } = await admin.bounds(results, partition)
    const passed = `${rows}[${partition}] holds nothing for the workers (it begins at ${start}, ends at ${end}, committed is ${committed})`
    const why = `${passed}, and ${results}[${partition}] ends at ${resultsEnd} without it`
    this.#suspect = { wanted, end: resultsEnd, why }
    return this.#confirm(this.#wanted()) // results of other jobs may come all the time: then a later look finds it
  }

  #lost(wanted: Wanted | WantedAnywhere, why: string): RowmillError {
    const { id } = this.#job
    const which = wanted.partition === null ? 'its rows' : `row ${wanted.row} (partition ${wanted.partition})`
    const message =
      `job ${id}: ${which} can no longer come: ${why}. Was a topic deleted, made anew, ` +
      'or cut by retention before it was read? Publish the rows again as another job'
    const { partition } = wanted
    return new RowmillError(
      'ROW_GAP',
      message,
      partition === null ? { job: id } : { job: id, partition, row: wanted.row },
    )
  }
}

/** What the reader waits for; where it has come to in the results does not matter, since those of other jobs are there too. */
function describe(wanted: Wanted | WantedAnywhere): string {
  return wanted.partition === null ? `after ${wanted.read}` : `row ${wanted.row}`
}
