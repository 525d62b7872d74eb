import type { TestContext } from 'node:test'
import type { RowsClassifier } from '../../src/classifier/boundary.ts'
import { decoding } from '../../src/classifier/decoding.ts'
import { IsolatingClassifier } from '../../src/classifier/isolating.ts'
import type { Collected, CollectOptions } from '../../src/collect/collect-options.ts'
import { collect } from '../../src/collect/collector.ts'
import type { Layout } from '../../src/core/sequence.ts'
import type { Kafka } from '../../src/kafka/index.ts'
import type { JobOption, Values } from '../../src/model.ts'
import type { PipelineConnection, PipelineContext } from '../../src/pipeline/context.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { publish } from '../../src/publish/publisher.ts'
import type { Time } from '../../src/support/clock.ts'
import type { Lending } from '../../src/work/calls.ts'
import type { JobJudge } from '../../src/work/job-judge.ts'
import { Worker, type WorkerOptions } from '../../src/work/worker.ts'
import { HEADER, sourceOf } from './exclaimer.ts'
import { memorySink } from './pipeline.ts'

const silent = () => {}

export interface PipelineParts<K extends Kafka> {
  readonly kafka: K
  readonly pipeline: string
  readonly layout: Layout
  readonly jobs: JobLog
}

export interface RunningWorker {
  readonly ended: Promise<void>
  /** Lets it finish its batches and leave. */
  drain(): Promise<void>
}

export interface WorkerSettings {
  readonly name?: string
  readonly batchRows?: number
  readonly kafka?: Kafka
  readonly time?: Time
  readonly say?: (message: string) => void
  readonly onBatch?: (rows: number) => void
  readonly judge?: JobJudge
  readonly bulk?: boolean
  readonly lending?: Lending
  /** Whether rows that the classifier refuses are rejected, as in a worker process. Default: they fail the job. */
  readonly isolates?: boolean
}

/** Starts a worker in this process. The caller drains it. */
export async function runWorker(connection: PipelineConnection, options: WorkerOptions): Promise<RunningWorker> {
  const worker = await Worker.open(connection, options)
  const stop = new AbortController()
  const ended = worker.run(stop.signal).finally(() => worker.close())
  ended.catch(() => {})
  const drain = () => {
    stop.abort()
    return ended
  }
  return { ended, drain }
}

/** The parts of rowmill in this process, over one pipeline with existing topics: on a real broker or on the fake. */
export class RunningPipeline<K extends Kafka = Kafka> {
  readonly kafka: K
  readonly pipeline: string
  readonly layout: Layout
  readonly jobs: JobLog
  readonly #t: TestContext
  readonly #over = new AbortController()

  constructor(t: TestContext, { kafka, pipeline, layout, jobs }: PipelineParts<K>) {
    this.#t = t
    t.after(() => this.#over.abort(new Error('the test is over')))
    this.kafka = kafka
    this.pipeline = pipeline
    this.layout = layout
    this.jobs = jobs
  }

  /** Opens the job log of a pipeline, until the test is over. */
  static async parts<K extends Kafka>(
    t: TestContext,
    { kafka, pipeline, layout }: Omit<PipelineParts<K>, 'jobs'>,
  ): Promise<PipelineParts<K>> {
    const jobs = await JobLog.open(kafka, pipeline, silent)
    t.after(() => jobs.close())
    return { kafka, pipeline, layout, jobs }
  }

  /** What a part of rowmill works in, until the test is over. */
  get context(): PipelineContext {
    const { kafka, pipeline, jobs } = this
    return { kafka, pipeline, jobs, say: silent, signal: this.#over.signal }
  }

  async work(rowsClassifier: RowsClassifier, settings: WorkerSettings = {}): Promise<RunningWorker> {
    const {
      kafka = this.kafka,
      name = 'worker',
      batchRows = 10,
      onBatch = silent,
      say = silent,
      time,
      isolates = false,
      ...more
    } = settings
    const { pipeline } = this
    const decoded = decoding(rowsClassifier, name)
    const classifier = isolates
      ? new IsolatingClassifier({ open: () => decoded, timeoutMs: null, by: name, say })
      : decoded
    const options = { name, classifier, batchRows, onBatch, ...(time ? { time } : {}), ...more }
    const running = await runWorker({ kafka, pipeline, say }, options)
    this.#t.after(() => running.drain().catch(() => {}))
    return running
  }

  publish(
    job: string,
    runs: AsyncIterable<readonly Values[]> | Iterable<readonly Values[]>,
    options: readonly JobOption[] = [],
  ): Promise<number> {
    return publish(this.context, sourceOf(runs), { header: HEADER, job, layout: this.layout, options, by: 'test' })
  }

  async collect(job: string, more: Partial<CollectOptions> = {}): Promise<Collected & { written: Values[] }> {
    const written: Values[] = []
    const collected = await collect(this.context, { job, sink: memorySink(written), ...more })
    return { ...collected, written }
  }
}
