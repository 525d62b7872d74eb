import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { OutputFormat } from '../../connectors/csv/output-format.ts'
import { rowsInPartition, seqOf } from '../../src/core/sequence.ts'
import type { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { EndOfInput, Job, Result, Rows, Values } from '../../src/model.ts'
import { appendJob } from '../../src/pipeline/append-job.ts'
import type { PipelineContext } from '../../src/pipeline/context.ts'
import type { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { type Verified, type VerifyOptions, verify } from '../../src/verify/verify.ts'
import { encodeEndOfInput, encodeResult, encodeRows } from '../../src/wire/codec.ts'
import { brokerAddress, testKafka, writablePipeline } from './broker.ts'
import { testFolder } from './cli.ts'
import { deleteBefore } from './kafka-tools.ts'
import { jobRecord } from './pipeline.ts'
import { resultRecord } from './result-record.ts'

export const silent = () => {}
export const LAYOUT = { partitions: 2, blockRows: 3 }
export const TOTAL = 14
/** Row 4 has a quoted cell of three lines. */
export const rowOf = (seq: number): Values => [String(seq), seq === 4 ? 'one\ntwo\n"three"' : `row ${seq}`]
export const rowsTo = (total: number): Values[] => Array.from({ length: total }, (_, seq) => rowOf(seq))
export const FORMAT = new OutputFormat({ columns: ['ID', 'TEXT'], options: [] })
export const RIGHT = FORMAT.lines(rowsTo(TOTAL))
export const HEADER = [{ name: 'toCsv', value: '{"header": true}' }]

type Topic = 'rows' | 'results'

/** A job whose messages the test writes itself. */
export class WrittenJob {
  readonly pipeline: string
  readonly jobs: JobLog
  readonly sender: PartitionSender
  readonly folder: string

  constructor(t: TestContext, pipeline: string, { jobs, sender }: { jobs: JobLog; sender: PartitionSender }) {
    this.pipeline = pipeline
    this.jobs = jobs
    this.sender = sender
    this.folder = testFolder(t)
  }

  static async open(t: TestContext): Promise<WrittenJob> {
    const { pipeline, jobs, sender } = await writablePipeline(t, LAYOUT.partitions)
    const written = new WrittenJob(t, pipeline, { jobs, sender })
    await appendJob(sender, pipeline, written.job())
    return written
  }

  job(more: Partial<Job> = {}): Job {
    const { rows: topic } = topicsOf(this.pipeline)
    return jobRecord({ ...LAYOUT, topic, rowsFrom: [0, 0], resultsFrom: [0, 0], ...more })
  }

  raw(topic: Topic, partition: number, value: Buffer): Promise<void> {
    return this.sender.send({ topic: topicsOf(this.pipeline)[topic], partition }, { key: 'j', value })
  }

  /** The message of `count` rows from `seq` on. */
  row(seq: number, count: number, more: Partial<Rows> & { into?: number } = {}): Promise<void> {
    const { into = Math.floor(seq / LAYOUT.blockRows) % LAYOUT.partitions, ...fields } = more
    const rows = Array.from({ length: count }, (_, i) => rowOf(seq + i))
    const plain = { job: 'j', epoch: 0, from: 0, seq, count, line: null, lineSteps: null, rows }
    return this.raw('rows', into, encodeRows({ ...plain, ...fields }))
  }

  /** The result of `count` positions from `first` of a partition. */
  result(partition: number, first: number, count: number, more: Partial<Result> = {}): Promise<void> {
    const rows = Array.from({ length: count }, (_, i) => rowOf(seqOf({ partition, position: first + i }, LAYOUT)))
    const columns = { columns: ['ID', 'TEXT'], kinds: ['integer', 'text'] }
    const result = resultRecord({ first, count, by: 'worker 1', ...columns, rows, ...more })
    return this.raw('results', partition, encodeResult(result))
  }

  end(topic: Topic, partition: number, more: Partial<EndOfInput> = {}): Promise<void> {
    const rows = rowsInPartition(partition, TOTAL, LAYOUT)
    const end = { job: 'j', epoch: 0, from: 0, attempt: 0, partition, rows, total: TOTAL }
    return this.raw(topic, partition, encodeEndOfInput({ ...end, ...more }))
  }

  async ends(topic: Topic, more: Partial<EndOfInput> = {}): Promise<void> {
    for (let partition = 0; partition < LAYOUT.partitions; partition++) await this.end(topic, partition, more)
  }

  /** All rows, as a publisher writes them. */
  async publish(job = 'j'): Promise<void> {
    for (let seq = 0; seq < TOTAL; seq += 3) await this.row(seq, Math.min(3, TOTAL - seq), { job })
    await this.ends('rows', { job })
  }

  /** All results: positions 0 to 7 of partition 0, 0 to 5 of partition 1. */
  async classify(job = 'j'): Promise<void> {
    await this.result(0, 0, 5, { job })
    await this.result(1, 0, 6, { job, by: 'worker 2' })
    await this.result(0, 5, 3, { job })
    await this.ends('results', { job })
  }

  /** As retention does. */
  async deleteBefore(offsets: readonly (readonly [Topic, number, number])[]): Promise<void> {
    const topics = topicsOf(this.pipeline)
    const partitions = offsets.map(([topic, partition, offset]) => ({ topic: topics[topic], partition, offset }))
    await deleteBefore(await brokerAddress(), partitions)
  }

  async verify(out: string | Buffer = RIGHT, more: Partial<PipelineContext & VerifyOptions> = {}): Promise<Verified> {
    const { pipeline, jobs, folder } = this
    const path = join(folder, 'out.csv')
    writeFileSync(path, out)
    const context = { kafka: await testKafka(), pipeline, jobs, say: silent, signal: AbortSignal.timeout(120_000) }
    const format: VerifyOptions['format'] = header => new OutputFormat(header)
    const found = await verify({ ...context, ...more }, { job: 'j', out: path, against: null, format, ...more })
    for (const { facts, message } of found.findings) assert.equal(typeof facts['what'], 'string', message)
    return found
  }
}

export const codes = ({ findings }: Verified) => findings.map(({ code }) => code)
export const first = ({ findings }: Verified) => findings[0]!
