import { createHash, type Hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { RowmillError } from '../src/index.ts'

/** Text is collected up to here before it is written. */
const BUFFER_CHARS = 256 * 1024

/** What is known to be safe of a file: its first `bytes` bytes, with this SHA-256 digest in hex. */
export interface Checkpoint {
  readonly bytes: number
  readonly digest: string
  /** Of the collector; null where it has made none yet. */
  readonly note: string | null
  /** Whether the file is the output itself, which grows. */
  readonly grows?: boolean
  /** Whether nothing more comes behind it. */
  readonly complete?: boolean
}

/** A file that is appended to, and beside it what of it survives a crash: from there on it is written again. */
export class CheckpointedFile {
  readonly path: string
  readonly #checkpoint: string
  #file: FileHandle | null = null
  #buffer = ''
  #bytes = 0
  #digest: Hash = createHash('sha256')

  constructor(path: string, checkpoint: string) {
    this.path = path
    this.#checkpoint = checkpoint
  }

  get hasCheckpoint(): boolean {
    return existsSync(this.#checkpoint)
  }

  /** Whether nothing was written, also by those before. */
  get isEmpty(): boolean {
    return this.#bytes === 0 && this.#buffer === ''
  }

  /** Throws OUTPUT_UNUSABLE where it cannot be read. */
  async last(): Promise<Checkpoint | null> {
    if (!this.hasCheckpoint) return null
    let last: Checkpoint
    try {
      last = JSON.parse(await readFile(this.#checkpoint, 'utf8'))
    } catch (cause) {
      throw this.#mismatch(`cannot be read: ${(cause as Error).message}`, this.#checkpoint)
    }
    const { bytes, digest, note } = last ?? {}
    const isOne = Number.isSafeInteger(bytes) && bytes >= 0 && typeof digest === 'string' && note !== undefined
    if (isOne && (note === null || typeof note === 'string')) return last
    throw this.#mismatch('is no checkpoint', this.#checkpoint)
  }

  /**
   * Opens the file as it was at this checkpoint: what lies behind it is cut off, and what lies before it must be what was
   * written. Without one it is emptied. Throws OUTPUT_UNUSABLE.
   */
  async open(last: Checkpoint | null): Promise<void> {
    const isThere = existsSync(this.path)
    if (last && last.bytes > 0 && !isThere) throw this.#mismatch('is gone')
    this.#file = await open(this.path, last && isThere ? 'r+' : 'w')
    if (last) await this.#goBackTo(last)
  }

  /** Forgets all of it. */
  async empty(): Promise<void> {
    await this.forget()
    await this.#file!.truncate(0)
    this.#bytes = 0
    this.#digest = createHash('sha256')
  }

  async append(text: string): Promise<void> {
    this.#buffer += text
    if (this.#buffer.length >= BUFFER_CHARS) await this.flush()
  }

  /** Hands what was appended to the system: whoever reads the file sees it. */
  async flush(): Promise<void> {
    if (this.#buffer === '') return
    const bytes = Buffer.from(this.#buffer)
    this.#buffer = ''
    for (let at = 0; at < bytes.length; ) {
      at += (await this.#file!.write(bytes, at, bytes.length - at, this.#bytes + at)).bytesWritten
    }
    this.#bytes += bytes.length
    this.#digest.update(bytes)
  }

  /** When it resolves, everything appended survives a crash together with what is said of it. */
  async save(said: Omit<Checkpoint, 'bytes' | 'digest'>): Promise<void> {
    await this.flush()
    const last: Checkpoint = { bytes: this.#bytes, digest: this.#digest.copy().digest('hex'), ...said }
    await this.#file?.datasync()
    const next = `${this.#checkpoint}.next`
    await writeFile(next, JSON.stringify(last), { flush: true })
    await rename(next, this.#checkpoint)
  }

  /** Throws OUTPUT_UNUSABLE where what stands under its name is another file by now: whoever put it there writes it. */
  async sync(): Promise<void> {
    await this.flush()
    await this.#file!.sync()
    const [mine, there] = await Promise.all([this.#file!.stat(), stat(this.path).catch(() => null)])
    if (there?.ino !== mine.ino || there.dev !== mine.dev)
      throw this.#mismatch('is no longer the file that was written')
  }

  /** Removes the checkpoint. */
  async forget(): Promise<void> {
    await rm(this.#checkpoint, { force: true })
  }

  /** Clears away a checkpoint that was not finished, too. */
  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
    if (file) await rm(`${this.#checkpoint}.next`, { force: true })
  }

  async #goBackTo({ bytes, digest }: Checkpoint): Promise<void> {
    const file = this.#file!
    const { size } = await file.stat()
    if (size < bytes) throw this.#mismatch(`has ${size} bytes, fewer than the ${bytes} of the last checkpoint`)
    const safe = bytes === 0 ? [] : file.createReadStream({ start: 0, end: bytes - 1, autoClose: false })
    for await (const chunk of safe) this.#digest.update(chunk)
    if (this.#digest.copy().digest('hex') !== digest)
      throw this.#mismatch('is not what was written up to the last checkpoint')
    await file.truncate(bytes)
    this.#bytes = bytes
  }

  #mismatch(what: string, path = this.path): RowmillError {
    const message = `${path} ${what}: it was changed since. --restart begins again with the first row`
    return new RowmillError('OUTPUT_UNUSABLE', message, { path })
  }
}
