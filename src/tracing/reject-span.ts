import type { Span } from '@opentelemetry/api'
import { linksTo } from './links.ts'
import { headersOf, type Spans, type TraceHeaders } from './spans.ts'

/** A message that no classifier gets, where it was read, and why. */
export interface TracedReject {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly worker: string
  /** Of its producer, as its header says. */
  readonly traceparent: string | undefined
  readonly reason: string
  readonly why: string
}

/**
 * The span of a message that is rejected before anybody classifies it: from then until its copy is in `rejects`. It is a trace of its
 * own, with a link to its producer, and always an error.
 */
export class RejectSpan {
  readonly #spans: Spans
  readonly #span: Span

  constructor(spans: Spans, { topic, partition, offset, worker, traceparent, reason, why }: TracedReject) {
    this.#spans = spans
    this.#span = spans.start('reject', {
      kind: spans.api.SpanKind.CONSUMER,
      type: 'process',
      links: linksTo([traceparent]),
      attributes: {
        'messaging.destination.name': topic,
        'messaging.destination.partition.id': String(partition),
        'messaging.client.id': worker,
        'messaging.kafka.offset': offset,
        'rowmill.worker': worker,
      },
    })
    spans.addError(this.#span, { code: reason, message: why })
    spans.setError(this.#span, `${reason}: ${why}`)
  }

  /** Of its copy in `rejects`. */
  get headers(): TraceHeaders | null {
    return headersOf(this.#spans.api, this.#span)
  }

  end(): void {
    this.#span.end()
  }
}
