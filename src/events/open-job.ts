/// <reference lib="esnext.disposable" preserve="true" />
import { quotesCarriageReturn } from '../classifier/python/csv-quoting.ts'
import { hasFailed, jobFailure, newJob } from '../core/job.ts'
import { rowsInPartition } from '../core/sequence.ts'
import { RowmillError } from '../errors.ts'
import type { Reader } from '../kafka/index.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { OPTIONS } from '../options.ts'
import { appendJob } from '../pipeline/append-job.ts'
import { JobLog } from '../pipeline/job-log.ts'
import { latestJob } from '../pipeline/latest-job.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { unlessAborted } from '../support/abort.ts'
import { crashPoint } from '../support/crash-point.ts'
import { Teardown } from '../support/teardown.ts'
import { uniqueName } from '../support/unique-name.ts'
import { encodeEndOfInput } from '../wire/codec.ts'
import { connectSdk } from './connection.ts'
import { checkOptions, type OpenJobOptions } from './event-options.ts'
import { EventPublisher } from './event-publisher.ts'
import { type EventRow, RowReader } from './event-row.ts'
import { appendTakeoverPoint, fenced, type ProducerContext, takeOver } from './take-over.ts'
import { TakeoverPoints } from './takeover-points.ts'

/**
 * Opens a job of events, or goes on with it where the last producer of the same id stopped: all rows below `seq` are safe,
 * and the next one that is sent gets it. A producer that comes back sends again from there. Where another producer has
 * the job, this one takes it over, and the other one's calls reject with PRODUCER_FENCED. Creates the topics
 * that are missing, and adds partitions to `results` where it has fewer than `rows`.
 *
 * Throws USAGE; PYTHON_UNUSABLE; JOB_EXISTS where the id is another job's, was begun with another header or other options, or has ended;
 * what the job failed with; PRODUCER_FENCED where somebody else takes it over meanwhile; ROW_GAP where retention took
 * what tells the seq; BROKER_UNREACHABLE, TOPIC_UNUSABLE, REGISTRY_UNREACHABLE.
 */
export async function openJob(options: OpenJobOptions): Promise<EventJob> {
  const { id, columns, pipeline = OPTIONS.sharedPipeline.fallback, say = () => {}, indexKind = 'text' } = options
  const chosen = checkOptions(options)
  const signal = options.signal ?? new AbortController().signal
  signal.throwIfAborted()
  const python = options.python ?? (process.env['ROWMILL_PYTHON'] || OPTIONS.python.fallback)
  const quotes = { name: 'quotesCarriageReturn', value: String(await quotesCarriageReturn(python, say, signal)) }
  const { kafka, partitions } = await connectSdk('rowmill-producer', { ...options, pipeline }, { say })
  const teardown = new Teardown()
  try {
    const topics = topicsOf(pipeline)
    const jobs = await JobLog.open(kafka, pipeline, say)
    teardown.add(() => jobs.close())
    const sender = new PartitionSender(await kafka.producer(), say)
    teardown.add(() => sender.close())
    const reader = await kafka.reader([topics.rows, topics.results])
    teardown.add(() => reader.close())
    const by = uniqueName()
    const context: ProducerContext = { kafka, pipeline, jobs, say, signal, sender, by }
    const wanted = newJob({
      id,
      columns: [...columns],
      bounded: false,
      partitions,
      blockRows: 1,
      topic: topics.rows,
      rowsFrom: await reader.ends(topics.rows, partitions),
      resultsFrom: await reader.ends(topics.results, partitions),
      indexKind,
      options: [...chosen, quotes],
      at: Date.now(),
      by,
    })
    const held = await unlessAborted(takeOver(context, wanted), signal)
    return await HeldEventJob.begin(context, held, { reader, close: () => teardown.close() })
  } catch (error) {
    await teardown.close()
    throw signal.aborted ? signal.reason : error
  }
}

interface EventJobParts {
  readonly reader: Reader
  close(): Promise<void>
}

/**
 * A job of events that this producer holds. Once it has lost the job, to a newer producer, a failure or a broker that
 * does not come back, every call that is open or to come rejects with that: open the job again to go on.
 */
export interface EventJob extends AsyncDisposable {
  readonly id: string
  readonly columns: readonly string[]
  /** All rows below are safe; with nothing under way it is the seq of the next row. */
  readonly seq: number
  /**
   * Sends a row, by the names of its columns or as values in the order of the header, and resolves with its seq when it
   * is safe: acknowledged by the brokers with all rows below it, and under no other producer's feet. Seqs are given in
   * the order of the calls. Rejects with ROW_REFUSED, naming the column, before anything is sent: no seq is used up.
   *
   * A call for each row is as it should be: rows that are sent while others are under way share their requests. About
   * 1 MB is under way at a time. What is sent beyond waits in memory of this process, so a caller that has more rows
   * than it wants to hold awaits some of the promises.
   */
  send(row: EventRow): Promise<number>
  /**
   * Ends the job: no row comes any more, from nobody. Resolves when that stands in every partition and in the log of jobs.
   * A producer that dies before may open the job again and end it, or send more rows. The connection to the brokers
   * stays until `close`, and keeps the process alive. Twice is fine.
   */
  end(): Promise<void>
  /**
   * Waits for the rows that were sent and disconnects, without ending the job: unless `end` did, it can be opened again.
   * Twice is fine.
   */
  close(): Promise<void>
}

