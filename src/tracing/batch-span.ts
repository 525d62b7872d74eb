import type { Span } from '@opentelemetry/api'
import type { Batch } from '../core/batcher.ts'
import type { Job, Rejected } from '../model.ts'
import { linksTo } from './links.ts'
import { headersOf, type Spans, type TraceHeaders } from './spans.ts'

/** So many rejected rows of a batch have an event. */
const MOST_EVENTS = 8

/** Where a batch comes from, and who has it classified. */
export interface TracedBatch {
  readonly topic: string
  readonly partition: number
  readonly group: string
  readonly worker: string
}

/**
 * The span of a batch: from the moment when it was cut until the classifier has answered, in whatever worker and in how many
 * calls. It is a trace of its own, with links to the spans that its messages name. Otherwise the trace of a large job would
 * have very many spans.
 */
export class BatchSpan {
  readonly #spans: Spans
  readonly #span: Span
  readonly #rows: number
  /** In ms since 1970, as traces have it. 0: it has not ended. */
  #endedAt = 0

  constructor(spans: Spans, batch: Batch, { attempt }: Job, { topic, partition, group, worker }: TracedBatch) {
    const { job, count, offset, parts } = batch
    const seq = parts[0]?.message.head.seq ?? null
    this.#spans = spans
    this.#rows = count
    this.#span = spans.start('classify', {
      kind: spans.api.SpanKind.CONSUMER,
      type: 'process',
      links: linksTo(parts.map(({ message }) => message.traceparent)),
      attributes: {
        'messaging.destination.name': topic,
        'messaging.destination.partition.id': String(partition),
        'messaging.consumer.group.name': group,
        'messaging.client.id': worker,
        'messaging.kafka.offset': offset,
        'messaging.batch.message_count': parts.length,
        'rowmill.job': job,
        'rowmill.attempt': attempt,
        'rowmill.rows': count,
        'rowmill.worker': worker,
        ...(seq === null ? {} : { 'rowmill.row': seq + parts[0]!.skip }),
      },
    })
  }

  /** Of its result messages: those who read them continue the trace. */
  get headers(): TraceHeaders | null {
    return headersOf(this.#spans.api, this.#span)
  }

  /**
   * Ends the span. `queueMs` is how long its first message waited for the classifier, `classifyMs` how long the classifier had the
   * batch. `isLost`: nobody sends the results, because the partition was given to another worker meanwhile.
   */
  answered(
    rejected: readonly Rejected[],
    { queueMs, classifyMs, isLost }: { queueMs: number; classifyMs: number; isLost: boolean },
  ): void {
    const { length } = rejected
    this.#span.setAttributes({
      'rowmill.rejected': length,
      'rowmill.queue_seconds': queueMs / 1000,
      'rowmill.classify_seconds': classifyMs / 1000,
    })
    if (isLost) this.#span.setAttribute('rowmill.lost', true)
    for (const { seq, reason, detail } of rejected.slice(0, MOST_EVENTS)) {
      const row = seq === null ? {} : { 'rowmill.row': seq }
      this.#spans.addError(this.#span, { code: reason, message: detail }, row)
    }
    if (length > 0)
      this.#spans.setError(this.#span, `${length} of ${this.#rows} rows were rejected: ${rejected[0]!.reason}`)
    this.#end()
  }

  /**
   * Ends the span, unless it has ended, with an error that fails the job or ends the worker. Resolves when it is exported, or
   * soon after: who sees that the job failed may kill this process.
   */
  async failed(error: unknown): Promise<void> {
    if (this.#endedAt > 0) return
    this.#spans.fail(this.#span, error)
    this.#end()
    await this.#spans.flush()
  }

  /**
   * The span of sending the results, below this one: from the answer until `acked` resolves, so with the time that they waited
   * for results before them. Resolves and rejects as `acked` does.
   */
  async sending(acked: Promise<unknown>, to: { topic: string; partition: number; messages: number }): Promise<void> {
    const span = this.#spans.start('send', {
      kind: this.#spans.api.SpanKind.PRODUCER,
      type: 'send',
      parent: this.#span.spanContext(),
      startTime: this.#endedAt,
      attributes: {
        'messaging.destination.name': to.topic,
        'messaging.destination.partition.id': String(to.partition),
        'messaging.batch.message_count': to.messages,
      },
    })
    try {
      await acked
    } catch (error) {
      this.#spans.fail(span, error)
      throw error
    } finally {
      span.end()
    }
  }

  #end(): void {
    this.#endedAt = Date.now()
    this.#span.end()
  }
}
