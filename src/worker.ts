import type { AssignedPartition, Slot } from './assigned-partition.ts'
import { type Batch, describeBatch } from './batcher.ts'
import type { BatchClassifier } from './classifier/boundary.ts'
import { encodeEndOfInput, encodeReject, encodeRows, isOfUnknownSchema } from './codec.ts'
import { crashPoint } from './crash-point.ts'
import { findDone } from './done-rows.ts'
import { type ErrorCode, RowmillError, toRowmillError } from './errors.ts'
import { failJob, hasFailed, JobLog } from './jobs.ts'
import { decodeJsonRow, isJson, type JsonRow } from './json-rows.ts'
import { describeUnreadable, type Kafka, type Message, type Producer } from './kafka.ts'
import { Lane, type LaneHandlers } from './lane.ts'
import type { EndOfInput, Job, Rejected } from './model.ts'
import type { Say } from './outage.ts'
import { Pace } from './pace.ts'
import { PartitionSender } from './partition-sender.ts'
import { printableLine } from './printable.ts'
import { ResultPartitions } from './result-partitions.ts'
import { barrierOf, decodeHead, type RowsHead } from './rows-head.ts'
import { misplacement, placeOf } from './sequence.ts'
import { topicsOf } from './topics.ts'
import { Turns } from './turns.ts'
import { UnknownJobs } from './unknown-jobs.ts'
import { unsequencedRow } from './unsequenced-row.ts'

/** What a reject keeps of a message that could not be read. */
const REJECTED_BYTES = 64 * 1024
/** And of why. */
const REJECTED_CHARS = 1000
/** What no other batch and no other job would cure: the worker ends. */
const UNUSABLE: readonly ErrorCode[] = ['PYTHON_UNUSABLE', 'CLASSIFIER_NOT_FOUND', 'CLASSIFIER_UNLOADABLE']
/** How long the calls may take together that rows of large jobs have before a row that comes now. */
const BULK_AHEAD_MS = 400
/** Where this much waits in a partition no more is taken from its queue, however few rows that are. */
const WAITING_BYTES = 4 * 1024 * 1024
/** What is said of a message that no worker survives. */
const FATAL =
  'two workers ended or hung while they read this message, so it is passed over unread; if a crash of rowmill is the cause, please report it'

/** What a message is: a record, the values of its rows left undecoded, or a row in JSON. */
type Incoming = ReturnType<typeof decodeHead> | { readonly kind: 'json'; readonly value: JsonRow }

export interface WorkerOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  /** Whether the pipeline has the topic `bulk`. Default: no. */
  readonly bulk?: boolean
  /** Names the worker in results and reports. */
  readonly name: string
  readonly classifier: BatchClassifier
  readonly batchRows: number
  readonly say: Say
  /** Called after each batch with its number of rows. */
  onBatch?(rows: number): void
}

