import { ArrivalOrder, type ArrivalPosition } from '../core/arrival-order.ts'
import { type Attempt, hasFailed, jobFailure } from '../core/job.ts'
import { type ReassembledCounts, Reassembler, type ReassemblerPosition } from '../core/reassembler.ts'
import type { Run } from '../core/result-run.ts'
import type { ReadPosition } from '../core/row-order.ts'
import { rowsInPartition } from '../core/sequence.ts'
import { isFinalForReaders, RowmillError } from '../errors.ts'
import type { Job, Result } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { endWithJob, type JobLog } from '../pipeline/job-log.ts'
import { isOfUnknownSchema } from '../wire/codec.ts'
import { findFirstRow } from './first-row.ts'
import { LossWatch, type Wanted, type WantedAnywhere } from './loss-watch.ts'
import { type Arrived, ResultReader } from './result-reader.ts'

export interface OrderedResultsOptions {
  /** Where to resume; null: at the first row, or where `from` says. */
  readonly position: ReadPosition | null
  /** Default: start. */
  readonly from?: 'start' | 'now'
  /** How often, without progress, it looks for what is lost. Default: 10 s. */
  readonly lookEveryMs?: number | undefined
}

/** A message that was read and is held, or was a copy. */
export interface ReadResult {
  readonly result: Result
  readonly partition: number
  /** How many of its rows had not come before. */
  readonly firstCopies: number
}

/**
 * The classified rows of one job, read in the order of the job: by seq, or as they arrive where they have none. Nothing is
 * read further ahead than the bounded queues of its feeds hold. Whoever uses it calls `read` until it gives nothing, takes
 * what is in order with `take` whenever something was read, and then waits for the next `arrival`.
 */
export class OrderedResults {
  readonly job: Job
  readonly #reader: ResultReader
  readonly #order: Reassembler | ArrivalOrder
  readonly #jobs: JobLog
  readonly #watch: LossWatch
  readonly #stop: AbortController
  /** Where the search for the next message begins, where any partition will do. */
  #turn = 0
  /** Per partition the first offset whose rows are handed out. */
  readonly #since: readonly number[] | null

