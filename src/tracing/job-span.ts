import type { Span, SpanContext } from '@opentelemetry/api'
import { headersOf, type Spans, type TraceHeaders } from './spans.ts'

/** What a command does with a job. */
export interface TracedJob {
  readonly action: 'run' | 'publish' | 'collect'
  readonly job: string
  readonly parent: SpanContext | null
}

/** The span of what one command does with a job, from its first record to its last row. */
export class JobSpan {
  readonly #spans: Spans
  readonly #span: Span
  /** Of all messages that the command sends. */
  readonly headers: TraceHeaders | null

  constructor(spans: Spans, { action, job, parent }: TracedJob) {
    const { SpanKind } = spans.api
    const kinds = { run: SpanKind.INTERNAL, publish: SpanKind.PRODUCER, collect: SpanKind.CONSUMER }
    const types = { run: null, publish: 'send', collect: 'process' } as const
    const attributes = { 'rowmill.job': job }
    this.#spans = spans
    this.#span = spans.start(action, { kind: kinds[action], type: types[action], parent, attributes })
    this.headers = headersOf(spans.api, this.#span)
  }

  get context(): SpanContext {
    return this.#span.spanContext()
  }

  count(counts: Readonly<Partial<Record<'rows' | 'rejected' | 'duplicates', number>>>): void {
    for (const [name, value] of Object.entries(counts)) this.#span.setAttribute(`rowmill.${name}`, value)
  }

  failed(error: unknown): void {
    this.#spans.fail(this.#span, error)
  }

  end(): void {
    this.#span.end()
  }
}
