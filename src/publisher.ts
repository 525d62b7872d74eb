import { encodeEndOfInput, encodeRows } from './codec.ts'
import type { Source, SourceHeader } from './connector.ts'
import { RowmillError } from './errors.ts'
import { appendJob, failJob, hasFailed, type JobLog, jobFailure } from './jobs.ts'
import type { Kafka } from './kafka.ts'
import type { Job, JobOption, Rows, Values } from './model.ts'
import type { Say } from './outage.ts'
import { rowBytes } from './packed-rows.ts'
import { PartitionSender } from './partition-sender.ts'
import { type Layout, partitionOf, rowsInPartition, rowsLeftInBlock } from './sequence.ts'
import { topicsOf } from './topics.ts'

/** Rows that were read and are not acknowledged yet. */
const IN_FLIGHT_BYTES = 2 * 1024 * 1024
/** A rows message is cut here; a longer row travels alone. */
const MESSAGE_BYTES = 256 * 1024

export interface PublishOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly jobs: JobLog
  readonly job: string
  readonly layout: Layout
  /** Options for the job record beside those of the source. */
  readonly options: readonly JobOption[]
  readonly by: string
  readonly say: Say
  readonly signal: AbortSignal
  /** Called now and then with the rows acknowledged so far and, where known, of how many. */
  onProgress?(rows: number, total: number | null): void
}

/**
 * Publishes a source as one job: the job record, its rows, an end of input in every partition, and the job's end.
 * The source is open; `header` is what it said. Returns the number of rows. Throws JOB_EXISTS where the id was used
 * before; says in `jobs` that the job failed where the source breaks.
 */
export async function publish(source: Source, header: SourceHeader, options: PublishOptions): Promise<number> {
  const { kafka, pipeline, jobs, say, signal } = options
  if (await jobs.get(options.job)) {
    const message = `job ${options.job} exists already in pipeline ${pipeline}: a job id is used once, choose another --job`
    throw new RowmillError('JOB_EXISTS', message, { job: options.job })
  }
  const sender = new PartitionSender(await kafka.producer(), say)
  const stop = () => void sender.close(signal.reason).catch(() => {}) // who waits for an acknowledgement is let go
  signal.addEventListener('abort', stop, { once: true })
  try {
    const job = await openJob(header, options)
    signal.throwIfAborted()
    await appendJob(sender, pipeline, job)
    try {
      return await new Publication(job, sender, options).run(source)
    } catch (error) {
      signal.throwIfAborted()
      const told = error instanceof RowmillError && error.facts['told']
      if (!told) await failJob(sender, pipeline, job, { error, place: null, by: options.by })
      throw error
    }
  } finally {
    signal.removeEventListener('abort', stop)
    await sender.close()
  }
}

async function openJob(
  header: SourceHeader,
  { kafka, pipeline, layout, by, job, options }: PublishOptions,
): Promise<Job> {
  const topics = topicsOf(pipeline)
  const reader = await kafka.reader([topics.rows, topics.results])
  const ends = async (topic: string) => {
    const partitions = Array.from({ length: layout.partitions }, (_, partition) => ({ topic, partition }))
    const positions = await reader.offsets(partitions, 'end')
    return positions.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  }
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
      topic: topics.rows,
      from: 0,
      total: header.total,
      rowsFrom: await ends(topics.rows),
      resultsFrom: await ends(topics.results),
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
  readonly #sender: PartitionSender
  readonly #options: PublishOptions
  #seq = 0
  #acked = 0
  #run: { rows: Values[]; lines: number[]; bytes: number } = { rows: [], lines: [], bytes: 0 }
  #fault: unknown = null

  constructor(job: Job, sender: PartitionSender, options: PublishOptions) {
    this.#job = job
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
    const partition = partitionOf(this.#seq, this.#job)
    this.#seq += count
    this.#sender.send({ topic, partition }, { key: id, value: encodeRows(message, bytes) }).then(
      () => {
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
    const ends = Array.from({ length: partitions }, (_, partition) => {
      const rows = rowsInPartition(partition, total, this.#job)
      const value = encodeEndOfInput({ job: id, epoch, from, attempt, partition, rows, total, refused: 0 })
      return this.#sender.send({ topic, partition }, { key: id, value })
    })
    await Promise.all(ends)
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
