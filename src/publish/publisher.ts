import type { PackedSourceRows, Source } from '../connector.ts'
import { hasFailed, jobFailure } from '../core/job.ts'
import { placeOf, rowsInPartition, rowsLeftInBlock } from '../core/sequence.ts'
import { EXIT_CODES, RowmillError, toRowmillError } from '../errors.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job, Values } from '../model.ts'
import { appendJob, failJob, tellFailure } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { checkSameFile } from '../pipeline/same-job.ts'
import { longestRow } from '../pipeline/topics.ts'
import { counted } from '../support/counted.ts'
import { crashPoint } from '../support/crash-point.ts'
import { freeBytes } from '../support/free-bytes.ts'
import type { Say } from '../support/say.ts'
import type { JobSpan } from '../tracing/job-span.ts'
import { encodeEndOfInput, encodePackedRows, encodeRows } from '../wire/codec.ts'
import { packedPiecesOf } from '../wire/packed-source.ts'
import { RowCursor } from '../wire/row-cursor.ts'
import { claimJob, firstRecord } from './claim-job.ts'
import type { PublishOptions } from './publish-options.ts'
import { findPublished, type Published } from './published-rows.ts'
import { checkRow, checkRowsFit, type RowLimit } from './row-limit.ts'

/** How many bytes of rows may be read and not acknowledged yet. */
const IN_FLIGHT_BYTES = 2 * 1024 * 1024
/** The size of a rows message. A longer row travels alone. */
const MESSAGE_BYTES = 256 * 1024

/**
 * Publishes a source, which is open, as one job, and tells the source when all of it is in Kafka: the job record, its rows, an
 * end of input in every partition, and the job's end. If the same source began the job under the same options, it resumes
 * the job: it sends only what the topic does not have yet. Returns the number of rows. If the source breaks, it records in
 * `jobs` that the job failed. Throws the failure of the job. Throws JOB_EXISTS before it sends a row, if the id belongs to
 * anything else, or to a publisher that began it at the same moment.
 */
export async function publish(context: PipelineContext, source: Source, options: PublishOptions): Promise<number> {
  const { tracing = null } = context
  const what = { action: 'publish', job: options.job } as const
  const rows = tracing
    ? await tracing.job(what, span => publishRows(context, source, { ...options, span }))
    : await publishRows(context, source, { ...options, span: null })
  await source.published?.()
  return rows
}

/** `span`: where tracing is on. */
type TracedOptions = PublishOptions & { readonly span: JobSpan | null }

async function publishRows(context: PipelineContext, source: Source, options: TracedOptions): Promise<number> {
  const { kafka, pipeline, jobs, say, signal } = context
  const found = await jobs.latest(options.job)
  if (found) {
    checkSameFile(found, options.header, { pipeline, options: options.options })
    const total = endedWith(found, say, options)
    if (total !== null) return total
  }
  const sender = new PartitionSender(await kafka.producer(), say)
  const stop = () => void sender.close(signal.reason).catch(() => {}) // ends the waits for acknowledgements
  signal.addEventListener('abort', stop, { once: true })
  try {
    const first = found ?? (await firstRecord(context, options))
    const limit = { topic: first.topic, bytes: await longestRow(kafka, first.topic) }
    await checkRowsFit(source, { header: options.header, limit })
    signal.throwIfAborted()
    await options.onOpen?.()
    const job = found ?? (await claimJob(context, first, { sender, options }))
    const isNew = !found && job === first
    const total = endedWith(job, say, options)
    if (total !== null) return total
    options.onHeld?.()
    try {
      const published = isNew ? [] : await findPublished(context, job)
      const rows = await new Publication(context, job, { published, sender, options, limit }).run(source)
      options.span?.count({ rows })
      return rows
    } catch (error) {
      if (signal.aborted && options.header.identity === null) await cancel(context, job, options.by)
      signal.throwIfAborted()
      if (endsJob(error)) await failJob(sender, pipeline, job, { error, place: null, by: options.by })
      throw error
    }
  } finally {
    signal.removeEventListener('abort', stop)
    await sender.close()
  }
}

/** The number of rows of a job that was published before. Null: it was not. Throws the failure of the job. */
function endedWith(job: Job, say: Say, { onHeld, onProgress }: PublishOptions): number | null {
  if (hasFailed(job)) throw jobFailure(job)
  if (job.state !== 'ended') return null
  onHeld?.()
  say(`job ${job.id} is published already: ${counted(job.total!, 'row')}`, { job: job.id })
  onProgress?.(job.total!, job.total)
  return job.total
}

/** Ends a job whose rows cannot be read again: nobody could resume it, and its readers would wait for ever. */
function cancel(context: PipelineContext, job: Job, by: string): Promise<void> {
  const message = `job ${job.id} was cancelled: its publisher was stopped, and its input can be read only once`
  const error = new RowmillError('JOB_CANCELLED', message, { job: job.id })
  return tellFailure(context, job, { error, place: null, by, state: 'cancelled' })
}

/** Whether another publisher of the job would meet the same error, and `jobs` does not have it yet. */
function endsJob(error: unknown): boolean {
  const { code, facts, exitCode } = toRowmillError(error)
  return !facts['told'] && code !== 'READER_DIED' && exitCode !== EXIT_CODES.BROKER_UNREACHABLE
}

