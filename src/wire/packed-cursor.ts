import { isUtf8 } from 'node:buffer'

/** A cursor in rows that may be packed. What is not so gives NaN or false, and the caller then reads them in another way. */
export class PackedCursor {
  readonly #bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  /** The next number: a length or a count. NaN: it is below 0, beyond 2^27, or cut off. */
  next(): number {
    const first = this.#bytes[this.at++]!
    if (first < 0x80) return first & 1 ? Number.NaN : first >> 1
    let sum = first & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.#bytes[this.at++]!
      sum |= (byte & 0x7f) << shift
      if (byte < 0x80) return sum & 1 ? Number.NaN : sum >> 1
    }
    return Number.NaN
  }

  /** Passes one cell. False: it is cut off, or not UTF-8. */
  passText(): boolean {
    const bytes = this.#bytes
    const length = this.next()
    const from = this.at
    const end = from + length
    if (!(end <= bytes.length)) return false
    let bits = 0
    for (let i = from; i < end; i++) bits |= bytes[i]!
    this.at = end
    return bits < 0x80 || isUtf8(bytes.subarray(from, end))
  }

  /** Passes one cell that was checked before. */
  jump(): void {
    const length = this.next()
    this.at += length
  }
}
