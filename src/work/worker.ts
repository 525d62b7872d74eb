import type { BatchClassifier } from '../classifier/boundary.ts'
import { type Batch, emptyBatch } from '../core/batcher.ts'
import { describeBatch } from '../core/describe-batch.ts'
import { FairTurns } from '../core/fair-turns.ts'
import { attemptOf } from '../core/job.ts'
import { RowmillError, toRowmillError } from '../errors.ts'
import type { Producer, TopicPartition } from '../kafka/index.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { failJob } from '../pipeline/append-job.ts'
import type { PipelineConnection } from '../pipeline/context.ts'
import { JobLog } from '../pipeline/job-log.ts'
import { topicsOf, workersGroup } from '../pipeline/topic-names.ts'
import { findDone } from '../results/done-rows.ts'
import { untilAborted } from '../support/abort.ts'
import { realTime, type Time } from '../support/clock.ts'
import { crashPoint } from '../support/crash-point.ts'
import { freeBytes, freePart } from '../support/free-bytes.ts'
import type { BatchSpan } from '../tracing/batch-span.ts'
import { encodeEndOfInput, encodeRows } from '../wire/codec.ts'
import { Activity } from './activity.ts'
import type { AssignedPartition, Slot } from './assigned-partition.ts'
import { Calls, type FreeClassifier, isUnusable, type Lending } from './calls.ts'
import { Intake } from './intake.ts'
import type { JobJudge } from './job-judge.ts'
import { Linger } from './linger.ts'
import { Membership, type MembershipHandlers, type MembershipOptions } from './membership.ts'
import { RejectLines } from './reject-lines.ts'
import { RejectTopic } from './reject-topic.ts'
import { serveReopened } from './reopened-jobs.ts'
import { ResultPartitions } from './result-partitions.ts'

export interface WorkerOptions
  extends Pick<MembershipOptions, 'bulk' | 'name' | 'share' | 'onJoined' | 'activity' | 'time'> {
  readonly classifier: BatchClassifier
  readonly batchRows: number
  /** Called after each batch with its number of rows. */
  onBatch?(rows: number): void
  /** How it lends its classifier to workers beside it, and borrows theirs. Null, the default: it does not. */
  readonly lending?: Lending | null
  /** Default: nobody judges. */
  readonly judge?: JobJudge | null
}

/**
 * One worker with one classifier: feed -> intake -> batcher -> classifier -> results -> commit.
 *
 * It gets partitions from a consumer group, or from the supervisor of its run. It knows only what it saw in the current
 * assignment: at the next one it drops everything it knows about its partitions, and reads them again from the committed
 * offsets. It commits only what `results` has acknowledged. For each reopened job it has one more membership, beside that
 * for all first attempts.
 */
export class Worker {
  readonly #connection: PipelineConnection
  readonly #options: WorkerOptions
  readonly #jobs: JobLog
  readonly #sender: PartitionSender
  readonly #rejects: RejectTopic
  /** Null: the run that it works for tells which rows were rejected. */
  readonly #rejectLines: RejectLines | null
  readonly #resultPartitions: ResultPartitions
  readonly #intake: Intake
  readonly #fatal = Promise.withResolvers<never>()
  /** For the first attempts of all jobs. */
  readonly #first: Membership
  /** That one and those of reopened jobs. */
  #memberships: readonly Membership[]
  readonly #turns = new FairTurns<AssignedPartition>()
  readonly #calls: Calls
  readonly #linger: Linger
  readonly #activity: Activity
  readonly #time: Time
  /** Batches that are classified, results on their way, and verdicts that are awaited. */
  readonly #tasks = new Set<Promise<unknown>>()
  /** Attempts that this worker failed. Its record of that comes back from `jobs` only later. */
  readonly #failed = new Set<string>()
  #draining = false
  #servesSoon = false

