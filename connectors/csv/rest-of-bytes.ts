const FIRST_ROOM = 320 * 1024

/** Appends each piece to the bytes that were kept of the pieces before it, in one buffer. */
export class RestOfBytes {
  #buffer = Buffer.allocUnsafeSlow(FIRST_ROOM)
  #length = 0

  /** What was kept, and this piece. The next call overwrites it. */
  join(piece: Uint8Array): Buffer {
    const length = this.#length + piece.length
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(length * 2)
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    this.#buffer.set(piece, this.#length)
    this.#length = length
    return this.#buffer.subarray(0, length)
  }

  /** Keeps what comes after the first `used` bytes. */
  keep(used: number): void {
    this.#buffer.copyWithin(0, used, this.#length)
    this.#length -= used
  }
}