const NO_ROWS = new Uint8Array(0)

/** The rows that wait for more of their message. */
interface NextMessage {
  /** Their bytes, as in `PackedRows`. */
  readonly parts: Uint8Array[]
  readonly lines: (number | null)[]
  /** The bytes of all rows, with those that are not in `parts` yet. */
  bytes: number
}

/** The rows of one job on their way to the broker. */
class Publication {
  readonly #context: PipelineContext
  readonly #job: Job
  /** What earlier publishers of the job sent, by partition. */
  readonly #published: readonly Published[]
  readonly #sender: PartitionSender
  readonly #options: TracedOptions
  readonly #limit: RowLimit
  /** The size of a rows message, which the topic and the client may limit further. */
  readonly #messageBytes: number
  #seq = 0
  #acked = 0
  #message: NextMessage = { parts: [], lines: [], bytes: 0 }
  #fault: unknown = null

  constructor(
    context: PipelineContext,
    job: Job,
    parts: { published: readonly Published[]; sender: PartitionSender; options: TracedOptions; limit: RowLimit },
  ) {
    this.#context = context
    this.#job = job
    this.#published = parts.published
    this.#sender = parts.sender
    this.#options = parts.options
    this.#limit = parts.limit
    this.#messageBytes = Math.min(MESSAGE_BYTES, parts.limit.bytes)
  }

  async run(source: Source): Promise<number> {
    const { signal } = this.#context
    for await (const piece of packedPiecesOf(source)) {
      if ('packed' in piece) this.#add(piece)
      else this.#refuse(piece.rows)
      await this.#sender.room(IN_FLIGHT_BYTES)
      signal.throwIfAborted()
      this.#throwFault()
    }
    signal.throwIfAborted() // a source that is closed ends as if it were complete
    this.#send(NO_ROWS)
    await this.#sender.room(1)
    this.#throwFault()
    await this.#end()
    return this.#seq
  }

  #add({ packed, lines }: PackedSourceRows): void {
    const row = new RowCursor(packed)
    const { bytes } = row
    let start = 0
    for (let i = 0; row.next(); i++) {
      const size = row.end - row.from
      const line = lines?.[i] ?? null
      const message = this.#message
      if (size > this.#limit.bytes) {
        const seq = this.#seq + message.lines.length
        checkRow(size, { seq, line }, { header: this.#options.header, limit: this.#limit })
      }
      if (message.lines.length > 0 && message.bytes + size > this.#messageBytes) {
        this.#send(bytes.subarray(start, row.from))
        start = row.from
      }
      const { lines: sent } = this.#message
      sent.push(line)
      this.#message.bytes += size
      if (sent.length < rowsLeftInBlock(this.#seq, this.#job)) continue
      this.#send(bytes.subarray(start, row.end))
      start = row.end
    }
    // The source may overwrite these bytes.
    if (start < bytes.length) this.#message.parts.push(Uint8Array.prototype.slice.call(bytes, start))
  }

  /** Throws what is wrong with rows that cannot be packed. */
  #refuse(rows: readonly Values[]): never {
    const { id, epoch, from } = this.#job
    const [seq, count] = [this.#seq + this.#message.lines.length, rows.length]
    encodeRows({ job: id, epoch, from, seq, count, line: null, lineSteps: null, rows })
    throw new RowmillError('INTERNAL', `rows from ${seq} on could not be packed.`)
  }

  /** `last` are the last rows of the message. */
  #send(last: Uint8Array): void {
    const { parts, lines } = this.#message
    if (lines.length === 0) return
    this.#message = { parts: [], lines: [], bytes: 0 }
    const { id, epoch, from, topic } = this.#job
    const count = lines.length
    const head = { job: id, epoch, from, seq: this.#seq, count, line: lines[0]!, lineSteps: lineSteps(lines) }
    const { partition, position } = placeOf(this.#seq, this.#job)
    this.#seq += count
    if (position + count <= (this.#published[partition]?.rows ?? 0)) {
      this.#acked += count
      return
    }
    this.#options.onSent?.(this.#seq)
    const value = encodePackedRows(head, [...parts, last])
    const headers = this.#options.span?.headers ?? null
    this.#sender.send({ topic, partition }, { key: id, value, headers }).then(
      () => {
        crashPoint('rows-acked')
        freeBytes(value)
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
      const value = encodeEndOfInput({ job: id, epoch, from, attempt, partition, rows, total })
      return this.#sender.send({ topic, partition }, { key: id, value }).then(() => crashPoint('end-acked'))
    })
    await Promise.all(ends)
    crashPoint('ends-acked')
    await appendJob(this.#sender, this.#context.pipeline, { ...this.#job, state: 'ended', total, at: Date.now() })
  }

  #throwFault(): void {
    if (this.#fault) throw this.#fault
    const job = this.#context.jobs.peek(this.#job.id)
    if (job && hasFailed(job)) throw jobFailure(job)
  }
}

function lineSteps(lines: readonly (number | null)[]): number[] | null {
  const steps = lines.map((line, i) => (line === null ? 1 : (lines[i + 1] ?? line + 1) - line))
  return steps.every(step => step === 1) ? null : steps
}
