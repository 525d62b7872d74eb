/// <reference lib="esnext.disposable" preserve="true" />
import { quotesCarriageReturn } from '../classifier/python/csv-quoting.ts'
import { hasFailed, jobFailure, newJob } from '../core/job.ts'
import { rowsInPartition } from '../core/sequence.ts'
import { RowmillError } from '../errors.ts'
import type { Reader } from '../kafka/index.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job, JobOption } from '../model.ts'
import { OPTIONS } from '../options.ts'
import { appendJob } from '../pipeline/append-job.ts'
import { JobLog } from '../pipeline/job-log.ts'
import { latestJob } from '../pipeline/latest-job.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { longestRow } from '../pipeline/topics.ts'
import { unlessAborted } from '../support/abort.ts'
import { crashPoint } from '../support/crash-point.ts'
import type { Say } from '../support/say.ts'
import { Teardown } from '../support/teardown.ts'
import { uniqueName } from '../support/unique-name.ts'
import type { TraceHeaders } from '../tracing/spans.ts'
import { encodeEndOfInput } from '../wire/codec.ts'
import { connectSdk } from './connection.ts'
import { checkOptions, type OpenJobOptions } from './event-options.ts'
import { EventPublisher } from './event-publisher.ts'
import { type EventRow, RowReader } from './event-row.ts'
import { headerLike } from './like-job.ts'
import { appendTakeoverPoint, fenced, type ProducerContext, takeOver } from './take-over.ts'
import { TakeoverPoints } from './takeover-points.ts'

/**
 * Opens a job of events, or resumes it where its last producer stopped. All rows below `seq` are safe, and the next row
 * gets that seq: after a crash, send again from there. If another producer has the job, takes it over: the calls of the
 * other one reject with PRODUCER_FENCED. Creates missing topics, and adds partitions to `results` if it has fewer than
 * `rows`.
 *
 * Throws JOB_EXISTS if the id belongs to another job, was begun with another header or other options, or has ended.
 * Throws the failure of a job that failed, PRODUCER_FENCED if somebody else takes the job over meanwhile, and ROW_GAP
 * if retention deleted what tells the seq. Also throws USAGE, PYTHON_UNUSABLE, BROKER_UNREACHABLE, TOPIC_UNUSABLE,
 * REGISTRY_UNREACHABLE.
 */
export async function openJob(options: OpenJobOptions): Promise<EventJob> {
  const {
    id,
    columns = [],
    like,
    pipeline = OPTIONS.sharedPipeline.fallback,
    say = () => {},
    indexKind = 'text',
  } = options
  const chosen = checkOptions(options)
  const signal = options.signal ?? new AbortController().signal
  signal.throwIfAborted()
  const traceHeaders = options.tracing
    ? await import('../tracing/active-trace.ts').then(({ findActiveTrace }) => findActiveTrace())
    : null
  const python = options.python ?? (process.env['ROWMILL_PYTHON'] || OPTIONS.python.fallback)
  const quotes = like === undefined ? [await quotesOption(python, say, signal)] : []
  const { kafka, partitions } = await connectSdk('rowmill-producer', { ...options, pipeline }, { role: 'publish', say })
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
    const earlier = like === undefined ? null : await headerLike(jobs, like, { pipeline, sequenced: true, say })
    const context: ProducerContext = { kafka, pipeline, jobs, say, signal, sender, by }
    const wanted = newJob({
      id,
      columns: [...(earlier ?? { columns }).columns],
      bounded: false,
      partitions,
      blockRows: 1,
      topic: topics.rows,
      rowsFrom: await reader.ends(topics.rows, partitions),
      resultsFrom: await reader.ends(topics.results, partitions),
      indexKind: earlier ? earlier.indexKind : indexKind,
      options: [...(earlier?.options ?? []), ...chosen, ...quotes],
      at: Date.now(),
      by,
    })
    const held = await unlessAborted(takeOver(context, wanted), signal)
    const mostBytes = await longestRow(kafka, held.topic)
    return await HeldEventJob.begin(context, held, { reader, mostBytes, traceHeaders, close: () => teardown.close() })
  } catch (error) {
    await teardown.close()
    throw signal.aborted ? signal.reason : error
  }
}

async function quotesOption(python: string, say: Say, signal: AbortSignal): Promise<JobOption> {
  return { name: 'quotesCarriageReturn', value: String(await quotesCarriageReturn(python, say, signal)) }
}

interface EventJobParts {
  readonly reader: Reader
  /** How long a row may be. */
  readonly mostBytes: number
  /** The headers of a row that is sent now. Null: rows have none. */
  readonly traceHeaders: (() => TraceHeaders | null) | null
  close(): Promise<void>
}

/**
 * A job of events that this producer holds. It may lose the job to a newer producer, a failure, or a broker that does
 * not come back. Then every present and future call rejects with that error. To continue, open the job again.
 */
export interface EventJob extends AsyncDisposable {
  readonly id: string
  readonly columns: readonly string[]
  /** All rows below this seq are safe. If no row is under way, the next row gets it. */
  readonly seq: number
  /**
   * Sends a row, by the names of its columns or as values in the order of the header. Resolves with its seq when it is
   * safe: the brokers have acknowledged it and all rows below it, and no newer producer owned the job at that moment.
   * Seqs follow the order of the calls. Rejects with ROW_REFUSED naming the column, before anything is sent: then no
   * seq is used up.
   *
   * Call it once for each row: rows that are sent while others are under way share their requests. About 1 MB is under
   * way at a time, and further rows wait in memory. To hold fewer rows, await some of the promises.
   */
  send(row: EventRow): Promise<number>
  /**
   * Ends the job: no producer can add rows after this. Resolves when the end is in every partition and in the job log.
   * A producer that dies before that may open the job again and end it, or send more rows. The connection to the
   * brokers stays until `close`, and keeps the process alive. Twice is fine.
   */
  end(): Promise<void>
  /**
   * Waits for the rows that were sent, and disconnects. It does not end the job: without `end`, the job can be opened
   * again. Twice is fine.
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
    this.#rows = new RowReader(job, parts.mostBytes)
    this.#publisher = new EventPublisher({
      job,
      sender: context.sender,
      traceHeaders: parts.traceHeaders,
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
    await this.#orLost(this.#checkHeld()) // if a newer producer came first, the job has not ended
  }

  async #close(): Promise<void> {
    try {
      await this.#ended
      await this.#publisher.untilSafe(this.#publisher.given)
      await this.#takeoverPoints.close()
      if (!this.#ended) await this.#takeoverPoints.write(true)
    } catch {
      // The calls that were open have rejected with it.
    }
    this.#lose(this.#over('close'))
    this.#stop.abort()
    await this.#takeoverPoints.close()
    await this.#parts.close()
  }

  /** Rejects all present and future calls with this error. */
  #lose(error: unknown): void {
    if (this.#lost) return
    this.#lost = { error }
    this.#publisher.fail(error)
    void this.#context.sender.close(error).catch(() => {}) // nobody waits for what it still holds
  }

  /** The result of `work`. If it fails, this producer has lost the job. */
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

  /** Notices a newer producer or a failure even while nothing is sent. */
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
