/**
 * Spans of one pipeline. Their names and attributes are those of OpenTelemetry's semantic conventions for messaging, and
 * `rowmill.*`: docs/tracing.md lists them.
 */
import type { Attributes, Link, Span, SpanContext, SpanKind, Tracer } from '@opentelemetry/api'
import { toRowmillError } from '../errors.ts'
import { TRACEPARENT } from '../kafka/headers.ts'
import type { OpenTelemetry } from './load-packages.ts'
import { formatTraceparent } from './traceparent.ts'

/** The most characters of the message of an error. A traceback may be of any length. */
const MOST_CHARS = 4000

/** The headers of a message with which a trace continues in another process. */
export type TraceHeaders = Readonly<Record<typeof TRACEPARENT, string>>

/** A pipeline in a trace. */
export interface TracedPipeline {
  readonly pipeline: string
  /** Whether it is for one run alone, under a name that no other run has. */
  readonly isTemporary: boolean
}

export interface SpanStart {
  readonly kind: SpanKind
  readonly attributes: Attributes
  /** `messaging.operation.type`. Null: it does nothing with messages itself. */
  readonly type: 'process' | 'send' | null
  /** Null: it begins a trace. */
  readonly parent?: SpanContext | null
  readonly links?: Link[]
  /** In ms since 1970. Default: now. */
  readonly startTime?: number
}

export class Spans {
  readonly api: OpenTelemetry
  readonly pipeline: TracedPipeline
  /** Resolves when the spans that have ended are exported, or soon after. */
  readonly flush: () => Promise<void>
  readonly #tracer: Tracer

  constructor(api: OpenTelemetry, pipeline: TracedPipeline, flush: () => Promise<void>) {
    this.api = api
    this.pipeline = pipeline
    this.flush = flush
    this.#tracer = api.trace.getTracer('rowmill')
  }

  start(action: string, { kind, attributes, type, parent = null, links = [], startTime }: SpanStart): Span {
    const { ROOT_CONTEXT, trace } = this.api
    const { pipeline, isTemporary } = this.pipeline
    const name = `${action} ${isTemporary ? '(temporary)' : pipeline}` // backends group spans by a name
    const all = {
      'messaging.system': 'kafka',
      ...(type === null ? {} : { 'messaging.operation.name': action, 'messaging.operation.type': type }),
      ...(isTemporary ? { 'messaging.destination.temporary': true } : {}),
      'rowmill.pipeline': pipeline,
      ...attributes,
    }
    const options = { kind, links, attributes: all, ...(startTime === undefined ? {} : { startTime }) }
    return this.#tracer.startSpan(name, options, parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT)
  }

  /** Marks a span as failed, with the error. */
  fail(span: Span, error: unknown): void {
    const { code, message } = toRowmillError(error)
    this.addError(span, { code, message })
    this.setError(span, `${code}: ${message}`)
  }

  addError(span: Span, { code, message }: { code: string; message: string }, attributes: Attributes = {}): void {
    span.addEvent('exception', {
      'exception.type': code,
      'exception.message': message.slice(0, MOST_CHARS),
      ...attributes,
    })
  }

  setError(span: Span, message: string): void {
    const { SpanStatusCode } = this.api
    span.setStatus({ code: SpanStatusCode.ERROR, message: message.split('\n', 1)[0]!.slice(0, MOST_CHARS) })
  }
}

/** Null: the span is of no trace, because the SDK is disabled. */
export function headersOf({ isSpanContextValid }: OpenTelemetry, span: Span): TraceHeaders | null {
  const context = span.spanContext()
  return isSpanContextValid(context) ? { [TRACEPARENT]: formatTraceparent(context) } : null
}
