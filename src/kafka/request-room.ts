import { headersBytes } from './headers.ts'
import type { OutgoingMessage } from './outgoing-batch.ts'

/** The most that Kafka's format adds to the messages of a batch in a request, and to the key and value of a message. */
const BATCH_BYTES = 69
const MESSAGE_BYTES = 40

/** What else fits into a request. */
export class RequestRoom {
  #bytes: number
  #messages: number
  #isEmpty = true

  constructor({ bytes, messages }: { bytes: number; messages: number }) {
    this.#bytes = bytes
    this.#messages = messages
  }

  /** Whether the request holds nothing yet. Then it takes any batch, however large. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** How many of these messages, from the first on, fit as a batch of at most `mostBytes`. One always fits into an empty request. */
  fitting(messages: readonly OutgoingMessage[], mostBytes = Number.POSITIVE_INFINITY): number {
    const limitBytes = Math.min(this.#bytes, mostBytes)
    let bytes = BATCH_BYTES
    let count = 0
    for (const message of messages) {
      bytes += messageBytes(message)
      if (bytes > limitBytes || count === this.#messages) break
      count++
    }
    return count === 0 && this.#isEmpty ? Math.min(1, messages.length) : count
  }

  /** Takes the room of a batch with these messages. */
  fill(messages: readonly OutgoingMessage[]): void {
    this.#isEmpty = false
    this.#bytes -= batchBytes(messages)
    this.#messages -= messages.length
  }
}

/** The most bytes that a batch of these messages has. */
export function batchBytes(messages: readonly OutgoingMessage[]): number {
  return messages.reduce((sum, message) => sum + messageBytes(message), BATCH_BYTES)
}

function messageBytes({ key, value, headers }: OutgoingMessage): number {
  return MESSAGE_BYTES + Buffer.byteLength(key) + value.length + (headers ? headersBytes(headers) : 0)
}
