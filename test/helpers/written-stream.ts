import type { TestContext } from 'node:test'
import { placeOf, rowsInPartition } from '../../src/core/sequence.ts'
import type { MessageHeaders } from '../../src/kafka/headers.ts'
import type { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Job, Rejected, Result, Values } from '../../src/model.ts'
import { appendJob } from '../../src/pipeline/append-job.ts'
import type { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { encodeEndOfInput, encodeResult, encodeRows } from '../../src/wire/codec.ts'
import { brokerAddress, writablePipeline } from './broker.ts'
import { deleteBefore } from './kafka-tools.ts'
import { jobRecord } from './pipeline.ts'
import { resultRecord } from './result-record.ts'

const LAYOUT = { partitions: 2, blockRows: 1 }

export const cellsOf = (seq: number): Values => [String(seq), `row ${seq}`]
export const linesTo = (end: number, from = 0): string =>
  Array.from({ length: end - from }, (_, i) => `${cellsOf(from + i).join(',')}\n`).join('')

/** The unusual parts of a result; `epoch` comes with its `from`. */
type More = Partial<
  Pick<Result, 'columns' | 'rows' | 'rejected' | 'epoch' | 'from' | 'by' | 'kinds' | 'classifier'>
> & {
  /** Of its message. */
  readonly headers?: MessageHeaders
}

/** An event job, `j`, whose results the test writes itself. */
export class WrittenStream {
  readonly pipeline: string
  readonly jobs: JobLog
  readonly sender: PartitionSender
  readonly #job: Partial<Job>
  /** In an unsequenced job, the next offset of its input. */
  #next = 0

  private constructor(pipeline: string, job: Partial<Job>, parts: { jobs: JobLog; sender: PartitionSender }) {
    this.pipeline = pipeline
    this.#job = job
    this.jobs = parts.jobs
    this.sender = parts.sender
  }

  /** `announce`: whether the job is in `jobs` already. */
  static async open(t: TestContext, job: Partial<Job> = {}, announce = true): Promise<WrittenStream> {
    const { pipeline, jobs, sender } = await writablePipeline(t, LAYOUT.partitions)
    const stream = new WrittenStream(pipeline, job, { jobs, sender })
    if (announce) await stream.announce()
    return stream
  }

  get job(): Job {
    const { rows: topic } = topicsOf(this.pipeline)
    const options = [{ name: 'maxRejects', value: '100%' }]
    const froms = { rowsFrom: [0, 0], resultsFrom: [0, 0] }
    return jobRecord({ ...LAYOUT, topic, ...froms, bounded: false, options, columns: ['ID', 'TEXT'], ...this.#job })
  }

  announce(more: Partial<Job> = {}): Promise<void> {
    return appendJob(this.sender, this.pipeline, { ...this.job, ...more })
  }

  raw(partition: number, value: Buffer, headers: MessageHeaders | null = null): Promise<void> {
    return this.sender.send({ topic: topicsOf(this.pipeline).results, partition }, { key: 'j', value, headers })
  }

  /** The result of the row `seq`, by default with one row each. */
  row(seq: number, { headers, ...more }: More = {}): Promise<void> {
    const { partition, position } = placeOf(seq, LAYOUT)
    return this.raw(partition, this.#result(position, cellsOf(seq), more), headers)
  }

  async rows(from: number, end: number, more: More = {}): Promise<void> {
    await Promise.all(Array.from({ length: end - from }, (_, i) => this.row(from + i, more)))
  }

  reject(seq: number, more: More = {}): Promise<void> {
    return this.row(seq, { rows: [], rejected: [rejectOf(seq, cellsOf(seq))], ...more })
  }

  /** The result of one unsequenced row, in any partition; returns the offset of its input. */
  async arrive(partition: number, cells: Values, first = this.#next++): Promise<number> {
    await this.raw(partition, this.#result(first, cells, {}))
    return first
  }

  async barriers(epoch: number): Promise<void> {
    const barrier = { job: 'j', epoch, from: 0, seq: null, count: 0, line: null, lineSteps: null, rows: [] }
    for (let partition = 0; partition < LAYOUT.partitions; partition++)
      await this.raw(partition, encodeRows({ ...barrier }))
  }

  async ends(total: number, { epoch = 0, from = 0 }: { epoch?: number; from?: number } = {}): Promise<void> {
    for (let partition = 0; partition < LAYOUT.partitions; partition++) {
      const rows = rowsInPartition(partition, total, LAYOUT)
      await this.raw(partition, encodeEndOfInput({ job: 'j', epoch, from, attempt: 0, partition, rows, total }))
    }
  }

  /** As a producer that ends its job. */
  async end(total: number, epoch = 0, from = 0): Promise<void> {
    await this.ends(total, { epoch, from })
    await this.announce({ state: 'ended', epoch, total })
  }

  /** As retention does. */
  async deleteBefore(partition: number, offset: number): Promise<void> {
    const { results: topic } = topicsOf(this.pipeline)
    await deleteBefore(await brokerAddress(), [{ topic, partition, offset }])
  }

  #result(first: number, cells: Values, more: More): Buffer {
    const columns = { columns: ['ID', 'TEXT'], kinds: ['integer', 'text'] }
    return encodeResult(resultRecord({ first, by: 'worker 1', ...columns, rows: [cells], ...more }))
  }
}

function rejectOf(seq: number, values: Values): Rejected {
  return { index: 0, seq, line: null, reason: 'CLASSIFIER', detail: 'no such word', values }
}
