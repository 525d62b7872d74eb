import { type Attempt, foldJob, hasFailed, jobFailure, MAX_ATTEMPT, MAX_JOB_BYTES } from '../core/job.ts'
import { foldEpochs, type JobEpochs } from '../core/job-epochs.ts'
import { isName } from '../core/names.ts'
import { isRemoved } from '../core/removed-job.ts'
import { RowmillError, voidsAttempt } from '../errors.ts'
import type { Kafka, Message } from '../kafka/index.ts'
import { PartitionFeed } from '../kafka/partition-feed.ts'
import type { PartitionQueue } from '../kafka/partition-queue.ts'
import type { Job } from '../model.ts'
import { rejectOnAbort } from '../support/abort.ts'
import { printableLine } from '../support/printable.ts'
import type { Say } from '../support/say.ts'
import { decode, isJobBehindId, isOfUnknownSchema } from '../wire/codec.ts'
import { rowTopics, topicsOf } from './topic-names.ts'

/** How many ignored job records one reader logs. */
const SAID_RECORDS = 5
/** How much of a foreign text a message shows. */
const SHOWN_CHARS = 100

/** A job, and what its first record says: a later one may be of whoever cancelled it. */
export interface OpenedJob {
  readonly job: Job
  /** In ms since 1970. */
  readonly openedAt: number
  readonly openedBy: string
}

/** Every job of a pipeline: reads the topic `jobs` from its beginning and follows it. */
export class JobLog {
  readonly topic: string
  readonly #feed: PartitionFeed
  readonly #queue: PartitionQueue
  readonly #jobs = new Map<string, Job>()
  readonly #openings = new Map<string, Omit<OpenedJob, 'job'>>()
  readonly #attempts = new Map<string, Attempt[]>()
  readonly #epochs = new Map<string, JobEpochs>()
  readonly #void = new Map<string, Set<number>>()
  /** Jobs whose records need another schema registry. Whoever asks for one of them gets this error. */
  readonly #unreadable = new Map<string, RowmillError>()
  readonly #following: Promise<void>
  readonly #rowTopics: readonly string[]
  readonly #say: Say
  #ignored = 0
  #taken: number
  #news = Promise.withResolvers<void>()
  #closed = false

  private constructor(pipeline: string, say: Say, { feed, queue }: { feed: PartitionFeed; queue: PartitionQueue }) {
    this.topic = topicsOf(pipeline).jobs
    this.#rowTopics = rowTopics(pipeline, true)
    this.#say = say
    this.#feed = feed
    this.#queue = queue
    this.#taken = queue.from
    this.#news.promise.catch(() => {})
    this.#following = this.#follow()
  }

  static async open(kafka: Kafka, pipeline: string, say: Say): Promise<JobLog> {
    const { jobs: topic } = topicsOf(pipeline)
    const feed = await PartitionFeed.open(kafka, [topic], say)
    const at = { topic, partition: 0 }
    const [start] = await feed.offsets([at], 'start')
    const [queue] = await feed.assign([start ?? { ...at, offset: 0 }]) // without a leader nothing can be read
    return new JobLog(pipeline, say, { feed, queue: queue! })
  }

  /** The job as known so far. */
  peek(id: string): Job | undefined {
    return this.#jobs.get(id)
  }

  /** The same. Throws ROW_MALFORMED, as `get` does, if its records need another schema registry. */
  known(id: string): Job | undefined {
    const job = this.#jobs.get(id)
    if (job) return job
    const fault = this.#unreadable.get(id)
    if (fault) throw fault
    return undefined
  }

