import { type Attempt, hasFailed, jobFailure } from '../core/job.ts'
import type { ResultSlice } from '../core/result-slice.ts'
import type { ReadCheckpoint, RowCounts, RowOrder } from '../core/row-order.ts'
import { isFinalForReaders, RowmillError } from '../errors.ts'
import type { FeedOptions } from '../kafka/partition-feed.ts'
import type { Job, Result } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { endWithJob, type JobLog } from '../pipeline/job-log.ts'
import { isOfUnknownSchema } from '../wire/codec.ts'
import { LossWatch, type Wanted, type WantedAnywhere } from './loss-watch.ts'
import { openOrder } from './open-order.ts'
import { ResultReader, type ResultsMessage } from './result-reader.ts'

export interface OrderedResultsOptions {
  /** Where to resume; null: start with the first row, or where `from` says. */
  readonly checkpoint: ReadCheckpoint | null
  /** Default: start. */
  readonly from?: 'start' | 'now'
  /** How often to look for lost rows while there is no progress. Default: 10 s. */
  readonly lookEveryMs?: number | undefined
  /** How long results may stay at the broker: that of `FeedOptions`. Default: 0. */
  readonly pauseMs?: FeedOptions['pauseMs']
}

/** A result that was read: it is buffered, or was dropped as a copy. */
export interface ReadResult {
  readonly result: Result
  readonly partition: number
  /** How many of its rows are first copies. */
  readonly firstCopies: number
}

/**
 * The classified rows of one job in the order of the job: by seq, or by arrival in a job without sequence. It reads only
 * as far ahead as the bounded queues of its feeds. The caller repeats `read` until it returns nothing, takes the rows in
 * order with `take` after each read, and then waits for the next `arrival`.
 */
export class OrderedResults {
  readonly job: Job
  readonly #reader: ResultReader
  readonly #order: RowOrder
  readonly #jobs: JobLog
  readonly #watch: LossWatch
  readonly #stop: AbortController
  /** The partition where the search for the next message starts, if none is wanted. */
  #turn = 0
  /** For each partition, the first offset whose rows are handed out; null for all. */
  readonly #since: readonly number[] | null

