import type { PackedRows } from '../../src/index.ts'
import type { LineFormat } from './writer.ts'

const SCRATCH_BYTES = 256 * 1024

/**
 * Makes lines of packed rows. A cell that is written as it is (most are) is copied. Any other one becomes text, and goes
 * through the `LineFormat` that `write` uses.
 */
export class PackedLines {
  readonly #format: LineFormat
  /** By the first byte of a character, whether a cell with it cannot be copied. */
  readonly #special = new Uint8Array(256)
  readonly #separator: Buffer
  readonly #lineEnd: Buffer
  /** How an empty cell is written. */
  readonly #empty: Buffer
  /** At most how many bytes of output a byte of packed rows becomes, if all cells are copied. */
  readonly #growth: number
  #out = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  #end = 0

  constructor(format: LineFormat) {
    this.#format = format
    this.#separator = Buffer.from(format.separator)
    this.#lineEnd = Buffer.from(format.lineEnd)
    this.#empty = Buffer.from(format.cell(''))
    this.#growth = Math.max(this.#separator.length + this.#empty.length, this.#lineEnd.length)
    if (format.special === null) this.#special.fill(1)
    else for (const character of format.special) this.#special[Buffer.from(character)[0]!] = 1
  }

  /** The next call overwrites the bytes that it returns. */
  lines({ bytes, count }: PackedRows): Uint8Array {
    const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#end = 0
    if (this.#out.length > SCRATCH_BYTES) this.#out = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
    this.#room(input.length * this.#growth)
    let at = 0
    for (let row = 0; row < count; row++) at = this.#row(input, at)
    return this.#out.subarray(0, this.#end)
  }

  /** Returns where the next row begins. */
  #row(input: Buffer, at: number): number {
    let width = input[at++]!
    if (width >= 0x80) [width, at] = longNumber(input, at - 1)
    else width >>= 1
    for (let cell = 0; cell < width; cell++) {
      let length = input[at++]!
      if (length >= 0x80) [length, at] = longNumber(input, at - 1)
      else length >>= 1
      if (cell > 0) this.#copy(this.#separator)
      if (length === 0) {
        if (width === 1) {
          this.#write(this.#format.line(['']), input.length - at)
          return at + 1
        }
        this.#copy(this.#empty)
      } else if (!this.#copyPlain(input, at, length)) {
        this.#write(this.#format.cell(input.toString('utf8', at, at + length)), input.length - at)
      }
      at += length
    }
    this.#copy(this.#lineEnd)
    return at + 1
  }

  /** Copies a cell. False: it cannot be copied. */
  #copyPlain(input: Buffer, from: number, length: number): boolean {
    const [out, special] = [this.#out, this.#special]
    let to = this.#end
    for (let at = from; at < from + length; at++) {
      const byte = input[at]!
      if (special[byte]) return false
      out[to++] = byte
    }
    this.#end = to
    return true
  }

  #copy(bytes: Buffer): void {
    for (let i = 0; i < bytes.length; i++) this.#out[this.#end++] = bytes[i]!
  }

  /** `left` bytes of packed rows follow. */
  #write(text: string, left: number): void {
    this.#room(text.length * 3 + left * this.#growth)
    this.#end += this.#out.write(text, this.#end)
  }

  #room(bytes: number): void {
    const needed = this.#end + bytes
    if (needed <= this.#out.length) return
    const larger = Buffer.allocUnsafeSlow(needed * 2)
    this.#out.copy(larger, 0, 0, this.#end)
    this.#out = larger
  }
}

/** A number of several bytes, and where the next one begins. */
function longNumber(input: Buffer, at: number): [number, number] {
  let sum = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = input[at++]!
    sum += (byte & 0x7f) * scale
    if (byte < 0x80) return [sum / 2, at]
  }
}
