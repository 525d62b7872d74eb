import { FewLines } from '../support/few-lines.ts'
import type { Say } from '../support/say.ts'
import { describeUnreadable, type Message, type TopicPartition } from './index.ts'

/** Logs the batches of a feed that cannot be read: few lines, however many there are. */
export class UnreadableBatches {
  readonly #lines: FewLines

  constructor(say: Say) {
    this.#lines = new FewLines(say)
  }

  note({ topic, partition }: TopicPartition, messages: readonly Message[]): void {
    for (const message of messages) {
      if (!message.unreadable) continue
      const at = { topic, partition, offset: message.unreadable.first, last: message.offset }
      this.#lines.note(
        { kind: 'batches that cannot be read', ...at },
        () => `${topic}[${partition}]: ${describeUnreadable(message)}`,
      )
    }
  }

  close(): void {
    this.#lines.close()
  }
}
