import { AssignedPartition, type Slot } from './assigned-partition.ts'
import { type Batch, describeBatch, type Marker } from './batcher.ts'
import type { BatchClassifier } from './classifier/boundary.ts'
import { encodeEndOfInput, encodeReject, isOfUnknownSchema } from './codec.ts'
import { crashPoint } from './crash-point.ts'
import { type ErrorCode, RowmillError, toRowmillError } from './errors.ts'
import { failJob, hasFailed, JobLog } from './jobs.ts'
import type { GroupMember, Kafka, Message, Position } from './kafka.ts'
import type { Job, Rejected } from './model.ts'
import type { Say } from './outage.ts'
import { PartitionFeed } from './partition-feed.ts'
import { PartitionSender } from './partition-sender.ts'
import { decodeHead, type RowsHead } from './rows-head.ts'
import { misplacement, placeOf } from './sequence.ts'
import { topicsOf, workersGroup } from './topics.ts'

const COMMIT_EVERY_MS = 250
/** What a reject keeps of a message that could not be read. */
const REJECTED_BYTES = 64 * 1024
/** What no other batch and no other job would cure: the worker ends. */
const UNUSABLE: readonly ErrorCode[] = ['PYTHON_UNUSABLE', 'CLASSIFIER_NOT_FOUND', 'CLASSIFIER_UNLOADABLE']
/** How long a row waits for the job record it belongs to. */
const UNKNOWN_JOB_MS = 5000

export interface WorkerOptions {
  readonly kafka: Kafka
  readonly pipeline: string
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
 * read again from the committed offsets. Only what is acknowledged in `results` is committed.
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #jobs: JobLog
  readonly #feed: PartitionFeed
  readonly #member: GroupMember
  readonly #sender: PartitionSender
  readonly #fatal = Promise.withResolvers<never>()
  #assigned: AssignedPartition[] = []
  #turn = 0
  #inClassifier = 0
  readonly #sends = new Set<Promise<void>>()
  /** Attempts of jobs that failed here: `jobs` tells it back only a little later. */
  readonly #failed = new Set<string>()
  /** Jobs whose record was waited for in vain: their other rows wait no longer. */
  readonly #unknown = new Set<string>()
  #idle = Promise.withResolvers<void>()
  #draining = false
  #groupLost = false

  private constructor(
    options: WorkerOptions,
    parts: { jobs: JobLog; feed: PartitionFeed; member: GroupMember; sender: PartitionSender },
  ) {
    this.#options = options
    this.#jobs = parts.jobs
    this.#feed = parts.feed
    this.#member = parts.member
    this.#sender = parts.sender
    this.#fatal.promise.catch(() => {})
  }

  /** Connects to the broker; the classifier may still be starting. */
  static async open(options: WorkerOptions): Promise<Worker> {
    const { kafka, pipeline, say } = options
    const { rows } = topicsOf(pipeline)
    const [jobs, feed, member, producer] = await Promise.all([
      JobLog.open(kafka, pipeline, say),
      PartitionFeed.open(kafka, [rows], say),
      kafka.member(workersGroup(pipeline), [rows]),
      kafka.producer(),
    ])
    return new Worker(options, { jobs, feed, member, sender: new PartitionSender(producer, say) })
  }

