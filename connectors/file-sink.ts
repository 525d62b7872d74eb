import { createHash, type Hash } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import {
  access,
  type FileHandle,
  link,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  identifySelf,
  isAlive,
  type ProcessIdentity,
  RowmillError,
  type Sink,
  type SinkHeader,
  type Values,
} from '../src/index.ts'
import { OutputFormat } from './output-format.ts'

/** Text is collected up to here before it is written. */
const BUFFER_CHARS = 256 * 1024

export interface FileSinkOptions {
  readonly path: string
  /** Replace the file if it exists; it stays as it is until the new one is complete. */
  readonly force: boolean
  /** Forget what an unfinished job left of it. */
  readonly restart?: boolean
  /** Whether an unfinished job is to be gone on with: its input may be read again. Default: true. */
  readonly resumable?: boolean
}

/** What is known to be safe of the partial file: its first `bytes` bytes, with this SHA-256 digest in hex. */
interface Checkpoint {
  readonly bytes: number
  readonly digest: string
  readonly note: string
}

/**
 * Writes the rows to a file that appears under its name only when it is complete and safe on disk. Until then they
 * stand in `PATH.rowmill/partial`, with the last checkpoint beside it; a lock keeps a second collector of the same file
 * out.
 */
export class FileSink implements Sink {
  readonly #path: string
  readonly #force: boolean
  readonly #restart: boolean
  readonly #resumable: boolean
  readonly #folder: string
  #file: FileHandle | null = null
  #format: OutputFormat | null = null
  #buffer = ''
  #bytes = 0
  #digest: Hash = createHash('sha256')
  #locked = false
  #resumed = false

  constructor({ path, force, restart = false, resumable = true }: FileSinkOptions) {
    this.#path = path
    this.#force = force
    this.#restart = restart
    this.#resumable = resumable
    this.#folder = `${path}.rowmill`
  }

