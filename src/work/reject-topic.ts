import type { Batch } from '../core/batcher.ts'
import type { MessageHeaders } from '../kafka/headers.ts'
import type { Message } from '../kafka/index.ts'
import type { PartitionSender } from '../kafka/partition-sender.ts'
import type { Rejected } from '../model.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { printableLine } from '../support/printable.ts'
import { encodeReject } from '../wire/codec.ts'
import type { Activity } from './activity.ts'

/** How much of an unreadable message its reject keeps. */
const REJECTED_BYTES = 64 * 1024
/** How much of the reason a reject, or a line on standard error, keeps. */
const REJECTED_CHARS = 1000

/** Writes to the topic `rejects` for one worker. */
export class RejectTopic {
  readonly topic: string
  readonly #sender: PartitionSender
  readonly #by: string
  readonly #activity: Activity

  constructor(
    sender: PartitionSender,
    { pipeline, name, activity }: { pipeline: string; name: string; activity: Activity },
  ) {
    this.topic = topicsOf(pipeline).rejects
    this.#sender = sender
    this.#by = name
    this.#activity = activity
  }

  /** Writes a copy of a message that has no result. `acked` resolves when it is acknowledged. */
  message(
    { topic, partition }: { topic: string; partition: number },
    { offset, value: given, unreadable }: Message,
    { reason, why, headers = null }: { reason: string; why: string; headers?: MessageHeaders | null },
  ): { bytes: number; acked: Promise<void> } {
    const none = { job: null, epoch: null, attempt: null, seq: null, line: null, values: null }
    const raw = given?.subarray(0, REJECTED_BYTES) ?? null
    const at = { topic, partition, offset: unreadable?.first ?? offset, index: 0 }
    const value = encodeReject({ ...none, ...at, reason, detail: shortLine(why), raw, by: this.#by })
    this.#activity.rejected(reason)
    return { bytes: value.length, acked: this.#send('', value, headers) }
  }

  /** Writes a copy of a row that its result marks as rejected. Resolves when it is acknowledged. */
  async row(
    { seq, line, reason, detail, values }: Rejected,
    { job, epoch, offset }: Batch,
    { headers, ...at }: { topic: string; partition: number; attempt: number; headers: MessageHeaders | null },
  ): Promise<void> {
    const row = { job, epoch, seq, line, reason, detail, values, raw: null, by: this.#by }
    this.#activity.rejected(reason)
    await this.#send(job, encodeReject({ ...row, ...at, offset, index: 0 }), headers)
  }

  #send(key: string, value: Buffer, headers: MessageHeaders | null): Promise<void> {
    return this.#sender.send({ topic: this.topic, partition: 0 }, { key, value, headers })
  }
}

/** Makes text of others safe for a log: short, and in one line. */
export function shortLine(text: string): string {
  return printableLine(text.length > REJECTED_CHARS ? `${text.slice(0, REJECTED_CHARS)}...` : text)
}