/**
 * One member of the consumer group with one classifier: feed -> batcher -> classifier -> results -> commit.
 * It judges nothing but what it saw in this assignment: at every join all it knows of its partitions is dropped and
 * read again from the committed offsets. Only what is acknowledged in `results` is committed. A job that is opened again
 * is served in a lane of its own, side by side with all others.
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #jobs: JobLog
  readonly #sender: PartitionSender
  readonly #resultPartitions: ResultPartitions
  readonly #fatal = Promise.withResolvers<never>()
  /** The first serves the first attempts of all jobs. */
  #lanes: readonly Lane[]
  readonly #turns = new Turns<AssignedPartition>()
  readonly #pace: Pace
  #inClassifier = 0
  readonly #sends = new Set<Promise<void>>()
  /** Attempts of jobs that failed here: `jobs` tells it back only a little later. */
  readonly #failed = new Set<string>()
  readonly #unknown: UnknownJobs
  #idle = Promise.withResolvers<void>()
  #draining = false

  private constructor(options: WorkerOptions, parts: { jobs: JobLog; lane: Lane; producer: Producer }) {
    this.#options = options
    this.#pace = new Pace(BULK_AHEAD_MS / options.classifier.ahead)
    this.#jobs = parts.jobs
    this.#lanes = [parts.lane]
    this.#sender = new PartitionSender(parts.producer, options.say)
    this.#resultPartitions = new ResultPartitions(options, parts.producer)
    this.#fatal.promise.catch(() => {})
    const { topic } = this.#jobs
    this.#unknown = new UnknownJobs({
      jobs: this.#jobs,
      rejects: topicsOf(options.pipeline).rejects,
      say: message => options.say(shortLine(message)),
      accept: (held, message) => this.#accept(held, message, true),
      reject: (held, message, job) => this.#copyMessage(held, message, 'UNKNOWN_JOB', `no job ${job} in ${topic}`),
      accepted: () => this.#serve(),
      failed: fault => this.#fatal.reject(fault),
    })
  }

  /** Connects to the broker; the classifier may still be starting. */
  static async open(options: WorkerOptions): Promise<Worker> {
    const { kafka, pipeline, say } = options
    const [jobs, lane, producer] = await Promise.all([
      JobLog.open(kafka, pipeline, say),
      Lane.open(options),
      kafka.producer(),
    ])
    return new Worker(options, { jobs, lane, producer })
  }

  /** Works until `signal` aborts; then finishes the batches in hand, commits and leaves the group. */
  async run(signal: AbortSignal): Promise<void> {
    const leave = new AbortController()
    this.#lanes[0]!.join(this.#handlers)
    const reopening = this.#serveReopened(leave.signal)
    reopening.catch(fault => this.#fatal.reject(fault))
    const asked = new Promise<void>(resolve => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    try {
      await Promise.race([asked, this.#fatal.promise])
      await Promise.race([this.#drain(), this.#fatal.promise])
      await Promise.all(this.#lanes.map(lane => lane.commit().catch(() => {})))
    } finally {
      leave.abort()
      await Promise.allSettled([reopening, this.#lanes[0]!.close()])
    }
  }

  async close(): Promise<void> {
    this.#unknown.close()
    await Promise.all([...this.#lanes.map(lane => lane.close()), this.#jobs.close(), this.#sender.close()])
  }

  get #handlers(): LaneHandlers {
    const { kafka, pipeline, say } = this.#options
    return {
      pump: held => this.#pump(held),
      findDone: (job, partitions, signal) =>
        findDone(job, partitions, { kafka, pipeline, jobs: this.#jobs, say, signal }),
      resultPartitions: wanted => this.#resultPartitions.upTo(wanted),
      failed: fault => this.#fatal.reject(fault),
    }
  }

  get #assigned(): AssignedPartition[] {
    return this.#lanes.length === 1 ? this.#lanes[0]!.assigned : this.#lanes.flatMap(({ assigned }) => assigned)
  }

  /** Keeps a lane for each job that was opened again, as long as its last attempt has anything to do. */
  async #serveReopened(signal: AbortSignal): Promise<void> {
    const serving = new Map<string, Promise<void>>()
    await this.#jobs.latest('') // what was reopened and failed long ago needs none
    const stopped = new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
    while (!signal.aborted) {
      const news = this.#jobs.news()
      for (const job of this.#jobs.reopened) {
        if (hasFailed(job) || serving.has(attemptOf(job))) continue
        const served = this.#serveAttempt(job, signal)
        served.catch(fault => this.#fatal.reject(fault))
        serving.set(attemptOf(job), served)
      }
      await Promise.race([news, stopped])
    }
    await Promise.allSettled(serving.values())
  }

  async #serveAttempt(job: Job, signal: AbortSignal): Promise<void> {
    const { id, attempt } = job
    const over = new AbortController()
    const isOver = (now: Job) => hasFailed(now) || now.attempt !== attempt
    this.#jobs.until(id, isOver, AbortSignal.any([signal, over.signal])).then(
      () => over.abort(),
      () => over.abort(),
    )
    const lane = await Lane.open(this.#options, job)
    this.#lanes = [...this.#lanes, lane]
    try {
      lane.join(this.#handlers)
      const published = await this.#jobs.until(id, now => now.state === 'ended', over.signal)
      await lane.untilDone(published, over.signal)
    } catch (error) {
      if (!over.signal.aborted) throw error
    } finally {
      over.abort()
      this.#lanes = this.#lanes.filter(other => other !== lane)
      await lane.close()
    }
  }

  /** Moves messages of one partition into its batcher, a little ahead of the classifier. */
  async #pump(held: AssignedPartition): Promise<void> {
    while (!held.queue.closed) {
      const { waiting, waitingBytes } = held.batcher
      if (waiting >= this.#options.batchRows || waitingBytes >= WAITING_BYTES) {
        await held.room()
        continue
      }
      const message = held.lane.feed.take(held.queue)
      if (!message) {
        await held.lane.feed.arrival()
        continue
      }
      held.inHand = true
      await this.#accept(held, message)
      held.inHand = false
      this.#serve()
    }
  }

  /** `deferred`: the message waited for its job, which is known now. */
  async #accept(held: AssignedPartition, message: Message, deferred = false): Promise<void> {
    const { lane } = held
    if (message.unreadable) return this.#reject(held, message, 'UNREADABLE', describeUnreadable(message))
    if (held.handOuts.isFatal(message.offset)) return this.#reject(held, message, 'POISON', FATAL)
    let record: Incoming | null
    try {
      record = await this.#read(held, message)
      if (!record) return
    } catch (error) {
      // Where its job cannot be read here either, this throws: workers with its schema registry can do the work.
      if (isOfUnknownSchema(error)) await this.#jobs.get(message.key?.toString() ?? '')
      if (lane.reopened) return held.batcher.pass(message.offset) // said in the first attempt
      return this.#reject(held, message, 'MALFORMED', toRowmillError(error).message)
    }
    if (lane.reopened && (!('job' in record.value) || record.value.job !== lane.reopened.id))
      return held.batcher.pass(message.offset)
    if (record.kind !== 'rows' && record.kind !== 'end' && record.kind !== 'json') {
      return this.#reject(held, message, 'MALFORMED', `a ${record.kind} record does not belong in ${held.queue.topic}`)
    }
    const { job: id } = record.value
    const job = this.#unknown.has(id) && !deferred ? undefined : this.#jobs.known(id)
    if (!job) return this.#unknown.defer(id, held, message)
    if (!lane.serves(job) || hasFailed(job) || this.#failed.has(attemptOf(job)))
      return held.batcher.pass(message.offset)
    const misplaced = misplacedIn(held.queue, job)
    if (misplaced !== null) return this.#reject(held, message, 'MALFORMED', misplaced)
    if (!job.sequenced) return this.#acceptUnsequenced(held, job, message, record)
    if (record.kind === 'json') {
      const flaw = `job ${job.id} numbers its rows, and a row in JSON has no number: publish it to a job of rowmill jobs open`
      return this.#reject(held, message, 'MALFORMED', flaw)
    }
    if (record.kind === 'end') {
      const flaw = held.batcher.flawOfEnd(record.value)
      if (flaw) return this.#failMalformed(held, job, message, flaw)
      return held.batcher.addEnd(message.offset, record.value)
    }
    const barrier = barrierOf(record.value)
    if (barrier) return held.batcher.addBarrier(message.offset, barrier)
    const flaw = flawOf(record.value, job, held.queue.partition)
    if (flaw) return this.#reject(held, message, 'MALFORMED', flaw)
    const { position } = placeOf(record.value.seq!, job)
    const behind = held.batcher.flawOfRows(record.value, position)
    if (behind) return this.#failMalformed(held, job, message, behind)
    held.batcher.addRows(message.offset, { head: record.value, bytes: message.value! }, position, held.done)
  }

  /** What the message is; null where its partition was lost before it could be read. Throws where it cannot be read. */
  async #read(held: AssignedPartition, { offset, value }: Message): Promise<Incoming | null> {
    const noted = held.handOuts.needsNote(value?.length ?? 0)
    if (noted) {
      held.handOuts.begin(offset)
      if (!(await held.lane.note(held))) return null
    }
    crashPoint('message-taken', value)
    try {
      return isJson(value) ? { kind: 'json', value: decodeJsonRow(value) } : decodeHead(value)
    } finally {
      if (noted) {
        held.handOuts.end(offset)
        await held.lane.note(held)
      }
    }
  }

  /** A row whose place is where it arrived: a message each, in JSON or as a rows message of one row. */
  async #acceptUnsequenced(
    held: AssignedPartition,
    job: Job,
    message: Message,
    record: Exclude<Incoming, { kind: 'job' | 'result' | 'reject' }>,
  ): Promise<void> {
    const { offset } = message
    if (record.kind === 'end') {
      return this.#reject(held, message, 'MALFORMED', `job ${job.id} has no end: its rows have no numbers`)
    }
    if (record.kind === 'rows' && (record.value.seq !== null || record.value.count !== 1)) {
      const flaw = `a message of job ${job.id} holds one row without a seq, this one ${record.value.count} from ${record.value.seq} on`
      return this.#reject(held, message, 'MALFORMED', flaw)
    }
    const row = unsequencedRow(job, record.kind === 'json' ? record.value : message.value!)
    held.batcher.addRows(offset, row, offset)
  }

  /** A job that contradicts itself: nobody knows what its output is. */
  async #failMalformed(held: AssignedPartition, job: Job, { offset }: Message, flaw: string): Promise<void> {
    const { topic, partition } = held.queue
    await this.#failJob(held, job, `${topic}[${partition}]@${offset}`, new RowmillError('ROW_MALFORMED', flaw))
    held.batcher.pass(offset)
  }

  /** What has no place in a result is told in `rejects`, and passed over once that is safe. */
  async #reject(held: AssignedPartition, message: Message, reason: string, why: string): Promise<void> {
    await this.#copyMessage(held, message, reason, why)
    if (message.unreadable) return // the feed has said it
    const { topic, partition } = held.queue
    const { rejects } = topicsOf(this.#options.pipeline)
    const detail = shortLine(why).replace(/\.+$/, '')
    this.#options.say(`${topic}[${partition}]@${message.offset}: ${reason} ${detail}; a copy is in ${rejects}`)
  }

  /** Puts a copy of a message into `rejects` and then passes over it. */
  async #copyMessage(
    held: AssignedPartition,
    { offset, value, unreadable }: Message,
    reason: string,
    why: string,
  ): Promise<void> {
    const { topic, partition } = held.queue
    const by = this.#options.name
    const none = { job: null, epoch: null, attempt: null, seq: null, line: null, values: null }
    const raw = value?.subarray(0, REJECTED_BYTES) ?? null
    const detail = shortLine(why)
    const first = unreadable?.first ?? offset
    const reject = encodeReject({ ...none, topic, partition, offset: first, index: 0, reason, detail, raw, by })
    const { rejects } = topicsOf(this.#options.pipeline)
    await this.#sender.send({ topic: rejects, partition: 0 }, { key: '', value: reject })
    held.batcher.pass(offset)
  }

  /** Gives the classifier what is there. */
  #serve(): void {
    for (const held of this.#assigned) this.#forwardMarkers(held)
    while (!this.#draining && this.#inClassifier < this.#options.classifier.ahead) {
      const held = this.#turns.next(this.#assigned)
      if (!held) return
      const batch = held.batcher.cutBatch(this.#rowsAtOnce(held))!
      held.makeRoom()
      void this.#classify(held, batch).catch(fault => this.#fatal.reject(fault))
      this.#forwardMarkers(held)
    }
  }

  /** A call with rows of a large job takes no longer than others may wait. */
  #rowsAtOnce({ bulk, batcher }: AssignedPartition): number {
    const { batchRows } = this.#options
    if (!bulk) return batchRows
    const next = batcher.next!
    return this.#pace.rowsAtOnce(next.job, next, batchRows)
  }

  #forwardMarkers(held: AssignedPartition): void {
    for (let marker = held.batcher.cutMarker(); marker; marker = held.batcher.cutMarker()) {
      if (marker.record.kind === 'end' && marker.record.value.total === 0 && marker.record.value.partition === 0) {
        const batch = emptyBatch(marker.record.value, marker.entry.offset)
        void this.#classify(held, batch).catch(fault => this.#fatal.reject(fault))
      }
      held.add(marker)
    }
    this.#sendSlots(held)
  }

  async #classify(held: AssignedPartition, batch: Batch): Promise<void> {
    const slot = held.add(batch)
    this.#inClassifier++
    // The job may be open in a later attempt by now: whose result this is, the lane knows.
    const job = { ...this.#jobs.peek(batch.job)!, attempt: held.lane.attempt }
    try {
      await this.#options.classifier.start()
      const sentAt = performance.now()
      slot.answer = await this.#options.classifier.classify(batch, job)
      this.#pace.answered(batch, sentAt, performance.now())
      crashPoint('batch-classified')
      this.#options.onBatch?.(batch.count)
    } catch (error) {
      if (error instanceof RowmillError && UNUSABLE.includes(error.code)) throw error
      await this.#failJob(held, job, describeBatch(batch), error)
      slot.skip = true
    } finally {
      this.#inClassifier--
      if (this.#inClassifier === 0) this.#idle.resolve()
    }
    this.#sendSlots(held)
    this.#serve()
  }

  async #failJob(held: AssignedPartition, job: Job, place: string, error: unknown): Promise<void> {
    const { code, message, facts } = toRowmillError(error)
    const named = new RowmillError(code, `job ${job.id}, ${place}: ${message}`, facts, { cause: error })
    await failJob(this.#sender, this.#options.pipeline, job, { error: named, place, by: this.#options.name })
    this.#failed.add(attemptOf(job))
    for (const open of new Set([held, ...held.lane.assigned])) open.drop(job.id)
  }

  /** Sends what is ready at the head of a partition, in order; what is acknowledged may be committed. */
  #sendSlots(held: AssignedPartition): void {
    for (let slot = held.takeReady(); slot; slot = held.takeReady()) {
      const sending = this.#send(held, slot)
      this.#sends.add(sending)
      sending.catch(fault => this.#fatal.reject(fault)).finally(() => this.#sends.delete(sending))
    }
  }

  async #send(held: AssignedPartition, { item, answer }: Slot): Promise<void> {
    const to = { topic: topicsOf(this.#options.pipeline).results, partition: held.queue.partition }
    if (item.kind === 'marker') {
      const { kind, value: given } = item.record
      const value = kind === 'end' ? encodeEndOfInput({ ...given, attempt: held.lane.attempt }) : encodeRows(given)
      await this.#sender.send(to, { key: given.job, value })
    } else {
      const { results, rejected } = answer!
      await Promise.all(results.map(value => this.#sender.send(to, { key: item.job, value })))
      await Promise.all(rejected.map(row => this.#copy(row, item, held)))
    }
    crashPoint('result-acked')
    held.batcher.settle(item)
  }

  /** The result says that a row was rejected; for whoever watches `rejects`, that topic says it too. */
  #copy({ seq, line, reason, detail, values }: Rejected, { job, epoch, offset }: Batch, held: AssignedPartition) {
    const { topic, partition } = held.queue
    const { attempt } = held.lane
    const said = { job, epoch, attempt, seq, line, reason, detail, values, raw: null, by: this.#options.name }
    const value = encodeReject({ ...said, topic, partition, offset, index: 0 })
    return this.#sender.send({ topic: topicsOf(this.#options.pipeline).rejects, partition: 0 }, { key: job, value })
  }

  async #drain(): Promise<void> {
    this.#draining = true
    while (this.#inClassifier > 0) {
      this.#idle = Promise.withResolvers<void>()
      await this.#idle.promise
    }
    await Promise.all(this.#sends)
  }
}

/** Text of others, as it may stand in a log: short, and in one line. */
function shortLine(text: string): string {
  return printableLine(text.length > REJECTED_CHARS ? `${text.slice(0, REJECTED_CHARS)}...` : text)
}

function attemptOf({ id, attempt }: Job): string {
  return `${id}/${attempt}`
}

/** A job without rows asks the classifier once all the same: only it knows the columns of the output. */
function emptyBatch({ job, epoch, from }: EndOfInput, offset: number): Batch {
  return { kind: 'batch', job, epoch, from, first: 0, offset, count: 0, parts: [] }
}

/** Why a message here cannot be one of this job, or null. Rows without a sequence come in any partition. */
function misplacedIn({ topic, partition }: { topic: string; partition: number }, job: Job): string | null {
  if (topic !== job.topic) return `rows of job ${job.id} belong in ${job.topic}`
  return partition < job.partitions || !job.sequenced ? null : `job ${job.id} has ${job.partitions} partitions`
}

/** Why these rows cannot be rows of this job in this partition, or null. */
function flawOf({ seq, count }: RowsHead, job: Job, partition: number): string | null {
  return seq === null ? 'rows without a seq in a sequenced job' : misplacement(seq, count, { partition, layout: job })
}
