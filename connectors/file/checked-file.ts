import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { RowmillError } from '../../src/errors.ts'
import type { SourceIdentity } from '../../src/index.ts'

/** How many bytes of a file are read at a time. */
export const PIECE_BYTES = 256 * 1024
/** Bytes of the digest that are kept for each piece: 128 bits, which is 64 MB for a terabyte. */
const MARK_BYTES = 16
/** As pandas.io.common.is_url and is_fsspec_url tell them: http://, s3://, ... */
const URL_OR_STORE = /^[A-Za-z][A-Za-z0-9+\-.]*:\/\//

/** A file that can be read only once: a pipe, a device. */
export interface OnceFile {
  readonly handle: FileHandle
}

/**
 * A regular file that is read more than once and must have the same bytes each time. The first pass keeps the SHA-256
 * digest up to the end of each piece. Later passes compare, and yield no byte of a piece that differs.
 */
export class CheckedFile {
  readonly identity: SourceIdentity
  readonly #handle: FileHandle
  readonly #path: string
  #marks = Buffer.alloc(64 * MARK_BYTES)
  #marked = 0
  #digest: string | null = null

  constructor(path: string, handle: FileHandle, { size, mtimeMs }: { size: number; mtimeMs: number }) {
    this.#path = path
    this.#handle = handle
    this.identity = { name: basename(path), size, mtimeMs }
  }

  /** `sha256:` and the digest of the file in hex. Reads the file to its end, if no pass has done so. Throws as `pieces`. */
  async digest(): Promise<string> {
    while (this.#digest === null) for await (const _ of this.pieces(Number.POSITIVE_INFINITY));
    return `sha256:${this.#digest}`
  }

  /**
   * The bytes from `from` on. Each piece overwrites the one before it. Earlier bytes are read too, because the digest needs
   * them. Throws INPUT_CHANGED if an earlier pass read another byte, and INPUT_UNREADABLE.
   */
  async *pieces(from: number): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES)
    const hash = createHash('sha256')
    let byte = 0
    for (let index = 0; ; index++) {
      const piece = await this.#read(buffer, byte)
      if (piece.length === 0) return this.#end(hash, byte, index)
      hash.update(piece)
      this.#check(hash, byte, index)
      byte += piece.length
      if (byte > from) yield piece.subarray(Math.max(0, piece.length - (byte - from)))
    }
  }

  /** Throws INPUT_CHANGED if the size or the time of the last change is no longer what it was when the file was opened. */
  async checkUnchanged(): Promise<void> {
    const { size, mtimeMs } = this.identity
    const now = await this.#handle.stat()
    if (now.size === size && now.mtimeMs === mtimeMs) return
    const how = now.size === size ? 'it was written again' : `${size} bytes before, ${now.size} now`
    throw this.#changed(how, { size, sizeNow: now.size })
  }

  /** Throws INPUT_CHANGED if the path names another file by now. Whoever opens the file by its path needs this. */
  async checkName(): Promise<void> {
    const [own, named] = await Promise.all([this.#handle.stat(), stat(this.#path).catch(() => null)])
    if (named?.dev === own.dev && named.ino === own.ino) return
    throw this.#changed('its name now belongs to another file', {})
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  /** Fills the buffer, so that the pieces of every pass end at the same bytes. */
  async #read(buffer: Buffer, byte: number): Promise<Buffer> {
    let length = 0
    try {
      while (length < buffer.length) {
        const { bytesRead } = await this.#handle.read(buffer, length, buffer.length - length, byte + length)
        if (bytesRead === 0) break
        length += bytesRead
      }
    } catch (error) {
      throw unreadable(this.#path, error)
    }
    return buffer.subarray(0, length)
  }

  #check(hash: Hash, byte: number, index: number): void {
    const mark = hash.copy().digest()
    const at = index * MARK_BYTES
    if (index < this.#marked) {
      if (mark.compare(this.#marks, at, at + MARK_BYTES, 0, MARK_BYTES) === 0) return
      throw this.#changed(`other bytes between byte ${byte} and ${byte + PIECE_BYTES}`, { byte })
    }
    if (this.#digest !== null) throw this.#changed(`it continues after byte ${byte}`, { byte })
    if (at === this.#marks.length) this.#marks = Buffer.concat([this.#marks], at * 2)
    mark.copy(this.#marks, at, 0, MARK_BYTES)
    this.#marked = index + 1
  }

  #end(hash: Hash, byte: number, index: number): void {
    if (index < this.#marked) throw this.#changed(`it ends at byte ${byte}`, { byte })
    this.#digest ??= hash.digest('hex')
  }

  #changed(how: string, facts: Record<string, number>): RowmillError {
    const message = `${this.#path} changed while it was read (${how}). Leave it alone and start again.`
    return new RowmillError('INPUT_CHANGED', message, facts)
  }
}

/** Opens an input file. The caller closes it. Throws INPUT_NOT_FOUND and INPUT_UNREADABLE. */
export async function openInput(path: string): Promise<CheckedFile | OnceFile> {
  let handle: FileHandle | null = null
  try {
    handle = await open(path, 'r')
    const stat = await handle.stat()
    if (stat.isDirectory()) throw notFound(path, 'is a folder, not a file')
    return stat.isFile() ? new CheckedFile(path, handle, stat) : { handle }
  } catch (error) {
    await handle?.close()
    if (error instanceof RowmillError) throw error
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') throw notFound(path, 'does not exist')
    throw unreadable(path, error)
  }
}

function notFound(path: string, what: string): RowmillError {
  if (URL_OR_STORE.test(path)) {
    const message = `input ${path} is a URL, and rowmill reads local files. Download it first.`
    return new RowmillError('INPUT_NOT_FOUND', message, { path })
  }
  return new RowmillError('INPUT_NOT_FOUND', `input ${path} ${what}. Check the path.`, { path })
}

export function unreadable(name: string, cause: unknown): RowmillError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new RowmillError(
    'INPUT_UNREADABLE',
    `${name} cannot be read: ${why}. Check the file and its permissions.`,
    {},
    { cause },
  )
}