  /** Throws where OUT cannot be written, or is being written; until `close`, nobody else can. */
  async reserve(): Promise<void> {
    if (this.#locked) return
    await checkOutput(this.#path, this.#force)
    await this.#lock()
  }

  /** Whether a job before has left a checkpoint. */
  get isUnfinished(): boolean {
    return existsSync(this.#checkpoint)
  }

  async open(): Promise<string | null> {
    await this.reserve()
    if (this.#restart) await this.#io(() => rm(this.#checkpoint, { force: true }))
    const last = await this.#lastCheckpoint()
    if (last && !existsSync(this.#partial)) throw this.#mismatch('is gone')
    this.#file = await this.#io(() => open(this.#partial, last ? 'r+' : 'w'))
    if (!last) return null
    await this.#io(() => this.#goBackTo(last))
    this.#resumed = true
    return last.note
  }

  async restart(): Promise<void> {
    await this.#io(async () => {
      await rm(this.#checkpoint, { force: true })
      await this.#file!.truncate(0)
    })
    this.#bytes = 0
    this.#digest = createHash('sha256')
    this.#resumed = false
  }

  async begin(header: SinkHeader | null): Promise<void> {
    this.#format = header && new OutputFormat(header)
    if (!this.#resumed) this.#buffer += this.#format?.headerLine ?? ''
  }

  async write(rows: readonly Values[]): Promise<void> {
    this.#buffer += this.#format!.lines(rows)
    if (this.#buffer.length >= BUFFER_CHARS) await this.#flush()
  }

  async checkpoint(note: string): Promise<void> {
    if (!this.#resumable) return
    await this.#flush()
    const last: Checkpoint = { bytes: this.#bytes, digest: this.#digest.copy().digest('hex'), note }
    await this.#io(async () => {
      await this.#file!.datasync()
      const next = `${this.#checkpoint}.next`
      await writeFile(next, JSON.stringify(last), { flush: true })
      await rename(next, this.#checkpoint)
    })
  }

  async commit(): Promise<void> {
    await this.#flush()
    await this.#io(async () => {
      await this.#file!.sync()
      await this.#closeFile()
      // Without it a kill in the next moments makes the collector begin again, never go on behind a file that is gone.
      await rm(this.#checkpoint, { force: true })
      if (this.#force) await rename(this.#partial, this.#path)
      else await appear(this.#partial, this.#path)
      await syncFolder(dirname(this.#path))
    })
  }

  /** Says nothing of a disk that lets nothing be removed: what broke before does, and the next sink copes with the rest. */
  async close(): Promise<void> {
    await this.#closeFile().catch(() => {})
    if (!this.#locked) return
    this.#locked = false
    await this.#tidy().catch(() => {})
  }

  async #tidy(): Promise<void> {
    if (!existsSync(this.#checkpoint)) await rm(this.#partial, { force: true })
    await rm(`${this.#checkpoint}.next`, { force: true })
    await rm(join(this.#folder, 'lock'), { force: true })
    await rmdir(this.#folder).catch(() => {}) // what others keep in it stays
  }

  /** Behind `close`: removes the last checkpoint and what was written up to it. */
  async discard(): Promise<void> {
    await rm(this.#checkpoint, { force: true })
    await rm(this.#partial, { force: true })
    await rmdir(this.#folder).catch(() => {})
  }

  get #partial(): string {
    return join(this.#folder, 'partial')
  }

  get #checkpoint(): string {
    return join(this.#folder, 'checkpoint')
  }

  async #lastCheckpoint(): Promise<Checkpoint | null> {
    if (!existsSync(this.#checkpoint)) return null
    try {
      return JSON.parse(await readFile(this.#checkpoint, 'utf8')) as Checkpoint
    } catch (cause) {
      throw this.#mismatch(`cannot be read: ${(cause as Error).message}`, this.#checkpoint)
    }
  }

  async #closeFile(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }

  async #flush(): Promise<void> {
    if (this.#buffer === '') return
    const bytes = Buffer.from(this.#buffer)
    this.#buffer = ''
    await this.#io(async () => {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#file!.write(bytes, at, bytes.length - at, this.#bytes + at)).bytesWritten
      }
    })
    this.#bytes += bytes.length
    this.#digest.update(bytes)
  }

  /** Cuts off what lies behind the checkpoint and makes sure that what lies before it is what was written. */
  async #goBackTo({ bytes, digest }: Checkpoint): Promise<void> {
    const file = this.#file!
    const { size } = await file.stat()
    if (size < bytes) throw this.#mismatch(`has ${size} bytes, fewer than the ${bytes} of the last checkpoint`)
    await file.truncate(bytes)
    for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) this.#digest.update(chunk)
    if (this.#digest.copy().digest('hex') !== digest)
      throw this.#mismatch('is not what was written up to the last checkpoint')
    this.#bytes = bytes
  }

  #mismatch(what: string, path = this.#partial): RowmillError {
    const message = `${path} ${what}: it was changed since. --restart begins again with the first row`
    return new RowmillError('OUTPUT_UNUSABLE', message, { path })
  }

  async #lock(): Promise<void> {
    await this.#io(() => makeFolder(this.#folder))
    const file = join(this.#folder, 'lock')
    const mine = `${file}.${process.pid}`
    try {
      await this.#io(() => writeFile(mine, JSON.stringify(identifySelf())))
      while (!(await this.#io(() => takeName(mine, file)))) await this.#removeStaleLock(file)
      this.#locked = true
    } finally {
      await rm(mine, { force: true })
      if (!this.#locked) await rmdir(this.#folder).catch(() => {}) // what others keep in it stays
    }
  }

  async #removeStaleLock(file: string): Promise<void> {
    const owner = parseOwner(await readFile(file, 'utf8').catch(() => ''))
    if (owner && isAlive(owner)) {
      const message = `${this.#path} is being written by process ${owner.pid}: wait for it, or choose another OUT`
      throw new RowmillError('OUTPUT_LOCKED', message, { path: this.#path, pid: owner.pid })
    }
    await rm(file, { force: true })
  }

  async #io<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      throw this.#failure(error)
    }
  }

  #failure(error: unknown): RowmillError {
    if (error instanceof RowmillError) return error
    const cause = error as NodeJS.ErrnoException
    return new RowmillError(
      'OUTPUT_FAILED',
      `cannot write ${this.#path}: ${cause.message}`,
      { path: this.#path },
      { cause },
    )
  }
}

/** Throws OUTPUT_EXISTS or OUTPUT_UNUSABLE where `path` cannot become the output; creates nothing. */
export async function checkOutput(path: string, force: boolean): Promise<void> {
  const unusable = (message: string) => new RowmillError('OUTPUT_UNUSABLE', message, { path })
  const existing = await stat(path).catch(() => null)
  if (existing?.isDirectory()) throw unusable(`${path} is a directory: give the name of a file in it`)
  if (existing && !existing.isFile()) throw unusable(`${path} is no regular file: use - and redirect standard output`)
  if (existing && !force) {
    throw new RowmillError('OUTPUT_EXISTS', `${path} exists: choose another OUT, or --force to replace it`, { path })
  }
  const folder = dirname(path)
  const parent = await stat(folder).catch(() => null)
  if (!parent?.isDirectory()) throw unusable(`${folder}, the folder of ${path}, does not exist: create it first`)
  await access(folder, constants.W_OK | constants.X_OK).catch(() => {
    throw unusable(`${folder}, the folder of ${path}, may not be written to`)
  })
}

/** Clears away what a sink left that was killed behind its commit; false where there was no commit. */
export async function finishCommit(path: string): Promise<boolean> {
  const files = [path, join(`${path}.rowmill`, 'partial')].map(name => stat(name).catch(() => null))
  const [file, partial] = await Promise.all(files)
  if (!file || !partial || file.dev !== partial.dev || file.ino !== partial.ino) return false
  const sink = new FileSink({ path, force: true })
  await sink.reserve()
  await sink.close()
  return true
}

/** Gives a file its name unless a file of that name came up meanwhile. */
async function appear(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new RowmillError('OUTPUT_EXISTS', `${path} was created by someone else meanwhile`, { path })
    await rename(partial, path) // a file system without hard links
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Gives a file a second name; false where the name is taken. Unlike a new file it is never seen half written. */
async function takeName(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function parseOwner(text: string): ProcessIdentity | null {
  try {
    const { pid, start } = JSON.parse(text)
    return { pid: Number(pid), start: String(start) }
  } catch {
    return null
  }
}

/** The folder around it is there. Node's own recursive mkdir never ends in a folder that takes none, such as /proc. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch(error => {
    if (error.code !== 'EEXIST') throw error
  })
}