  private constructor(
    connection: PipelineConnection,
    options: WorkerOptions,
    parts: { jobs: JobLog; first: Membership; producer: Producer },
  ) {
    const { pipeline, say, tracing } = connection
    const { name, classifier, batchRows, time, bulk = false, lending = null, activity = new Activity() } = options
    this.#connection = connection
    this.#options = options
    this.#jobs = parts.jobs
    this.#first = parts.first
    this.#memberships = [parts.first]
    this.#sender = new PartitionSender(parts.producer, say, time)
    this.#activity = activity
    this.#time = time ?? realTime
    this.#rejects = new RejectTopic(this.#sender, { pipeline, name, activity })
    this.#rejectLines = options.share ? null : new RejectLines(say, { topic: this.#rejects.topic, time: this.#time })
    this.#resultPartitions = new ResultPartitions(connection, parts.producer)
    this.#intake = new Intake({
      jobs: parts.jobs,
      rejects: this.#rejects,
      batchRows,
      say,
      ...(time ? { time } : {}),
      traceReject: tracing ? rejected => tracing.reject({ ...rejected, worker: name }) : null,
      gaveUp: job => this.#failed.has(attemptOf(job)),
      failJob: (held, { offset }, { job, why }) => {
        const { topic, partition } = held.queue
        return this.#failJob(held, job, `${topic}[${partition}]@${offset}`, new RowmillError('ROW_MALFORMED', why))
      },
      arrived: () => this.#serveSoon(),
      failed: this.#end,
    })
    this.#calls = new Calls({
      ...{ classifier, batchRows, lending, shared: bulk, activity },
      ...(time ? { time } : {}),
      findJob: id => parts.jobs.peek(id),
      partitions: () => this.#assigned,
      freed: () => this.#serveSoon(),
      failed: this.#end,
    })
    this.#linger = new Linger({
      time: this.#time,
      isBounded: id => parts.jobs.peek(id)?.bounded ?? false,
      send: held => this.#sendReady(held),
    })
    this.#fatal.promise.catch(() => {})
  }

  /** Connects to the broker. The classifier may still be starting. */
  static async open(connection: PipelineConnection, options: WorkerOptions): Promise<Worker> {
    const { kafka, pipeline, say } = connection
    const [jobs, first, producer] = await Promise.all([
      JobLog.open(kafka, pipeline, say),
      Membership.open(connection, options),
      kafka.producer(),
    ])
    return new Worker(connection, options, { jobs, first, producer })
  }

  /** Works until `signal` aborts. Then it finishes its current batches, commits and leaves the group. */
  async run(signal: AbortSignal): Promise<void> {
    const leave = new AbortController()
    this.#first.join(this.#handlers)
    this.#options.classifier.start().then(() => this.#calls.ready(), this.#end)
    const reopened = serveReopened(
      {
        jobs: this.#jobs,
        join: job => this.#joinAttempt(job),
        leave: membership => this.#leave(membership),
        say: this.#connection.say,
        failed: this.#end,
        time: this.#options.time,
      },
      leave.signal,
    )
    reopened.catch(this.#end)
    try {
      await Promise.race([untilAborted(signal), this.#fatal.promise])
      await Promise.race([this.#drain(), this.#fatal.promise])
      await Promise.all(this.#memberships.map(membership => membership.commit().catch(() => {})))
    } finally {
      leave.abort()
      await Promise.allSettled([reopened, this.#first.close()])
    }
  }

  /** Asks at once whether its groups have changed. */
  wake(): void {
    for (const membership of this.#memberships) membership.wake()
  }

  /** The partitions that it has now. */
  get partitions(): TopicPartition[] {
    return this.#assigned.map(({ queue: { topic, partition } }) => ({ topic, partition }))
  }

  async close(): Promise<void> {
    this.#intake.close()
    this.#rejectLines?.close()
    const memberships = this.#memberships.map(membership => membership.close())
    await Promise.all([...memberships, this.#jobs.close(), this.#sender.close()])
  }

  /** Ends the worker with an error that no further batch can fix. */
  readonly #end = (fault: unknown): void => this.#fatal.reject(fault)

  get #handlers(): MembershipHandlers {
    return {
      pump: (held, membership) => this.#intake.pump(held, membership),
      findDone: (job, partitions, signal) =>
        findDone({ ...this.#connection, jobs: this.#jobs, signal }, job, partitions),
      resultPartitions: wanted => this.#resultPartitions.upTo(wanted),
      failed: this.#end,
    }
  }

  async #joinAttempt(job: Job): Promise<Membership> {
    const membership = await Membership.open(this.#connection, { ...this.#options, reopened: job })
    this.#memberships = [...this.#memberships, membership]
    membership.join(this.#handlers)
    return membership
  }

  async #leave(membership: Membership): Promise<void> {
    this.#memberships = this.#memberships.filter(other => other !== membership)
    await membership.close()
  }

  get #assigned(): AssignedPartition[] {
    const [only, ...others] = this.#memberships
    return others.length === 0 ? only!.assigned : this.#memberships.flatMap(({ assigned }) => assigned)
  }

  /** Serves once for all messages and answers that this turn brings: rows that came together go into one batch. */
  #serveSoon(): void {
    if (this.#servesSoon) return
    this.#servesSoon = true
    process.nextTick(() => {
      this.#servesSoon = false
      this.#serve()
    })
  }

  /** Gives the classifier as many batches as it takes at once, from the partitions in turn. Lenders get what it cannot take. */
  #serve(): void {
    for (const held of this.#assigned) this.#forwardMarkers(held)
    while (!this.#draining) {
      const free = this.#calls.freeClassifier()
      const held = free && this.#turns.next(this.#assigned)
      if (!held) break
      const batch = held.batcher.cutBatch(free.rowsAtOnce(held))!
      held.makeRoom()
      this.#track(this.#classify(held, batch, free))
      this.#forwardMarkers(held)
    }
    this.#calls.settle({ hasRows: this.#assigned.some(({ waiting }) => waiting > 0) })
  }

  /** Queues ends of input and barriers of a partition after the results of the rows before them. */
  #forwardMarkers(held: AssignedPartition): void {
    for (let marker = held.batcher.cutMarker(); marker; marker = held.batcher.cutMarker()) {
      if (marker.record.kind === 'end' && marker.record.value.total === 0 && marker.record.value.partition === 0) {
        this.#track(this.#classify(held, emptyBatch(marker.record.value, marker.entry.offset)))
      }
      held.add(marker)
    }
    this.#linger.ready(held)
  }

  /** Classifies one batch and queues its results. If the classifier fails, the job fails. */
  async #classify(held: AssignedPartition, batch: Batch, classifier: FreeClassifier = this.#calls.own): Promise<void> {
    const slot = held.add(batch)
    const job = this.#jobOf(held, batch.job)
    const arrivedAt = held.arrivals.of(batch.offset) ?? this.#time.now()
    slot.span = this.#spanOf(held, batch, job)
    try {
      const { answer, ms: classifyMs } = await classifier.classify(batch, job, held.queue)
      const answeredAt = this.#time.now()
      slot.answer = answer
      slot.times = { queueMs: Math.max(0, answeredAt - classifyMs - arrivedAt), classifyMs, answeredAt }
      slot.span?.answered(answer.rejected, { ...slot.times, isLost: held.queue.closed })
      crashPoint('batch-classified')
      this.#options.onBatch?.(batch.count)
      for (const verdict of this.#options.judge?.batch(batch, job, slot.answer) ?? [])
        this.#track(verdict.then(fault => fault && this.#failJob(held, job, null, fault)))
    } catch (error) {
      await slot.span?.failed(error)
      if (isUnusable(error)) throw error
      await this.#failJob(held, job, describeBatch(batch), error)
      slot.skip = true
    }
    this.#linger.ready(held)
    this.#serveSoon()
  }

  #spanOf({ queue, attempt }: AssignedPartition, batch: Batch, job: Job): BatchSpan | null {
    const { tracing, pipeline } = this.#connection
    const { topic, partition } = queue
    const group = workersGroup(pipeline, attempt === 0 ? null : job)
    return tracing?.batch(batch, job, { topic, partition, group, worker: this.#options.name }) ?? null
  }

  /** `jobs` may show a later attempt by now. A result belongs to the attempt of its assignment. */
  #jobOf({ attempt }: AssignedPartition, id: string): Job {
    const job = this.#jobs.peek(id)!
    return job.attempt === attempt ? job : { ...job, attempt }
  }

  /** Draining waits for it. If it fails, the worker ends. */
  #track(task: Promise<unknown>): void {
    this.#tasks.add(task)
    task.catch(this.#end).finally(() => this.#tasks.delete(task))
  }

  /** Records in `jobs` that the job failed, and drops what we hold of this attempt. `place` is null where the message has it. */
  async #failJob(held: AssignedPartition, job: Job, place: string | null, error: unknown): Promise<void> {
    if (this.#failed.has(attemptOf(job))) return
    const { code, message, facts } = toRowmillError(error)
    const named = new RowmillError(code, `job ${job.id}${place === null ? '' : `, ${place}`}: ${message}`, facts, {
      cause: error,
    })
    this.#linger.flush()
    await failJob(this.#sender, this.#connection.pipeline, job, { error: named, place, by: this.#options.name })
    this.#failed.add(attemptOf(job))
    const ofAttempt = this.#assigned.filter(({ attempt }) => attempt === held.attempt)
    for (const open of new Set([held, ...ofAttempt])) open.drop(job.id)
  }

  /** Sends what is ready at the head of a partition, in order. The worker commits an offset after its results are acknowledged. */
  #sendReady(held: AssignedPartition): void {
    for (let slot = held.takeReady(); slot; slot = held.takeReady()) this.#track(this.#send(held, slot))
  }

  async #send(held: AssignedPartition, { item, answer, times, span }: Slot): Promise<void> {
    const { topic, partition } = held.queue
    const { attempt } = held
    const to = { topic: topicsOf(this.#connection.pipeline).results, partition }
    if (item.kind === 'marker') {
      const { kind, value: given } = item.record
      const job = this.#jobOf(held, given.job)
      const verdict = kind === 'end' ? this.#options.judge?.end(job) : null
      const fault = verdict && (await verdict)
      if (fault) return this.#failJob(held, job, null, fault).then(() => held.batcher.settle(item))
      const value = kind === 'end' ? encodeEndOfInput({ ...given, attempt }) : encodeRows(given)
      await this.#sender.send(to, { key: given.job, value })
    } else {
      const { results, rejected } = answer!
      const headers = span?.headers ?? null
      const sent = this.#activity.sends()
      const acked = Promise.all(results.map(value => this.#sender.send(to, { key: item.job, value, headers })))
      await (span ? span.sending(acked, { ...to, messages: results.length }) : acked)
      await Promise.all(rejected.map(row => this.#rejects.row(row, item, { topic, partition, attempt, headers })))
      for (const row of rejected) this.#rejectLines?.note(item.job, row)
      results.forEach(freeBytes)
      sent()
    }
    crashPoint('result-acked')
    held.batcher.settle(item)
    if (item.kind === 'batch') freeSettled(item)
    if (times) this.#activity.settled([times.queueMs, times.classifyMs, this.#time.now() - times.answeredAt])
  }

  async #drain(): Promise<void> {
    this.#draining = true
    this.#linger.close()
    await this.#calls.drain()
    while (this.#tasks.size > 0) await Promise.all(this.#tasks)
    await this.#intake.drain()
  }
}

/** Frees the messages that have no more rows to classify. Nobody needs their bytes again. */
function freeSettled({ parts }: Batch): void {
  for (const { entry } of parts) if (entry.isOnly && entry.open === 0) freePart(entry.rows!.bytes)
}
