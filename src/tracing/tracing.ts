import type { SpanContext } from '@opentelemetry/api'
import type { Batch } from '../core/batcher.ts'
import type { Job } from '../model.ts'
import { realTime, type Time } from '../support/clock.ts'
import { BatchSpan, type TracedBatch } from './batch-span.ts'
import { JobSpan, type TracedJob } from './job-span.ts'
import type { OpenTelemetry } from './load-packages.ts'
import { RejectSpan, type TracedReject } from './reject-span.ts'
import { Spans, type TracedPipeline } from './spans.ts'
import { parseTraceparent } from './traceparent.ts'

export interface TracingOptions {
  /** Has the SDK export the spans that have ended. */
  flush(): Promise<void>
  /** How long to wait for that, in ms. */
  readonly flushMs: number
  /** The traceparent of whatever started this process. Undefined: it has none. */
  readonly parent?: string | undefined
  /** Default: real time. */
  readonly time?: Time
}

/** The traces of one process, which is to flush them before it ends. */
export class Tracing {
  readonly #api: OpenTelemetry
  readonly #options: TracingOptions

  constructor(api: OpenTelemetry, options: TracingOptions) {
    this.#api = api
    this.#options = options
  }

  of(pipeline: TracedPipeline): PipelineTracing {
    const spans = new Spans(this.#api, pipeline, () => this.flush())
    return new PipelineTracing(spans, parseTraceparent(this.#options.parent ?? ''))
  }

  /**
   * Resolves when the spans that have ended are exported, or after `flushMs`: an exporter that hangs holds up no command.
   * Throws nothing.
   */
  async flush(): Promise<void> {
    const { flush, flushMs, time = realTime } = this.#options
    const over = Promise.withResolvers<void>()
    const stop = time.after(flushMs, over.resolve)
    await Promise.race([flush().catch(() => {}), over.promise])
    stop()
  }
}

/** The traces of one pipeline. It is in the context of every part, where tracing is on. */
export class PipelineTracing {
  readonly #spans: Spans
  /** The span around what this process does with jobs, or null. */
  readonly #parent: SpanContext | null

  constructor(spans: Spans, parent: SpanContext | null) {
    this.#spans = spans
    this.#parent = parent
  }

  /** Begins the span of a batch that was cut just now. */
  batch(batch: Batch, job: Job, at: TracedBatch): BatchSpan {
    return new BatchSpan(this.#spans, batch, job, at)
  }

  /** Begins the span of a message that is rejected now. */
  reject(rejected: TracedReject): RejectSpan {
    return new RejectSpan(this.#spans, rejected)
  }

  /** Does something with a job in a span, which ends with it. `inside` makes spans below that one. */
  async job<T>(
    what: Pick<TracedJob, 'action' | 'job'>,
    act: (span: JobSpan, inside: PipelineTracing) => Promise<T>,
  ): Promise<T> {
    const span = new JobSpan(this.#spans, { ...what, parent: this.#parent })
    try {
      return await act(span, new PipelineTracing(this.#spans, span.context))
    } catch (error) {
      span.failed(error)
      throw error
    } finally {
      span.end()
    }
  }
}
