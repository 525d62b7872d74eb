import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { RowmillError } from '../errors.ts'
import type { FileContentForm } from './unpacked.ts'
import { UnpackedBytes } from './unpacked-bytes.ts'

const READ_BYTES = 256 * 1024

/** A file that is read once from its start, and looked into where it differs. For a packed file, its content is read. */
export class ComparedFile {
  readonly path: string
  readonly #file: FileHandle
  readonly #hash = createHash('sha256')
  #buffer = Buffer.alloc(READ_BYTES)
  #at = 0
  #unpacked: UnpackedBytes | null = null

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  /** Throws INPUT_NOT_FOUND, with `advice` on what to do, or INPUT_UNREADABLE. To be closed. */
  static async open(path: string, advice: string): Promise<ComparedFile> {
    const file = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw unreadable(path, cause)
      throw new RowmillError('INPUT_NOT_FOUND', `${path} does not exist. ${advice}`, { path }, { cause })
    })
    if ((await file.stat()).isFile()) return new ComparedFile(path, file)
    await file.close()
    throw unreadable(path, new Error('it is not a regular file'))
  }

  /** Makes all other calls read the content of the packed or encoded file, as UTF-8. Called first. */
  unpack(form: FileContentForm): void {
    this.#unpacked = new UnpackedBytes(this.path, form)
  }

  /** Reads the next `bytes` bytes, or fewer at the end of the file. The buffer is valid until the next call. */
  async take(bytes = READ_BYTES): Promise<Buffer> {
    if (bytes > this.#buffer.length) this.#buffer = Buffer.alloc(bytes)
    const taken = await this.#read(this.#buffer.subarray(0, bytes), this.#at)
    this.#at += taken.length
    this.#hash.update(taken)
    return taken
  }

  /** Reads up to `bytes` bytes from `start` on. */
  peek(start: number, bytes: number): Promise<Buffer> {
    return this.#read(Buffer.alloc(bytes), start)
  }

  /** The line, from 1, that holds the byte at this offset, so that an editor can go there. */
  async lineOf(offset: number): Promise<number> {
    let line = 1
    const buffer = Buffer.alloc(READ_BYTES)
    for (let at = 0; at < offset; ) {
      const chunk = await this.#read(buffer.subarray(0, Math.min(READ_BYTES, offset - at)), at)
      if (chunk.length === 0) break
      for (let i = chunk.indexOf(10); i >= 0; i = chunk.indexOf(10, i + 1)) line++
      at += chunk.length
    }
    return line
  }

  /** The digest of the whole file. Reads the rest of it. */
  async digest(): Promise<string> {
    while ((await this.take()).length > 0) {}
    return this.#hash.copy().digest('hex')
  }

  close(): Promise<void> {
    this.#unpacked?.close()
    return this.#file.close()
  }

  async #read(into: Buffer, start: number): Promise<Buffer> {
    let length = 0
    try {
      if (this.#unpacked) return await this.#unpacked.read(into, start)
      while (length < into.length) {
        const { bytesRead } = await this.#file.read(into, length, into.length - length, start + length)
        if (bytesRead === 0) break
        length += bytesRead
      }
    } catch (cause) {
      throw unreadable(this.path, cause as Error)
    }
    return into.subarray(0, length)
  }
}

function unreadable(path: string, cause: Error): RowmillError {
  return new RowmillError('INPUT_UNREADABLE', `cannot read ${path}: ${cause.message}`, { path }, { cause })
}