  private constructor(
    context: PipelineContext,
    job: Job,
    parts: {
      lookEveryMs: number | undefined
      reader: ResultReader
      order: Reassembler | ArrivalOrder
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
   * Resumes at `position`, or begins where `from` says. Where retention has taken the first results of a job without
   * end, it begins with the first row that is complete from there on. To be closed. Rejects, as the waits for an arrival
   * do, with what the job failed with, with the reason of `signal`, or with the error of the reading.
   */
  static async open(
    context: PipelineContext,
    job: Job,
    { position, from = 'start', lookEveryMs }: OrderedResultsOptions,
  ): Promise<OrderedResults> {
    const { jobs, signal } = context
    const stop = new AbortController()
    const reader = await ResultReader.open(context, job, attemptsToRead(job, jobs))
    try {
      endWithJob(reader, jobs, { id: job.id, signal: AbortSignal.any([signal, stop.signal]) })
      const now = position === null && from === 'now' ? await reader.bounds('end') : null
      const order = await startReading(context, job, { reader, position, now, lookEveryMs })
      return new OrderedResults(context, job, { reader, order, stop, since: now, lookEveryMs })
    } catch (error) {
      stop.abort()
      await reader.close()
      throw error
    }
  }

  /** Where the rows stand that were taken so far. */
  get position(): ReadPosition {
    return this.#order.position
  }

  get counts(): ReassembledCounts {
    const { counts } = this.#order
    return { ...counts, duplicates: counts.duplicates + this.#reader.duplicates }
  }

  /**
   * Every row was taken and every partition has ended. Of a job that does not end by itself `jobs` must say so too: a
   * publisher that took over may have gone on behind the ends of input of the one before.
   */
  get complete(): boolean {
    if (!(this.#order instanceof Reassembler) || !this.#order.complete) return false
    if (this.job.bounded) return true
    const now = this.#jobs.peek(this.job.id)
    return now?.state === 'ended' && now.epoch <= this.#order.endedEpoch
  }

  /** The result of the row that `take` gives first; null where it gives none. */
  get next(): Result | null {
    return this.#order.next
  }

  /** Reads on where the next row is, up to the next result; undefined where nothing is there by now. */
  read(): ReadResult | undefined {
    for (;;) {
      const partition = this.#partitionToRead()
      const arrived = partition < 0 ? undefined : this.#reader.take(partition)
      if (!arrived) return undefined
      const result = this.#offer(partition, arrived)
      if (result) return result
    }
  }

  /** The rows that are in order and there; ends where the columns of the output change: call it until it gives none. */
  take(): Run[] {
    for (;;) {
      const runs = this.#order.take()
      const news = runs.filter(({ partition, offset }) => offset >= (this.#since?.[partition] ?? 0))
      if (news.length > 0 || runs.length === 0) return news
    }
  }

  /** Resolves when something arrived, after the call, that `read` may give or that completes the job; at once when it is. */
  arrival(): Promise<void> {
    if (this.complete) return Promise.resolve()
    const arrival = this.#reader.arrival()
    const mayBeOver = this.#order instanceof Reassembler && this.#order.complete
    if (!mayBeOver) return arrival
    arrival.catch(() => {})
    return Promise.race([arrival, this.#jobs.news()])
  }

  /** What a reader ends with: what the job failed with, where `error` is only the trace that left. */
  async reasonOf(error: unknown): Promise<unknown> {
    if (!isFinal(error)) return error
    const now = await this.#jobs.latest(this.job.id).catch(() => undefined) // the topic may be what is lost
    return now && hasFailed(now) ? jobFailure(now) : error
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#watch.close()
    await this.#reader.close()
  }

  get #wanted(): Wanted | WantedAnywhere {
    const order = this.#order
    if (!(order instanceof Reassembler) || order.complete) {
      const { rows, rejects, duplicates } = order.counts
      return { partition: null, read: rows + rejects + duplicates }
    }
    const { wanted: partition, position } = order
    return { partition, offset: this.#reader.offset(partition), row: position.seq }
  }

  /** -1: in none is anything by now, or nothing is wanted. */
  #partitionToRead(): number {
    if (this.complete) return -1
    if (this.#order instanceof Reassembler && !this.#order.complete) return this.#order.wanted
    if (this.#order instanceof ArrivalOrder) this.#order.reach(this.#reader.from)
    const { length: partitions } = this.#reader.from
    for (let i = 0; i < partitions; i++) {
      const partition = (this.#turn + i) % partitions
      if (!this.#reader.peek(partition)) continue
      this.#turn = partition + 1
      return partition
    }
    return -1
  }

  #offer(partition: number, { kind, offset, value }: Arrived): ReadResult | null {
    const place = this.#reader.place(partition, offset)
    if (kind === 'result') return { result: value, partition, firstCopies: this.#order.offer(place, value) }
    if (!(this.#order instanceof Reassembler)) return null // rows without sequence have neither
    if (kind === 'end') this.#order.end(place, value)
    else this.#order.barrier(place, value)
    return null
  }
}

/** Whether an error says that rows are missing or wrong, and not that a reader could not go on. */
export function isFinal(error: unknown): error is RowmillError {
  if (!(error instanceof RowmillError) || error.facts['told']) return false
  return isFinalForReaders(error) && !isOfUnknownSchema(error) // with the right schema registry it can be read
}

/**
 * Whether what was handed out of a job up to here stays right: a later attempt may give rows to places that were left out,
 * and the rows of one that contradicted earlier ones do not count.
 */
export function staysRight(
  { attempt, counts }: { attempt: number; counts: ReassembledCounts },
  job: Job,
  jobs: JobLog,
): boolean {
  const isKnown = jobs.attemptsOf(job.id).some(each => each.attempt === attempt)
  return attempt === job.attempt || (isKnown && counts.rejects === 0)
}

function attemptsToRead(job: Job, jobs: JobLog): readonly Attempt[] {
  return jobs.attemptsOf(job.id).filter(({ attempt }) => attempt <= job.attempt)
}

/**
 * A position has one offset for a partition: where there are several attempts all of them are read from their beginning,
 * and what was handed out is passed over.
 */
async function startReading(
  context: PipelineContext,
  job: Job,
  start: {
    reader: ResultReader
    position: ReadPosition | null
    now: readonly number[] | null
    lookEveryMs: number | undefined
  },
): Promise<Reassembler | ArrivalOrder> {
  const { reader, position, now } = start
  const attempts = attemptsToRead(job, context.jobs)
  const nothing = { rows: 0, rejects: 0, duplicates: 0 }
  if (!job.sequenced) {
    const begin = { counts: nothing, offsets: now ?? (await leftOf(job, reader)), highest: reader.from.map(() => -1) }
    const at = position === null ? begin : reaching(position as ArrivalPosition, await reader.bounds('start'))
    await reader.read([{ attempt: job.attempt, resultsFrom: at.offsets }], at.highest)
    return new ArrivalOrder(job.id, at)
  }
  const left = position === null && !job.bounded ? await leftOf(job, reader) : job.resultsFrom
  const at = (position as ReassemblerPosition | null) ?? { seq: 0, counts: nothing, offsets: left }
  const places = attempts.length === 1 ? [{ attempt: job.attempt, resultsFrom: at.offsets }] : attempts
  await reader.read(
    places,
    at.offsets.map((_, partition) => rowsInPartition(partition, at.seq, job)),
  )
  if (left.every((offset, partition) => offset === job.resultsFrom[partition])) return new Reassembler(job.id, job, at)
  return new Reassembler(job.id, job, await beginLater(context, job, { ...start, left }))
}

/** What has nothing left in a partition, and gets nothing more, is not waited for. */
async function beginLater(
  context: PipelineContext,
  job: Job,
  { reader, left, lookEveryMs }: { reader: ResultReader; left: readonly number[]; lookEveryMs: number | undefined },
): Promise<ReassemblerPosition> {
  let partition = 0
  const seek = (sought: number) => {
    partition = sought
  }
  const wanted = () => ({ partition, offset: reader.offset(partition), row: 0 })
  const watch = new LossWatch(context, { job, lookEveryMs, wanted, lost: error => reader.interrupt(error) })
  try {
    const first = await findFirstRow(job, left, { reader, seek })
    if (first.seq > 0)
      context.say(`job ${job.id}: the results of its first rows are gone (retention): beginning with row ${first.seq}`)
    return first
  } finally {
    await watch.close()
  }
}

/** Where the results of the job begin that retention has left. */
async function leftOf(job: Job, reader: ResultReader): Promise<number[]> {
  const starts = await reader.bounds('start')
  return starts.map((start, partition) => Math.max(job.resultsFrom[partition] ?? 0, start))
}

/** The same place where `results` has more partitions by now: these are read from their begin. */
function reaching({ counts, offsets, highest }: ArrivalPosition, starts: readonly number[]): ArrivalPosition {
  const added = starts.slice(offsets.length)
  return { counts, offsets: [...offsets, ...added], highest: [...highest, ...added.map(() => -1)] }
}

/** Whether offsets of a position can be those of the job: one for each partition; more where rows without sequence came in new ones. */
export function fitsJob(offsets: readonly number[], { partitions, sequenced }: Job): boolean {
  return sequenced ? offsets.length === partitions : offsets.length >= partitions
}
