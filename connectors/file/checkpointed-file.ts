import { createHash, type Hash, randomBytes } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { copyFile, type FileHandle, link, open, readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { RowmillError } from '../../src/errors.ts'
import { openPrivate, readPrivate, replacePrivate } from './private-folder.ts'

/** So much is buffered before it is written. */
const BUFFER_BYTES = 256 * 1024

const PARTIAL = /^partial-[0-9a-f]{16}$/

/** The content of a file: its length, and its SHA-256 digest in hex. */
export interface FileContent {
  readonly bytes: number
  readonly digest: string
}

/** What of a file is safe on disk: this content at its beginning. */
export interface Checkpoint extends FileContent {
  /** The note of the collector. Null: it has made none yet. */
  readonly note: string | null
  /** The name of the file in the folder. Null: it is the output itself, which grows. */
  readonly partial: string | null
  /** The content of the complete output, and its job. Absent while rows are missing. */
  readonly complete?: CompleteContent
}

export interface CompleteContent extends FileContent {
  readonly job: string | null
  /** The rows were appended to what was there, if anything was. Others may append more. */
  readonly appended?: boolean
}

/**
 * A file that is appended to, and a checkpoint in a folder. The checkpoint says what of the file survives a crash. The rest
 * is written again. The file is the output itself, or a partial file in the folder. No other writer uses the name of a
 * partial file: if the lock fails, each writer has a file of its own.
 */
export class CheckpointedFile {
  readonly path: string
  readonly #folder: string
  readonly #checkpoint: string
  /** Its name in the folder. Null: it is the output itself. */
  readonly #partial: string | null
  #file: FileHandle | null = null
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  /** How many bytes of the buffer are not written yet. */
  #buffered = 0
  #bytes = 0
  #digest: Hash = createHash('sha256')

  constructor(folder: string, output: string | null = null) {
    this.#folder = folder
    this.path = output ?? this.newPath()
    this.#partial = output === null ? basename(this.path) : null
    this.#checkpoint = join(folder, 'checkpoint')
  }

  get hasCheckpoint(): boolean {
    return existsSync(this.#checkpoint)
  }

  /** Whether the file is empty, with the rows of earlier writers. */
  get isEmpty(): boolean {
    return this.#bytes === 0 && this.#buffered === 0
  }

  /** The last checkpoint. Throws OUTPUT_UNUSABLE if it cannot be read. */
  async last(): Promise<Checkpoint | null> {
    if (!this.hasCheckpoint) return null
    let last: Checkpoint
    try {
      last = JSON.parse(await readPrivate(this.#checkpoint))
    } catch (cause) {
      throw this.#mismatch(`cannot be read: ${(cause as Error).message}`, this.#checkpoint)
    }
    const { bytes, digest, note, partial, complete } = last ?? {}
    const isText = (value: unknown) => value === null || typeof value === 'string'
    const isContent = Number.isSafeInteger(bytes) && bytes >= 0 && typeof digest === 'string'
    const isFile = partial === null || PARTIAL.test(partial)
    const isEnd = complete === undefined || typeof complete?.digest === 'string'
    if (isContent && isText(note) && isFile && isEnd) return last
    throw this.#mismatch('is no checkpoint', this.#checkpoint)
  }

  /**
   * Opens the file as it was at this checkpoint. It checks the bytes up to the checkpoint and cuts off later ones. Without a
   * checkpoint it empties the file. Throws OUTPUT_UNUSABLE.
   */
  async open(last: Checkpoint | null): Promise<void> {
    if (this.#partial === null) return this.#openOutput(last)
    try {
      await this.#openPartial(last)
    } catch (error) {
      await rm(this.path, { force: true }).catch(() => {}) // the checkpoint still names the earlier file
      throw error
    }
    await this.removePartials(this.#partial)
  }

  async #openOutput(last: Checkpoint | null): Promise<void> {
    const isThere = existsSync(this.path)
    if (last && last.bytes > 0 && !isThere) throw this.#mismatch('is missing')
    this.#file = await open(this.path, last && isThere ? 'r+' : 'w+')
    if (last) await this.#goBackTo(last)
  }

  async #openPartial(last: Checkpoint | null): Promise<void> {
    const { O_CREAT, O_EXCL, O_RDWR } = constants
    if (last) await this.#adopt(join(this.#folder, last.partial!))
    this.#file = await openPrivate(this.path, last ? O_RDWR : O_RDWR | O_CREAT | O_EXCL)
    if (!last) return
    await this.#goBackTo(last)
    await this.save({ note: last.note })
  }

  /** Empties the file and removes the checkpoint. */
  async empty(): Promise<void> {
    this.#buffered = 0
    await this.forget()
    await this.#file!.truncate(0)
    this.#bytes = 0
    this.#digest = createHash('sha256')
  }

  /** Appends whole lines. Bytes are copied. */
  async append(lines: string | Uint8Array): Promise<void> {
    const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines
    if (this.#buffered + bytes.length > BUFFER_BYTES) await this.flush()
    if (bytes.length > BUFFER_BYTES) return this.#write(bytes)
    this.#buffer.set(bytes, this.#buffered)
    this.#buffered += bytes.length
  }

  /** Passes the appended lines to the system, so that readers of the file see them. */
  async flush(): Promise<void> {
    if (this.#buffered === 0) return
    const bytes = this.#buffer.subarray(0, this.#buffered)
    this.#buffered = 0
    await this.#write(bytes)
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      at += (await this.#file!.write(bytes, at, bytes.length - at, this.#bytes + at)).bytesWritten
    }
    this.#bytes += bytes.length
    this.#digest.update(bytes)
  }

  /** Makes a checkpoint. When it resolves, the appended text and the checkpoint survive a crash. */
  async save(said: Pick<Checkpoint, 'note' | 'complete'> & Partial<Pick<Checkpoint, 'partial'>>): Promise<void> {
    await this.flush()
    const last: Checkpoint = { ...this.#content(), partial: this.#partial, ...said }
    await this.#file?.datasync()
    await replacePrivate(this.#checkpoint, JSON.stringify(last))
  }

  /**
   * Makes the file safe on disk, reads it once more and returns its content. Throws OUTPUT_UNUSABLE if that is not what was
   * written, or if another file has its name by now.
   */
  async verify(): Promise<FileContent> {
    await this.flush()
    await this.#file!.sync()
    const [mine, there] = await Promise.all([this.#file!.stat(), stat(this.path).catch(() => null)])
    if (there?.ino !== mine.ino || there.dev !== mine.dev)
      throw this.#mismatch('is no longer the file that was written')
    const written = this.#content()
    const { digest } = await contentOf(this.#file!, this.#bytes)
    if (mine.size !== written.bytes || digest !== written.digest) throw this.#mismatch('is not what was written')
    return written
  }

  /** A path for a partial file that no other writer has. */
  newPath(): string {
    return join(this.#folder, `partial-${randomBytes(8).toString('hex')}`)
  }

  /** Removes the checkpoint. */
  async forget(): Promise<void> {
    await rm(this.#checkpoint, { force: true })
  }

  /** After `close`: removes the checkpoint and every partial file, also those of writers that were killed. */
  async remove(): Promise<void> {
    await this.forget()
    await this.removePartials()
  }

  /** Also removes a checkpoint that was not finished. */
  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
    if (file) await rm(`${this.#checkpoint}.next`, { force: true })
  }

  /** Gives the partial file of the last writer a new name. The old name is removed after a checkpoint has the new one. */
  async #adopt(before: string): Promise<void> {
    try {
      await link(before, this.path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw this.#mismatch('is missing', before)
      await copyFile(before, this.path, constants.COPYFILE_EXCL) // a file system without hard links
    }
  }

  /** Removes the partial files of writers that were killed, or whose job was discarded. */
  async removePartials(except: string | null = null): Promise<void> {
    const names = await readdir(this.#folder).catch(() => [])
    const others = names.filter(name => PARTIAL.test(name) && name !== except)
    await Promise.all(others.map(name => rm(join(this.#folder, name), { force: true })))
  }

  #content(): FileContent {
    return { bytes: this.#bytes, digest: this.#digest.copy().digest('hex') }
  }

  async #goBackTo({ bytes, digest }: Checkpoint): Promise<void> {
    const file = this.#file!
    const { size } = await file.stat()
    if (size < bytes) throw this.#mismatch(`has ${size} bytes, fewer than the ${bytes} of the last checkpoint`)
    this.#digest = await hashOf(file, bytes)
    if (this.#content().digest !== digest) throw this.#mismatch('is not what was written up to the last checkpoint')
    await file.truncate(bytes)
    this.#bytes = bytes
  }

  #mismatch(what: string, path = this.path): RowmillError {
    const message = `${path} ${what}: another program changed it. --restart begins again with the first row`
    return new RowmillError('OUTPUT_UNUSABLE', message, { path })
  }
}

/** The content of the file at `path`. */
export async function contentAt(path: string): Promise<FileContent> {
  const file = await open(path)
  try {
    return await contentOf(file, (await file.stat()).size)
  } finally {
    await file.close()
  }
}

/** Whether there is a file with this content. One that was appended to may have more. */
export async function hasContent(path: string, { bytes, digest, appended = false }: CompleteContent): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  if (!found?.isFile() || found.size < bytes || (found.size > bytes && !appended)) return false
  const file = await open(path)
  try {
    return (await contentOf(file, bytes)).digest === digest
  } finally {
    await file.close()
  }
}

/** The content of an open file up to `bytes`. */
async function contentOf(file: FileHandle, bytes: number): Promise<FileContent> {
  return { bytes, digest: (await hashOf(file, bytes)).digest('hex') }
}

async function hashOf(file: FileHandle, bytes: number): Promise<Hash> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, bytes - at), at)
    if (bytesRead === 0) break // the file is shorter
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
  return hash
}
