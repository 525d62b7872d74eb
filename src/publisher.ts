import { encodeEndOfInput, encodeRows } from './codec.ts'
import type { Source, SourceHeader } from './connector.ts'
import { crashPoint } from './crash-point.ts'
import { EXIT_CODES, RowmillError, toRowmillError } from './errors.ts'
import { appendJob, failJob, hasFailed, type JobLog, jobFailure, tellFailure } from './jobs.ts'
import type { Kafka } from './kafka.ts'
import { type Job, type JobOption, optionOf, type Rows, type SourceIdentity, type Values } from './model.ts'
import type { Say } from './outage.ts'
import { rowBytes } from './packed-rows.ts'
import { PartitionSender } from './partition-sender.ts'
import { findPublished, type Published } from './published-rows.ts'
import { type Layout, placeOf, rowsInPartition, rowsLeftInBlock } from './sequence.ts'
import { topicsOf } from './topics.ts'

/** Rows that were read and are not acknowledged yet. */
const IN_FLIGHT_BYTES = 2 * 1024 * 1024
/** A rows message is cut here; a longer row travels alone. */
const MESSAGE_BYTES = 256 * 1024
/** A job with more rows makes others wait, so it waits for them. */
const SMALL_JOB_ROWS = 1000

export interface PublishOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly jobs: JobLog
  readonly job: string
  readonly layout: Layout
  /** Whether the pipeline has the topic `bulk`, as those that others may use too have. Default: no. */
  readonly bulk?: boolean
  /** Options for the job record beside those of the source. */
  readonly options: readonly JobOption[]
  readonly by: string
  readonly say: Say
  readonly signal: AbortSignal
  /** Called once, before the job record is sent: from then on there is a job to go on with. */
  onOpen?(): Promise<void> | void
  /** Called now and then with the rows acknowledged so far and, where known, of how many. */
  onProgress?(rows: number, total: number | null): void
}

/**
 * Publishes a source as one job: the job record, its rows, an end of input in every partition, and the job's end.
 * The source is open; `header` is what it said. A job that the same file began under the same options goes on where it
 * stopped: what is in the topic already is not sent again. Returns the number of rows. Throws JOB_EXISTS where the id was
 * used for anything else, and what the job failed with; says in `jobs` that the job failed where the source breaks.
 */
export async function publish(source: Source, header: SourceHeader, options: PublishOptions): Promise<number> {
  const { kafka, pipeline, jobs, say, signal } = options
  const before = await jobs.latest(options.job)
  if (before) checkSame(before, header, options)
  if (before && hasFailed(before)) throw jobFailure(before)
  if (before?.state === 'ended') {
    say(`job ${before.id} is published already: ${before.total} rows`)
    options.onProgress?.(before.total!, before.total)
    return before.total!
  }
  const sender = new PartitionSender(await kafka.producer(), say)
  const stop = () => void sender.close(signal.reason).catch(() => {}) // who waits for an acknowledgement is let go
  signal.addEventListener('abort', stop, { once: true })
  try {
    const job = before ?? (await openJob(header, options))
    signal.throwIfAborted()
    await options.onOpen?.()
    if (!before) await appendJob(sender, pipeline, job)
    crashPoint('job-opened')
    try {
      const published = before ? await findPublished(kafka, job, { say, signal }) : []
      return await new Publication(job, published, sender, options).run(source)
    } catch (error) {
      if (signal.aborted && header.identity === null) await cancel(job, options)
      signal.throwIfAborted()
      if (endsJob(error)) await failJob(sender, pipeline, job, { error, place: null, by: options.by })
      throw error
    }
  } finally {
    signal.removeEventListener('abort', stop)
    await sender.close()
  }
}

/** Ends a job whose rows cannot be read again: nobody could go on with it, and everybody would wait. */
function cancel(job: Job, options: PublishOptions): Promise<void> {
  const message = `job ${job.id} was cancelled: its publisher was stopped, and its input can be read only once`
  const error = new RowmillError('JOB_CANCELLED', message, { job: job.id })
  return tellFailure(options, job, { error, place: null, by: options.by, state: 'cancelled' })
}

/** What another publisher of the job would meet too, and nobody has said yet. */
function endsJob(error: unknown): boolean {
  const { facts, exitCode } = toRowmillError(error)
  return !facts['told'] && exitCode !== EXIT_CODES.BROKER_UNREACHABLE
}

/** Throws JOB_EXISTS unless the job that has the id was begun with this file, and with these options. */
function checkSame(job: Job, header: SourceHeader, { pipeline, options }: PublishOptions): void {
  const refuse = (why: string) => {
    const message = `job ${job.id} exists already in pipeline ${pipeline}, ${why}: a job id is used once, choose another --job`
    return new RowmillError('JOB_EXISTS', message, { job: job.id })
  }
  const { source: begun } = job
  const now = header.identity
  if (!begun || !now) throw refuse('and input that is read only once cannot go on')
  const same = begun.name === now.name && begun.size === now.size && begun.mtimeMs === now.mtimeMs
  if (!same) throw refuse(`begun with ${describeFile(begun)}, and this is ${describeFile(now)}`)
  const others = differing(
    [...job.options, { name: 'indexKind', value: `${job.indexKind}` }],
    [...[...header.options, ...options], { name: 'indexKind', value: `${header.indexKind}` }],
  )
  if (others.length > 0) throw refuse(`begun with other options (${others.join(', ')})`)
}

