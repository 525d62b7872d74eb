/** The length of what follows, and the number of the request, which the length counts. */
const HEAD_BYTES = 8
const NUMBER_AT = 4
const NUMBER_BYTES = 4
/** So much memory an answer gets at once. A larger one gets more as its bytes come: its length may not be true. */
const FIRST_BYTES = 2 * 1024 * 1024

/** An answer as KafkaJS takes it. */
export interface Answer {
  /** In bytes. */
  readonly size: number
  readonly correlationId: number
  /** What follows. It is in memory of its own. */
  readonly payload: Buffer<ArrayBuffer>
}

/** Puts the answers on one socket together. Each answer is copied once, into memory of its own. */
export class IncomingAnswers {
  readonly #head = Buffer.alloc(HEAD_BYTES)
  #headCame = 0
  /** The memory of what follows the head. Null: the head has not come. */
  #payload: Buffer<ArrayBuffer> | null = null
  #came = 0

  /** Returns the answers that end in `data`. Throws if no answer can have the length that comes. */
  take(data: Buffer): Answer[] {
    const answers: Answer[] = []
    for (let at = 0; at < data.length; ) {
      at += this.#payload === null ? this.#takeHead(data, at) : this.#takePayload(this.#payload, data, at)
      if (this.#payload !== null && this.#came === this.#size - NUMBER_BYTES) answers.push(this.#end(this.#payload))
    }
    return answers
  }

  get #size(): number {
    return this.#head.readInt32BE()
  }

  #takeHead(data: Buffer, at: number): number {
    const bytes = data.copy(this.#head, this.#headCame, at)
    this.#headCame += bytes
    if (this.#headCame < HEAD_BYTES) return bytes
    const size = this.#size
    if (size < NUMBER_BYTES) throw new Error(`an answer claims to have ${size} bytes: this is no Kafka broker`)
    this.#payload = Buffer.allocUnsafeSlow(Math.min(size - NUMBER_BYTES, FIRST_BYTES))
    return bytes
  }

  #takePayload(payload: Buffer<ArrayBuffer>, data: Buffer, at: number): number {
    const room = this.#came < payload.length ? payload : this.#larger(payload)
    const bytes = data.copy(room, this.#came, at)
    this.#payload = room
    this.#came += bytes
    return bytes
  }

  #larger(payload: Buffer): Buffer<ArrayBuffer> {
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#size - NUMBER_BYTES, 2 * payload.length))
    payload.copy(larger)
    return larger
  }

  #end(payload: Buffer<ArrayBuffer>): Answer {
    this.#headCame = 0
    this.#came = 0
    this.#payload = null
    return { size: this.#size, correlationId: this.#head.readInt32BE(NUMBER_AT), payload }
  }
}