  /** Works until `signal` aborts; then finishes the batches in hand, commits and leaves the group. */
  async run(signal: AbortSignal): Promise<void> {
    const leave = new AbortController()
    const membership = this.#member.run(
      {
        onAssigned: positions => this.#assign(positions),
        onRebalance: () => this.#commit().catch(() => {}), // the next owner begins a little earlier
        onTrouble: error => this.#lostGroup(error),
      },
      leave.signal,
    )
    const commits = setInterval(() => void this.#commit().catch(() => {}), COMMIT_EVERY_MS)
    const asked = new Promise<void>(resolve => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    try {
      await Promise.race([asked, this.#fatal.promise])
      await Promise.race([this.#drain(), this.#fatal.promise])
      await this.#commit().catch(() => {})
    } finally {
      clearInterval(commits)
      leave.abort()
      await membership
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#feed.close(), this.#jobs.close(), this.#sender.close(), this.#member.close()])
  }

  /** Said once: it goes on trying, and says when it is back. */
  #lostGroup({ message }: Error): void {
    if (!this.#groupLost) this.#options.say(`worker ${this.#options.name} lost its group: ${message}. Trying again`)
    this.#groupLost = true
  }

  async #assign(positions: readonly Position[]): Promise<void> {
    if (this.#groupLost) this.#options.say(`worker ${this.#options.name} is back in its group`)
    this.#groupLost = false
    if (positions.length === 0) {
      const { rows } = topicsOf(this.#options.pipeline)
      this.#options.say(`worker ${this.#options.name} stays idle: other workers have all partitions of ${rows}`)
    }
    const queues = await this.#feed.assign(positions)
    for (const held of this.#assigned) held.makeRoom()
    this.#assigned = queues.map(queue => new AssignedPartition(queue))
    for (const held of this.#assigned) {
      void this.#pump(held).catch(fault => {
        if (!held.queue.closed) this.#fatal.reject(fault)
      })
    }
  }

  /** Moves messages of one partition into its batcher, a little ahead of the classifier. */
  async #pump(held: AssignedPartition): Promise<void> {
    while (!held.queue.closed) {
      if (held.batcher.waiting >= this.#options.batchRows) {
        await held.room()
        continue
      }
      const message = this.#feed.take(held.queue)
      if (!message) {
        await this.#feed.arrival()
        continue
      }
      await this.#accept(held, message)
      this.#serve()
    }
  }

  async #accept(held: AssignedPartition, message: Message): Promise<void> {
    let record: ReturnType<typeof decodeHead>
    try {
      record = decodeHead(message.value)
    } catch (error) {
      // Where its job cannot be read here either, this throws: workers with its schema registry can do the work.
      if (isOfUnknownSchema(error)) await this.#jobs.get(message.key?.toString() ?? '')
      return this.#reject(held, message, 'MALFORMED', toRowmillError(error).message)
    }
    if (record.kind !== 'rows' && record.kind !== 'end') {
      return this.#reject(held, message, 'MALFORMED', `a ${record.kind} record does not belong in ${held.queue.topic}`)
    }
    const job = await this.#findJob(record.value.job)
    if (!job) return this.#reject(held, message, 'UNKNOWN_JOB', `no job ${record.value.job} in ${this.#jobs.topic}`)
    if (hasFailed(job) || this.#failed.has(attemptOf(job))) return held.batcher.pass(message.offset)
    if (record.kind === 'end') return held.batcher.addEnd(message.offset, record.value)
    const flaw = flawOf(record.value, job, held.queue.partition)
    if (flaw) return this.#reject(held, message, 'MALFORMED', flaw)
    const rows = { head: record.value, bytes: message.value! }
    held.batcher.addRows(message.offset, rows, placeOf(record.value.seq!, job).position)
  }

  async #findJob(id: string): Promise<Job | undefined> {
    const known = await this.#jobs.get(id)
    if (known || this.#unknown.has(id)) return known
    const late = await this.#jobs.until(id, () => true, AbortSignal.timeout(UNKNOWN_JOB_MS)).catch(() => undefined)
    if (!late) this.#unknown.add(id)
    return late
  }

  /** What has no place in a result is told in `rejects`, and passed over once that is safe. */
  async #reject(held: AssignedPartition, { offset, value }: Message, reason: string, detail: string): Promise<void> {
    const { topic, partition } = held.queue
    const by = this.#options.name
    const none = { job: null, epoch: null, attempt: null, seq: null, line: null, values: null }
    const raw = value?.subarray(0, REJECTED_BYTES) ?? null
    const reject = encodeReject({ ...none, topic, partition, offset, index: 0, reason, detail, raw, by })
    const { rejects } = topicsOf(this.#options.pipeline)
    await this.#sender.send({ topic: rejects, partition: 0 }, { key: '', value: reject })
    held.batcher.pass(offset)
    this.#options.say(`${topic}[${partition}]@${offset}: ${reason} ${detail}; a copy is in ${rejects}`)
  }

  /** Gives the classifier what is there, one partition after the other. */
  #serve(): void {
    for (const held of this.#assigned) this.#forwardMarkers(held)
    while (!this.#draining && this.#inClassifier < this.#options.classifier.ahead) {
      const held = this.#nextWithRows()
      if (!held) return
      const batch = held.batcher.cutBatch(this.#options.batchRows)!
      held.makeRoom()
      void this.#classify(held, batch).catch(fault => this.#fatal.reject(fault))
      this.#forwardMarkers(held)
    }
  }

  #nextWithRows(): AssignedPartition | undefined {
    for (let i = 0; i < this.#assigned.length; i++) {
      const held = this.#assigned[(this.#turn + i) % this.#assigned.length]!
      if (held.batcher.waiting === 0) continue
      this.#turn = (this.#turn + i + 1) % this.#assigned.length
      return held
    }
    return undefined
  }

  #forwardMarkers(held: AssignedPartition): void {
    for (let marker = held.batcher.cutMarker(); marker; marker = held.batcher.cutMarker()) {
      const { total, partition } = marker.end
      if (total === 0 && partition === 0) {
        void this.#classify(held, emptyBatch(marker)).catch(fault => this.#fatal.reject(fault))
      }
      held.add(marker)
    }
    this.#sendSlots(held)
  }

  async #classify(held: AssignedPartition, batch: Batch): Promise<void> {
    const slot = held.add(batch)
    this.#inClassifier++
    const job = this.#jobs.peek(batch.job)!
    try {
      await this.#options.classifier.start()
      slot.answer = await this.#options.classifier.classify(batch, job)
      crashPoint('batch-classified')
      this.#options.onBatch?.(batch.count)
    } catch (error) {
      if (error instanceof RowmillError && UNUSABLE.includes(error.code)) throw error
      await this.#failJob(held, job, batch, error)
      slot.skip = true
    } finally {
      this.#inClassifier--
      if (this.#inClassifier === 0) this.#idle.resolve()
    }
    this.#sendSlots(held)
    this.#serve()
  }

  async #failJob(held: AssignedPartition, job: Job, batch: Batch, error: unknown): Promise<void> {
    const place = describeBatch(batch)
    const { code, message, facts } = toRowmillError(error)
    const named = new RowmillError(code, `job ${job.id}, ${place}: ${message}`, facts, { cause: error })
    await failJob(this.#sender, this.#options.pipeline, job, { error: named, place, by: this.#options.name })
    this.#failed.add(attemptOf(job))
    for (const open of new Set([held, ...this.#assigned])) open.drop(job.id)
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
      await this.#sender.send(to, { key: item.end.job, value: encodeEndOfInput(item.end) })
    } else {
      const { results, rejected } = answer!
      await Promise.all(results.map(value => this.#sender.send(to, { key: item.job, value })))
      await Promise.all(rejected.map(row => this.#copy(row, item, held)))
    }
    crashPoint('result-acked')
    held.batcher.settle(item)
  }

  /** The result says that a row was rejected; for whoever watches `rejects`, that topic says it too. */
  #copy({ seq, line, reason, detail, values }: Rejected, { job, epoch, offset }: Batch, { queue }: AssignedPartition) {
    const { topic, partition } = queue
    const { attempt } = this.#jobs.peek(job)!
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

  async #commit(): Promise<void> {
    const now = Date.now()
    const due = this.#assigned.filter(held => held.commitIsDue(now))
    if (due.length === 0) return
    const positions = due.map(held => held.toCommit)
    await this.#member.commit(positions)
    crashPoint('committed')
    due.forEach((held, i) => {
      held.noteCommit(positions[i]!.offset, now)
    })
  }
}

function attemptOf({ id, attempt }: Job): string {
  return `${id}/${attempt}`
}

/** A job without rows asks the classifier once all the same: only it knows the columns of the output. */
function emptyBatch({ end: { job, epoch, from }, entry: { offset } }: Marker): Batch {
  return { kind: 'batch', job, epoch, from, first: 0, offset, count: 0, parts: [] }
}

/** Why these rows cannot be rows of this job in this partition, or null. */
function flawOf({ seq, count }: RowsHead, job: Job, partition: number): string | null {
  return seq === null ? 'rows without a seq in a sequenced job' : misplacement(seq, count, { partition, layout: job })
}