  /**
   * The attempts known so far whose results count, in order. An attempt that contradicted an earlier one does not
   * count.
   */
  attemptsOf(id: string): readonly Attempt[] {
    return (this.#attempts.get(id) ?? []).filter(({ attempt }) => !this.#void.get(id)?.has(attempt))
  }

  /** The jobs known so far, in the order in which they were opened. Those that were removed are among them. */
  get all(): OpenedJob[] {
    return [...this.#jobs].map(([id, job]) => ({ job, ...this.#openings.get(id)! }))
  }

  /** The jobs known so far that have more than one attempt. */
  get reopened(): Job[] {
    const reopened = [...this.#attempts].filter(([, attempts]) => attempts.length > 1)
    return reopened.map(([id]) => this.#jobs.get(id)!)
  }

  /** Who holds the job, and where its rows begin, as known so far. */
  epochsOf(id: string): JobEpochs | undefined {
    return this.#epochs.get(id)
  }

  /** Resolves when there is news of any job. Rejects when the log breaks. */
  news(): Promise<void> {
    return this.#news.promise
  }

  /**
   * The job. If it is not known yet, reads `jobs` to its present end first. Throws ROW_MALFORMED, as `latest` and
   * `until` do, if its records need a schema registry that this reader was not given.
   */
  async get(id: string): Promise<Job | undefined> {
    if (!this.#jobs.has(id) && !this.#unreadable.has(id)) await this.#readToEnd()
    return this.known(id)
  }

  /** The job as of now: always reads `jobs` to its present end first. */
  async latest(id: string): Promise<Job | undefined> {
    await this.#readToEnd()
    return this.known(id)
  }

  /** Resolves when all records below this offset are known. Rejects when the log breaks. */
  async readTo(offset: number): Promise<void> {
    while (this.#taken < offset && !this.#closed) await this.#news.promise
  }

  /** The job as of now, or as soon as it is published. Throws JOB_CANCELLED if it was removed. Rejects when `signal` aborts. */
  async found(id: string, signal: AbortSignal): Promise<Job> {
    const job = (await this.latest(id)) ?? (await this.until(id, () => true, signal))
    if (isRemoved(job)) throw jobFailure(job)
    return job
  }

  /** Resolves with the job as soon as `when` is true. Rejects when `signal` aborts. */
  async until(id: string, when: (job: Job) => boolean, signal: AbortSignal): Promise<Job> {
    const stopped = rejectOnAbort(signal)
    for (;;) {
      const job = this.known(id)
      if (job && when(job)) return job
      await Promise.race([this.#news.promise, stopped])
    }
  }

  /** Ends every wait, present and future, with this fault. */
  interrupt(fault: unknown): void {
    this.#feed.interrupt(fault)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#feed.close()
    this.#announce()
    await this.#following
  }

  async #readToEnd(): Promise<void> {
    const [end] = await this.#feed.offsets([{ topic: this.topic, partition: 0 }], 'end')
    await this.readTo(end!.offset)
  }

  async #follow(): Promise<void> {
    while (!this.#closed) {
      try {
        const message = this.#feed.take(this.#queue)
        if (message) this.#learn(message)
        // After the last message there may be the marker of a transaction, or messages of an aborted one.
        this.#taken = this.#queue.length === 0 ? this.#queue.nextOffset : message!.offset + 1
        const arrival = message ? null : this.#feed.arrival()
        this.#announce()
        await arrival
      } catch (fault) {
        this.#news.reject(fault)
        return
      }
    }
  }

  #learn({ offset, key, value }: Message): void {
    try {
      const record = decode(value)
      if (record.kind !== 'job') return
      const flaw = this.#flawOf(record.value, value!.length)
      if (flaw === null) this.#fold(record.value)
      else this.#ignore(offset, flaw)
    } catch (error) {
      // Not a job: no reader can do anything about it, and it must not stop other jobs.
      if (!isOfUnknownSchema(error) || !key || !value) return
      const id = key.toString()
      // A record under another registry's schema id still has the body of a job record. Anything else is no job.
      if (this.#jobs.has(id) || this.#unreadable.has(id) || !isJobBehindId(value, id)) return
      const message = `job ${id}, ${this.topic}[0]@${offset}: ${error.message}`
      this.#unreadable.set(id, new RowmillError(error.code, message, { ...error.facts, job: id }, { cause: error }))
    }
  }

  /**
   * Why this pipeline cannot serve the job of a record, or null. Anyone with access to the broker can write a record.
   */
  #flawOf({ id, topic, attempt, resultsFrom, ...job }: Job, bytes: number): string | null {
    if (bytes > MAX_JOB_BYTES) return `it takes ${bytes} bytes, and at most ${MAX_JOB_BYTES} are read`
    if (!isName(id)) return `its job id is ${JSON.stringify(id.slice(0, SHOWN_CHARS))}`
    const { bounded, partitions } = this.#jobs.get(id) ?? job
    if (attempt > MAX_ATTEMPT) return `it is attempt ${attempt} of job ${id}, and at most ${MAX_ATTEMPT} are read`
    if (attempt > 0 && !bounded) return `it is attempt ${attempt} of job ${id}, and a job of events has one attempt`
    if (attempt > 0 && resultsFrom.length !== partitions)
      return `it has ${resultsFrom.length} partitions, and job ${id} has ${partitions}`
    if (this.#rowTopics.includes(topic)) return null
    return `its rows would be in ${JSON.stringify(topic.slice(0, SHOWN_CHARS))}, which is no topic of this pipeline`
  }

  #ignore(offset: number, why: string): void {
    this.#ignored++
    const more = this.#ignored === SAID_RECORDS ? '. More of them are ignored without a message' : ''
    if (this.#ignored <= SAID_RECORDS)
      this.#say(`${this.topic}[0]@${offset}: this job record is ignored: ${printableLine(why)}${more}`, {
        level: 'warn',
        topic: this.topic,
        partition: 0,
        offset,
      })
  }

  #fold(record: Job): void {
    const { id, attempt, resultsFrom } = record
    const before = this.#jobs.get(id)
    if (before && isRemoved(before)) return
    if (isRemoved(record)) this.#forget(id)
    this.#jobs.set(id, foldJob(this.#jobs.get(id), record))
    if (!before) this.#openings.set(id, { openedAt: record.at, openedBy: record.by })
    this.#epochs.set(id, foldEpochs(this.#epochs.get(id), record))
    const attempts = this.#attempts.get(id) ?? []
    this.#attempts.set(id, attempts)
    if (attempt > (attempts.at(-1)?.attempt ?? -1)) attempts.push({ attempt, resultsFrom })
    if (record.state !== 'failed' || attempt === 0 || !voidsAttempt(record.reason?.code ?? '')) return
    this.#void.set(id, (this.#void.get(id) ?? new Set()).add(attempt))
  }

  /** Frees the memory of a job that was removed. The record of the removal is kept instead. */
  #forget(id: string): void {
    for (const known of [this.#jobs, this.#attempts, this.#epochs, this.#void, this.#unreadable]) known.delete(id)
  }

  #announce(): void {
    this.#news.resolve()
    this.#news = Promise.withResolvers<void>()
    this.#news.promise.catch(() => {})
  }
}

/** When the job fails, or `signal` aborts, ends every wait of a feed with that error. */
export function endWithJob(
  feed: Pick<PartitionFeed, 'interrupt'>,
  jobs: JobLog,
  { id, signal }: { id: string; signal: AbortSignal },
): void {
  jobs.until(id, hasFailed, signal).then(
    failed => feed.interrupt(jobFailure(failed)),
    reason => feed.interrupt(reason),
  )
}
