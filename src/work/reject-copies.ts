import { type Message, TRACEPARENT } from '../kafka/index.ts'
import type { FewLines } from '../support/few-lines.ts'
import type { RejectSpan, TracedReject } from '../tracing/reject-span.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { type RejectTopic, shortLine } from './reject-topic.ts'

/** How many copies, and how many bytes of them, may be without an acknowledgement in one worker. */
const MOST_COPIES = 10_000
const MOST_BYTES = 4 * 1024 * 1024

export type TraceReject = (rejected: Omit<TracedReject, 'worker'>) => RejectSpan

export interface RejectCopiesOptions {
  readonly rejects: RejectTopic
  readonly lines: FewLines
  /** Begins the span of a message that is rejected. Null: tracing is off. */
  readonly trace: TraceReject | null
  /** Called with the error of a copy that cannot be written. */
  failed(fault: unknown): void
}

/** Why a message is rejected. */
export interface RejectCause {
  readonly reason: string
  readonly why: string
}

/**
 * Sends copies of rejected messages to `rejects` without waiting for each acknowledgement, so that rows do not wait for them.
 * Nothing from an offset on is committed until its copy is acknowledged. If the worker dies before that, the next owner
 * sends another copy.
 */
export class RejectCopies {
  readonly #options: RejectCopiesOptions
  /** How many copies have no acknowledgement yet, and how many bytes they have. */
  #copies = 0
  #bytes = 0
  /** Set while somebody waits for an acknowledgement. */
  #acknowledged: PromiseWithResolvers<void> | null = null

  constructor(options: RejectCopiesOptions) {
    this.#options = options
  }

  /** Sends a copy of a message, and skips the message. Resolves when there is room for another copy. */
  async send(held: AssignedPartition, message: Message, fault: RejectCause): Promise<void> {
    if (held.queue.closed) return // the next owner reads it again
    const { offset } = message
    held.batcher.defer(offset)
    held.batcher.pass(offset)
    const { topic, partition } = held.queue
    const traceparent = message.headers?.[TRACEPARENT]
    const span = this.#options.trace?.({
      topic,
      partition,
      offset: message.unreadable?.first ?? offset,
      traceparent,
      ...fault,
    })
    const headers = span?.headers ?? null
    const { bytes, acked } = this.#options.rejects.message(held.queue, message, { ...fault, headers })
    const isNews = !message.unreadable // or the feed has logged it
    this.#copies++
    this.#bytes += bytes
    const done = () => {
      span?.end()
      this.#copies--
      this.#bytes -= bytes
      this.#acknowledged?.resolve()
      this.#acknowledged = null
    }
    const written = () => {
      held.batcher.decide(offset)
      done()
      if (isNews) this.#tell(held, offset, fault)
    }
    const notWritten = (cause: unknown) => {
      done()
      this.#options.failed(cause)
    }
    acked.then(written, notWritten)
    while (this.#copies >= MOST_COPIES || this.#bytes >= MOST_BYTES) await this.#acknowledgement()
  }

  /** Resolves when all copies are acknowledged. */
  async drain(): Promise<void> {
    while (this.#copies > 0) await this.#acknowledgement()
  }

  #acknowledgement(): Promise<void> {
    this.#acknowledged ??= Promise.withResolvers()
    return this.#acknowledged.promise
  }

  #tell({ queue: { topic, partition } }: AssignedPartition, offset: number, { reason, why }: RejectCause): void {
    const { lines, rejects } = this.#options
    lines.note({ kind: reason, topic, partition, offset }, () => {
      const detail = shortLine(why).replace(/\.+$/, '')
      return `${topic}[${partition}]@${offset}: ${reason} ${detail}; a copy is in ${rejects.topic}`
    })
  }
}
