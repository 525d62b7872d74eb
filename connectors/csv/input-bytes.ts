import { pipeline, type Readable } from 'node:stream'
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib'
import { RowmillError } from '../../src/errors.ts'
import type { InputEncoding } from '../../src/pandas/encodings.ts'
import { methodOf } from '../../src/pandas/packing.ts'
import type { ReadCsvPlan } from '../../src/pandas/read-csv.ts'
import { CheckedFile, type OnceFile, openInput, PIECE_BYTES, unreadable } from '../file/checked-file.ts'
import { toUtf8 } from './text-decoding.ts'
import { type Bytes, bunzip2, unzip } from './unpack.ts'

export interface InputBytesOptions {
  /** A file, or '-' for standard input. */
  readonly path: string
  readonly compression: ReadCsvPlan['compression']
  /** Null: UTF-8, and the bytes stay as they are. */
  readonly encoding: InputEncoding | null
  /** What messages call '-'. */
  readonly name?: string | undefined
  /** What '-' reads. Default: process.stdin. */
  readonly stdin?: Readable | undefined
}

const ROOM = { chunkSize: PIECE_BYTES }

/** The text of a file, or of standard input, unpacked and in UTF-8. A regular file can be read more than once. */
export class InputBytes {
  /** For messages. */
  readonly name: string
  readonly #path: string
  readonly #stdin: Readable | undefined
  readonly #packing: string | null
  readonly #encoding: InputEncoding | null
  #file: CheckedFile | OnceFile | null = null
  #stream: Readable | null = null

  /** Throws USAGE for a file that is packed in another way. */
  constructor({ path, compression, encoding, stdin, name = 'standard input' }: InputBytesOptions) {
    this.name = path === '-' ? name : path
    this.#path = path
    this.#stdin = stdin
    this.#encoding = encoding
    this.#packing = compression === 'infer' ? methodOf(path) : compression
    if (this.#packing === 'xz' || this.#packing === 'tar') {
      const message = `input ${path}: ${this.#packing} files are not read, only .gz, .bz2, .zip and .zst. Unpack it first.`
      throw new RowmillError('USAGE', message)
    }
  }

  /** Throws INPUT_NOT_FOUND and INPUT_UNREADABLE. */
  async open(): Promise<void> {
    if (this.#path !== '-') this.#file = await openInput(this.#path)
  }

  /** The file, if it can be read more than once and is open. */
  get checked(): CheckedFile | null {
    return this.#file instanceof CheckedFile ? this.#file : null
  }

  /**
   * The text in UTF-8, from its byte `from` on. Each piece overwrites the one before it. Throws INPUT_UNREADABLE,
   * INPUT_CHANGED and, unless the encoding is UTF-8, INPUT_ENCODING.
   */
  async *pieces(from: number): AsyncGenerator<Uint8Array> {
    const { checked } = this
    if (checked !== null && this.#packing === null && this.#encoding === null) return yield* checked.pieces(from)
    const unpacked = this.#unpacked()
    const text = this.#encoding === null ? unpacked : toUtf8(unpacked, this.#encoding, this.name)
    let byte = 0
    for await (const piece of text) {
      if (byte + piece.length > from) yield piece.subarray(Math.max(0, from - byte))
      byte += piece.length
    }
  }

  async *#unpacked(): AsyncGenerator<Uint8Array> {
    const once = (this.#file as OnceFile | null)?.handle?.createReadStream({ autoClose: false })
    const input: Bytes = this.checked?.pieces(0) ?? once ?? this.#stdin ?? process.stdin
    try {
      if (this.#packing === 'gzip') yield* this.#through(input, createGunzip(ROOM), left => this.#checkZeros(left))
      else if (this.#packing === 'zstd') yield* this.#through(input, createZstdDecompress(ROOM), severalFrames)
      else {
        // What can be read only once is a stream.
        if (this.checked === null) this.#stream = input as unknown as Readable
        yield* this.#packing === 'bz2' ? bunzip2(input) : this.#packing === 'zip' ? unzip(input) : input
      }
    } catch (error) {
      throw error instanceof RowmillError ? error : unreadable(this.name, error)
    }
  }

  /** Node ends with the first member or frame. `rest` gets the place of what follows it. */
  async *#through(
    input: Bytes,
    unpack: Gunzip | ZstdDecompress,
    rest: (from: number) => unknown,
  ): AsyncGenerator<Uint8Array> {
    let fed = 0
    const copied = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of input) {
        fed += piece.length
        // The stream works on a piece while the next one is read into the same buffer.
        yield Buffer.from(piece)
      }
    }
    this.#stream = pipeline(copied, unpack, () => {})
    yield* this.#stream as AsyncIterable<Buffer>
    if (unpack.bytesWritten < fed) await rest(unpack.bytesWritten)
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

/** The rest would be lost: neither Node nor pandas reads it. */
function severalFrames(): never {
  throw new Error('data follows its first frame. Unpack it first')
}
