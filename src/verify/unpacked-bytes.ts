import type { Readable } from 'node:stream'
import { type FileContentForm, readContent } from './unpacked.ts'

/** The content of a packed file, by offset. Reading forward is cheap. Reading backward unpacks the file again. */
export class UnpackedBytes {
  readonly #open: () => Readable
  #stream: Readable | null = null
  #chunks: AsyncIterator<Buffer> | null = null
  #chunk: Buffer = Buffer.alloc(0)
  /** The offset of the first byte of #chunk. */
  #at = 0

  constructor(path: string, form: FileContentForm) {
    this.#open = () => readContent(path, form)
  }

  /** Fills `into` with the bytes from `start` on, and returns the filled part. Throws the errors of unpacking. */
  async read(into: Buffer, start: number): Promise<Buffer> {
    if (this.#chunks === null || start < this.#at) this.#begin()
    let length = 0
    while (length < into.length) {
      const from = start + length - this.#at
      if (from < this.#chunk.length) length += this.#chunk.copy(into, length, from)
      else if (!(await this.#next())) break
    }
    return into.subarray(0, length)
  }

  close(): void {
    this.#stream?.destroy()
    this.#stream = null
  }

  #begin(): void {
    this.close()
    this.#stream = this.#open()
    this.#chunks = this.#stream[Symbol.asyncIterator]()
    this.#chunk = Buffer.alloc(0)
    this.#at = 0
  }

  async #next(): Promise<boolean> {
    const next = await this.#chunks!.next()
    if (next.done) return false
    this.#at += this.#chunk.length
    this.#chunk = next.value
    return true
  }
}
