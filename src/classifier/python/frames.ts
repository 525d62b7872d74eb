const HEAD_BYTES = 4
const LONGEST_BYTES = 2 ** 30

/** Encodes a text as one frame: its length in bytes (4 bytes, big endian) and its UTF-8. host.py is the other end. */
export function frame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + length)
  bytes.writeUInt32BE(length)
  bytes.write(text, HEAD_BYTES)
  return bytes
}

/** Assembles frames from chunks of any size, and passes on the body of each. `push` throws if the bytes are no frame. */
export class FrameReader {
  readonly #onFrame: (body: Buffer) => void
  #chunks: Buffer[] = []
  #bytes = 0
  #wanted = HEAD_BYTES

  constructor(onFrame: (body: Buffer) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    while (this.#bytes >= this.#wanted) {
      const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#bytes)
      this.#wanted = HEAD_BYTES + bytes.readUInt32BE()
      if (this.#wanted > LONGEST_BYTES) throw new RangeError(`a frame of ${this.#wanted} bytes`)
      if (bytes.length < this.#wanted) {
        this.#chunks = [bytes]
        return
      }
      const rest = bytes.subarray(this.#wanted)
      this.#chunks = rest.length > 0 ? [rest] : []
      this.#bytes = rest.length
      const body = bytes.subarray(HEAD_BYTES, this.#wanted)
      this.#wanted = HEAD_BYTES
      this.#onFrame(body)
    }
  }
}
