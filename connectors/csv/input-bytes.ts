import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { RowmillError } from '../../src/index.ts'
import { CheckedFile, type OnceFile, openInput, PIECE_BYTES, unreadable } from '../file/checked-file.ts'

export interface InputBytesOptions {
  /** A file, or '-' for standard input. */
  readonly path: string
  readonly compression: 'infer' | 'gzip' | null
  /** What messages call '-'. */
  readonly name?: string | undefined
  /** What '-' reads. Default: process.stdin. */
  readonly stdin?: Readable | undefined
}

/** The uncompressed bytes of a file, or of standard input. A regular file can be read more than once. */
export class InputBytes {
  /** For messages. */
  readonly name: string
  readonly #path: string
  readonly #stdin: Readable | undefined
  readonly #zipped: boolean
  #file: CheckedFile | OnceFile | null = null
  #stream: Readable | null = null

  constructor({ path, compression, stdin, name = 'standard input' }: InputBytesOptions) {
    this.name = path === '-' ? name : path
    this.#path = path
    this.#stdin = stdin
    this.#zipped = compression === 'gzip' || (compression === 'infer' && path.toLowerCase().endsWith('.gz'))
  }

  /** Throws INPUT_NOT_FOUND and INPUT_UNREADABLE. */
  async open(): Promise<void> {
    if (this.#path !== '-') this.#file = await openInput(this.#path)
  }

  /** The file, if it can be read more than once and is open. */
  get checked(): CheckedFile | null {
    return this.#file instanceof CheckedFile ? this.#file : null
  }

  /** The bytes from `from` on. Each piece overwrites the one before it. Throws INPUT_UNREADABLE and INPUT_CHANGED. */
  async *pieces(from: number): AsyncGenerator<Uint8Array> {
    const { checked } = this
    if (checked !== null && !this.#zipped) return yield* checked.pieces(from)
    const once = (this.#file as OnceFile | null)?.handle?.createReadStream({ autoClose: false })
    const input: AsyncIterable<Uint8Array> = checked?.pieces(0) ?? once ?? this.#stdin ?? process.stdin
    let fed = 0
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of input) {
        fed += piece.length
        // A copy: zlib works on the piece while the next one is read into the same buffer.
        yield Buffer.from(piece)
      }
    }
    const gunzip = this.#zipped ? createGunzip({ chunkSize: PIECE_BYTES }) : null
    this.#stream = gunzip ? pipeline(counted, gunzip, () => {}) : (input as Readable)
    let byte = 0
    try {
      for await (const piece of this.#stream as AsyncIterable<Buffer>) {
        if (byte + piece.length > from) yield piece.subarray(Math.max(0, from - byte))
        byte += piece.length
      }
    } catch (error) {
      throw error instanceof RowmillError ? error : unreadable(this.name, error)
    }
    if (gunzip && gunzip.bytesWritten < fed) await this.#checkZeros(gunzip.bytesWritten)
  }

  async close(): Promise<void> {
    this.#stream?.destroy()
    this.#stream = null
    const file = this.#file
    this.#file = null
    await (file instanceof CheckedFile ? file : file?.handle)?.close()
  }

  /** After a gzip member and zeros, Node ignores the rest of the file, and Python reads on. */
  async #checkZeros(from: number): Promise<void> {
    const file = this.checked
    if (file !== null) {
      let zeros = true
      for await (const piece of file.pieces(from)) zeros &&= piece.every(byte => byte === 0)
      if (zeros) return
    }
    throw unreadable(this.name, new Error('data follows the zeros after a gzip member'))
  }
}