class HeldEventJob implements EventJob {
  readonly id: string
  readonly columns: readonly string[]
  readonly #context: ProducerContext
  readonly #job: Job
  readonly #parts: EventJobParts
  readonly #rows: RowReader
  readonly #publisher: EventPublisher
  readonly #takeoverPoints: TakeoverPoints
  readonly #stop = new AbortController()
  #ended: Promise<void> | null = null
  #closed: Promise<void> | null = null
  #lost: { readonly error: unknown } | null = null

  private constructor(context: ProducerContext, job: Job, parts: EventJobParts) {
    const { reader } = parts
    this.#context = context
    this.id = job.id
    this.columns = job.columns
    this.#job = job
    this.#parts = parts
    this.#rows = new RowReader(job)
    this.#publisher = new EventPublisher({
      job,
      sender: context.sender,
      checkHeld: async () => {
        await this.#checkHeld()
        this.#takeoverPoints.due()
      },
      lost: error => this.#lose(error),
    })
    this.#takeoverPoints = new TakeoverPoints(this.#publisher, {
      ends: () => reader.ends(job.topic, job.partitions),
      append: point => appendTakeoverPoint(context, job, { ...point, epoch: job.epoch }),
    })
    this.#follow()
  }

  static async begin(context: ProducerContext, job: Job, parts: EventJobParts): Promise<HeldEventJob> {
    const begun = new HeldEventJob(context, job, parts)
    if (job.epoch > 0) await begun.#takeoverPoints.write(false)
    return begun
  }

  get seq(): number {
    return this.#publisher.safe
  }

  send(row: EventRow): Promise<number> {
    try {
      if (this.#lost) throw this.#lost.error
      if (this.#ended || this.#closed) throw this.#over(this.#ended ? 'end' : 'close')
      return this.#publisher.send(this.#rows.read(row))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  end(): Promise<void> {
    if (this.#ended) return this.#ended
    if (this.#lost) return Promise.reject(this.#lost.error)
    if (this.#closed) return Promise.reject(this.#over('close'))
    this.#ended = this.#end()
    return this.#ended
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #end(): Promise<void> {
    const { id, epoch, attempt, from, topic, partitions } = this.#job
    const { sender, pipeline, by } = this.#context
    const total = this.#publisher.given
    await this.#publisher.untilSafe(total)
    const ends = Array.from({ length: partitions }, (_, partition) => {
      const rows = rowsInPartition(partition, total, this.#job)
      const value = encodeEndOfInput({ job: id, epoch, from, attempt, partition, rows, total })
      return sender.send({ topic, partition }, { key: id, value }).then(() => crashPoint('end-acked'))
    })
    await this.#orLost(Promise.all(ends))
    crashPoint('ends-acked')
    await this.#orLost(this.#checkHeld())
    const record: Job = { ...this.#job, state: 'ended', total, at: Date.now(), by }
    await this.#orLost(appendJob(sender, pipeline, record))
    crashPoint('job-ended')
    await this.#orLost(this.#checkHeld()) // a newer producer may have come between: then the job has not ended
  }

  async #close(): Promise<void> {
    try {
      await this.#ended
      await this.#publisher.untilSafe(this.#publisher.given)
      await this.#takeoverPoints.close()
      if (!this.#ended) await this.#takeoverPoints.write(true)
    } catch {
      // Each call that is open has said it.
    }
    this.#lose(this.#over('close'))
    this.#stop.abort()
    await this.#takeoverPoints.close()
    await this.#parts.close()
  }

  /** Rejects what is open and what is to come with this. */
  #lose(error: unknown): void {
    if (this.#lost) return
    this.#lost = { error }
    this.#publisher.fail(error)
    void this.#context.sender.close(error).catch(() => {}) // what it still holds is nobody's any more
  }

  /** What `work` resolves with; a failure is the end of this producer. */
  async #orLost<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      this.#lose(error)
      throw this.#lost!.error
    }
  }

  async #checkHeld(): Promise<void> {
    const job = (await latestJob(this.#context, this.id))!
    const loss = this.#lossOf(job)
    if (!loss) return
    this.#lose(loss)
    throw loss
  }

  #lossOf(job: Job): RowmillError | null {
    if (hasFailed(job)) return jobFailure(job)
    if (job.epoch <= this.#job.epoch) return null
    return fenced(this.id, this.#context.jobs.epochsOf(this.id)!)
  }

  /** Is told of a newer producer or a failure also while nothing is sent. */
  #follow(): void {
    const { jobs, signal } = this.#context
    const stop = AbortSignal.any([this.#stop.signal, signal])
    const lost = (job: Job) => this.#lossOf(job) !== null
    jobs.until(this.id, lost, stop).then(
      job => this.#lose(this.#lossOf(job)),
      reason => {
        if (!this.#stop.signal.aborted) this.#lose(reason)
      },
    )
  }

  #over(how: 'end' | 'close'): RowmillError {
    return new RowmillError('USAGE', `job ${this.id}: nothing can be sent after ${how}()`, { job: this.id })
  }
}