function describeFile({ name, size, mtimeMs }: SourceIdentity): string {
  return `${name} (${size} bytes, changed ${new Date(mtimeMs).toISOString()})`
}

/** The names of the options that are not the same in both. */
function differing(before: readonly JobOption[], now: readonly JobOption[]): string[] {
  const names = new Set([...before, ...now].map(({ name }) => name))
  return [...names].filter(name => optionOf(before, name) !== optionOf(now, name))
}

async function openJob(
  header: SourceHeader,
  { kafka, pipeline, layout, bulk = false, by, job, options }: PublishOptions,
): Promise<Job> {
  const topics = topicsOf(pipeline)
  const topic = bulk && (header.total ?? Number.POSITIVE_INFINITY) > SMALL_JOB_ROWS ? topics.bulk : topics.rows
  const reader = await kafka.reader([topic, topics.results])
  try {
    return {
      id: job,
      epoch: 0,
      attempt: 0,
      state: 'open',
      reason: null,
      columns: header.columns,
      sequenced: true,
      bounded: true,
      partitions: layout.partitions,
      blockRows: layout.blockRows,
      topic,
      from: 0,
      total: header.total,
      rowsFrom: await reader.ends(topic, layout.partitions),
      resultsFrom: await reader.ends(topics.results, layout.partitions),
      source: header.identity,
      indexKind: header.indexKind,
      options: [...header.options, ...options],
      at: Date.now(),
      by,
    }
  } finally {
    await reader.close()
  }
}

/** The rows of one job on their way to the broker. */
class Publication {
  readonly #job: Job
  /** What an earlier publisher of the job left in the topic, by partition. */
  readonly #published: readonly Published[]
  readonly #sender: PartitionSender
  readonly #options: PublishOptions
  #seq = 0
  #acked = 0
  #run: { rows: Values[]; lines: number[]; bytes: number } = { rows: [], lines: [], bytes: 0 }
  #fault: unknown = null

  constructor(job: Job, published: readonly Published[], sender: PartitionSender, options: PublishOptions) {
    this.#job = job
    this.#published = published
    this.#sender = sender
    this.#options = options
  }

  async run(source: Source): Promise<number> {
    const { signal } = this.#options
    for await (const { rows, lines } of source.rows(null)) {
      for (let i = 0; i < rows.length; i++) this.#add(rows[i]!, lines[i]!)
      await this.#sender.room(IN_FLIGHT_BYTES)
      signal.throwIfAborted()
      this.#throwFault()
    }
    signal.throwIfAborted() // a source that was closed ends like one that is at its end
    this.#send()
    await this.#sender.room(1)
    this.#throwFault()
    await this.#end()
    return this.#seq
  }

  #add(row: Values, line: number): void {
    const bytes = rowBytes(row)
    if (this.#run.rows.length > 0 && this.#run.bytes + bytes > MESSAGE_BYTES) this.#send()
    this.#run.rows.push(row)
    this.#run.lines.push(line)
    this.#run.bytes += bytes
    if (this.#run.rows.length === rowsLeftInBlock(this.#seq, this.#job)) this.#send()
  }

  #send(): void {
    const { rows, lines, bytes } = this.#run
    if (rows.length === 0) return
    this.#run = { rows: [], lines: [], bytes: 0 }
    const { id, epoch, from, topic } = this.#job
    const count = rows.length // all that is kept of the rows until they are acknowledged
    const line = { line: lines[0]!, lineSteps: lineSteps(lines) }
    const message: Rows = { job: id, epoch, from, seq: this.#seq, count, ...line, rows }
    const { partition, position } = placeOf(this.#seq, this.#job)
    this.#seq += count
    if (position + count <= (this.#published[partition]?.rows ?? 0)) {
      this.#acked += count
      return
    }
    this.#sender.send({ topic, partition }, { key: id, value: encodeRows(message, bytes) }).then(
      () => {
        crashPoint('rows-acked')
        this.#acked += count
        this.#options.onProgress?.(this.#acked, this.#job.total)
      },
      fault => {
        this.#fault ??= fault
      },
    )
  }

  async #end(): Promise<void> {
    const { id, epoch, attempt, from, topic, partitions } = this.#job
    const total = this.#seq
    const open = Array.from({ length: partitions }, (_, partition) => partition).filter(
      partition => !this.#published[partition]?.ended,
    )
    const ends = open.map(partition => {
      const rows = rowsInPartition(partition, total, this.#job)
      const value = encodeEndOfInput({ job: id, epoch, from, attempt, partition, rows, total, refused: 0 })
      return this.#sender.send({ topic, partition }, { key: id, value }).then(() => crashPoint('end-acked'))
    })
    await Promise.all(ends)
    crashPoint('ends-acked')
    await appendJob(this.#sender, this.#options.pipeline, { ...this.#job, state: 'ended', total, at: Date.now() })
  }

  #throwFault(): void {
    if (this.#fault) throw this.#fault
    const job = this.#options.jobs.peek(this.#job.id)
    if (job && hasFailed(job)) throw jobFailure(job)
  }
}

function lineSteps(lines: readonly number[]): number[] | null {
  const steps = lines.map((line, i) => (lines[i + 1] ?? line + 1) - line)
  return steps.every(step => step === 1) ? null : steps
}
