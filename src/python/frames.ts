import { LENGTH_BYTES } from '../support/frame.ts'

const LONGEST_BYTES = 2 ** 30

/**
 * Assembles frames from chunks of any size, and passes on the body of each. host.py is the other end. `push` throws if the
 * bytes are no frame.
 */
export class FrameReader {
  readonly #onFrame: (body: Buffer) => void
  #chunks: Buffer[] = []
  #bytes = 0
  #wanted = LENGTH_BYTES

  constructor(onFrame: (body: Buffer) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    while (this.#bytes >= this.#wanted) {
      const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#bytes)
      this.#wanted = LENGTH_BYTES + bytes.readUInt32BE()
      if (this.#wanted > LONGEST_BYTES) throw new RangeError(`a frame of ${this.#wanted} bytes`)
      if (bytes.length < this.#wanted) {
        this.#chunks = [bytes]
        return
      }
      const rest = bytes.subarray(this.#wanted)
      this.#chunks = rest.length > 0 ? [rest] : []
      this.#bytes = rest.length
      const body = bytes.subarray(LENGTH_BYTES, this.#wanted)
      this.#wanted = LENGTH_BYTES
      this.#onFrame(body)
    }
  }
}
