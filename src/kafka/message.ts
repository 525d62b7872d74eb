import type { MessageHeaders } from './headers.ts'

/** What a message takes in memory beside the bytes of its key and value. Measured with 140,000 small messages. */
export const MESSAGE_BYTES = 60
/** The same for its key, and for its value: each is a Buffer. */
export const FIELD_BYTES = 180

export interface Message {
  readonly offset: number
  /** The first 1,000 bytes of the key. */
  readonly key: Buffer | null
  readonly value: Buffer | null
  /**
   * When the broker appended its batch, in ms since 1970 by its clock. With message.timestamp.type=CreateTime: the latest time
   * that the producer gave a message of the batch.
   */
  readonly timestamp: number
  /** Those of its headers that its reader asked for. Undefined: it has none of them, or its reader asked for none. */
  readonly headers?: MessageHeaders
  /** Set if this message replaces a whole batch that cannot be read. `offset` is then that of its last message. */
  readonly unreadable?: UnreadableBatch
}

/** A batch that we cannot read. */
export interface UnreadableBatch {
  /** The offset of its first message. */
  readonly first: number
  /** How many messages it claims to hold. */
  readonly count: number
  /** Why, as the end of a sentence about the batch. */
  readonly why: string
}

/** Describes a message that replaces an unreadable batch. */
export function describeUnreadable({ offset, unreadable }: Message): string {
  const { first, count, why } = unreadable!
  return `the batch at offsets ${first} to ${offset} (${count} messages) cannot be read: ${why}`
}

/** How much memory a message keeps. */
export function bytesOf({ key, value }: Message): number {
  const field = (bytes: Buffer | null) => (bytes === null ? 0 : FIELD_BYTES + bytes.length)
  return MESSAGE_BYTES + field(key) + field(value)
}

/** Copies a message. The original is a slice of its batch, and keeps the whole batch in memory. */
export function copyOf(message: Message): Message {
  const { key, value } = message
  return { ...message, key: key && Buffer.from(key), value: value && Buffer.from(value) }
}