  private constructor(
    context: PipelineContext,
    job: Job,
    parts: {
      lookEveryMs: number | undefined
      reader: ResultReader
      order: RowOrder
      stop: AbortController
      since: readonly number[] | null
    },
  ) {
    this.job = job
    this.#jobs = context.jobs
    this.#reader = parts.reader
    this.#order = parts.order
    this.#stop = parts.stop
    this.#since = parts.since
    this.#watch = new LossWatch(context, {
      job,
      lookEveryMs: parts.lookEveryMs,
      wanted: () => this.#wanted,
      lost: error => this.#reader.interrupt(error),
    })
  }

  /**
   * Resumes at `checkpoint`, or starts where `from` says. If retention has deleted the first results of an unbounded job,
   * it starts with the first row from which on none is missing. The caller closes it. `open` and `arrival` reject with the
   * failure of the job, the reason of `signal`, or a read error.
   */
  static async open(
    context: PipelineContext,
    job: Job,
    { checkpoint, from = 'start', lookEveryMs, pauseMs }: OrderedResultsOptions,
  ): Promise<OrderedResults> {
    const { jobs, signal } = context
    const stop = new AbortController()
    const attempts = attemptsToRead(job, jobs)
    const reader = await ResultReader.open(context, job, { attempts, pauseMs })
    try {
      endWithJob(reader, jobs, { id: job.id, signal: AbortSignal.any([signal, stop.signal]) })
      const now = checkpoint === null && from === 'now' ? await reader.bounds('end') : null
      const order = await openOrder(context, job, { reader, attempts, checkpoint, now, lookEveryMs })
      return new OrderedResults(context, job, { reader, order, stop, since: now, lookEveryMs })
    } catch (error) {
      stop.abort()
      await reader.close()
      throw error
    }
  }

  /** Where to resume after the rows that were taken. */
  get checkpoint(): ReadCheckpoint {
    return this.#order.checkpoint
  }

  get counts(): RowCounts {
    const { counts } = this.#order
    return { ...counts, duplicates: counts.duplicates + this.#reader.duplicates }
  }

  /**
   * Whether every row was taken and all ends of input agree. An unbounded job must also be `ended` in `jobs`.
   * Otherwise: producer A sends its ends of input, B takes the job over before A's record `ended` arrives, and B sends more
   * rows. A reader that stopped at the ends of input of A would miss them.
   */
  get complete(): boolean {
    if (!this.#order.complete || this.job.bounded) return this.#order.complete
    const now = this.#jobs.peek(this.job.id)
    return now?.state === 'ended' && now.epoch <= this.#order.endedEpoch
  }

  /** The row that comes next, and its partition. Null: every row was taken, or the job has no sequence. */
  get wanted(): { readonly row: number; readonly partition: number } | null {
    const { wanted: partition, seq: row } = this.#order
    return partition === null || row === null ? null : { row, partition }
  }

  /** The result whose row `take` returns first; null if there is none. */
  get next(): Result | null {
    return this.#order.next
  }

  /** Reads up to the next result, in the partition of the next row; undefined if nothing has arrived there. */
  read(): ReadResult | undefined {
    for (;;) {
      const partition = this.#partitionToRead()
      const arrived = partition < 0 ? undefined : this.#reader.take(partition)
      if (!arrived) return undefined
      const result = this.#offer(partition, arrived)
      if (result) return result
    }
  }

  /** Takes rows in order, with the same output columns: repeat it until it returns none. */
  take(): ResultSlice[] {
    for (;;) {
      const slices = this.#order.take()
      const news = slices.filter(({ partition, offset }) => offset >= (this.#since?.[partition] ?? 0))
      if (news.length > 0 || slices.length === 0) return news
    }
  }

  /** Resolves when something arrives after the call that may be read or may complete the job. At once if it is complete. */
  arrival(): Promise<void> {
    if (this.complete) return Promise.resolve()
    const arrival = this.#reader.arrival()
    if (!this.#order.complete) return arrival
    arrival.catch(() => {})
    return Promise.race([arrival, this.#jobs.news()])
  }

  /** The error that a reader ends with. If the job has failed, that is its failure: `error` is only a trace of it. */
  async reasonOf(error: unknown): Promise<unknown> {
    if (!isFinal(error)) return error
    const now = await this.#jobs.latest(this.job.id).catch(() => undefined) // the lost topic may be `jobs`
    return now && hasFailed(now) ? jobFailure(now) : error
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#watch.close()
    await this.#reader.close()
  }

  get #wanted(): Wanted | WantedAnywhere {
    const { wanted: partition, seq: row, counts } = this.#order
    if (partition !== null && row !== null) return { partition, offset: this.#reader.offset(partition), row }
    return { partition: null, read: counts.rows + counts.rejects + counts.duplicates }
  }

  /** -1: nothing has arrived in any partition, or the job is complete. */
  #partitionToRead(): number {
    if (this.complete) return -1
    const { wanted } = this.#order
    if (wanted !== null) return wanted
    this.#order.reach(this.#reader.from)
    const { length: partitions } = this.#reader.from
    for (let i = 0; i < partitions; i++) {
      const partition = (this.#turn + i) % partitions
      if (!this.#reader.peek(partition)) continue
      this.#turn = partition + 1
      return partition
    }
    return -1
  }

  #offer(partition: number, { kind, offset, value }: ResultsMessage): ReadResult | null {
    const at = this.#reader.at(partition, offset)
    if (kind === 'result') return { result: value, partition, firstCopies: this.#order.offer(at, value) }
    if (kind === 'end') this.#order.end(at, value)
    else this.#order.barrier(at, value)
    return null
  }
}

/** Whether the error says that rows are missing or wrong. Otherwise it says only that this reader cannot use them. */
export function isFinal(error: unknown): error is RowmillError {
  if (!(error instanceof RowmillError) || error.facts['told'] || error.facts['ofSink']) return false
  return isFinalForReaders(error) && !isOfUnknownSchema(error) // with the right schema registry it can be read
}

/**
 * Whether the rows that were handed out up to here are still right. A later attempt may give rejected rows a result, and
 * the rows of an attempt that contradicted earlier ones do not count.
 */
export function staysRight(
  { attempt, counts }: { attempt: number; counts: RowCounts },
  job: Job,
  jobs: JobLog,
): boolean {
  const isKnown = jobs.attemptsOf(job.id).some(each => each.attempt === attempt)
  return attempt === job.attempt || (isKnown && counts.rejects === 0)
}

function attemptsToRead(job: Job, jobs: JobLog): readonly Attempt[] {
  return jobs.attemptsOf(job.id).filter(({ attempt }) => attempt <= job.attempt)
}

/** Whether a checkpoint has the partitions of the job. A job without sequence may have got new ones. */
export function fitsJob(offsets: readonly number[], { partitions, sequenced }: Job): boolean {
  return sequenced ? offsets.length === partitions : offsets.length >= partitions
}
