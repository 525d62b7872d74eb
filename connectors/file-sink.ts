import { link, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RowmillError, type Sink, type SinkHeader, type Values } from '../src/index.ts'
import { CheckpointedFile } from './checkpointed-file.ts'
import { OutputFormat } from './output-format.ts'
import { OutputLock } from './output-lock.ts'
import { checkOutput, syncFolder, writing } from './output-path.ts'

export interface FileSinkOptions {
  readonly path: string
  /** Replace the file if it exists; it stays as it is until the new one is complete. */
  readonly force: boolean
  /** Forget what an unfinished job left of it. */
  readonly restart?: boolean
  /** Whether an unfinished job is to be gone on with: its input may be read again. Default: true. */
  readonly resumable?: boolean
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
  readonly #lock: OutputLock
  readonly #partial: CheckpointedFile
  #format: OutputFormat | null = null

  constructor({ path, force, restart = false, resumable = true }: FileSinkOptions) {
    this.#path = path
    this.#force = force
    this.#restart = restart
    this.#resumable = resumable
    this.#folder = `${path}.rowmill`
    this.#lock = new OutputLock(path, this.#folder)
    this.#partial = new CheckpointedFile(join(this.#folder, 'partial'), join(this.#folder, 'checkpoint'))
  }

  /** Throws where OUT cannot be written, or is being written; until `close`, nobody else can. */
  async reserve(): Promise<void> {
    if (this.#lock.isTaken) return
    await checkOutput(this.#path, this.#force)
    await this.#io(() => this.#lock.take())
  }

  /** Whether a job before has left a checkpoint. */
  get isUnfinished(): boolean {
    return this.#partial.hasCheckpoint
  }

  async open(): Promise<string | null> {
    await this.reserve()
    if (this.#restart) await this.#io(() => this.#partial.forget())
    const last = await this.#partial.last()
    if (last?.grows) throw this.#ofFollow()
    await this.#io(() => this.#partial.open(last))
    return last?.note ?? null
  }

  restart(): Promise<void> {
    return this.#io(() => this.#partial.empty())
  }

  async begin(header: SinkHeader | null): Promise<void> {
    this.#format = header && new OutputFormat(header)
    if (this.#format && this.#partial.isEmpty) await this.#io(() => this.#partial.append(this.#format!.headerLine))
  }

  async write(rows: readonly Values[]): Promise<void> {
    const lines = this.#format!.lines(rows)
    await this.#io(() => this.#partial.append(lines))
  }

  async checkpoint(note: string): Promise<void> {
    if (this.#resumable) await this.#io(() => this.#partial.save({ note }))
  }

  async commit(): Promise<void> {
    await this.#io(async () => {
      const { path } = this.#partial
      await this.#partial.sync()
      await this.#partial.close()
      // Without it a kill in the next moments makes the collector begin again, never go on behind a file that is gone.
      await this.#partial.forget()
      if (this.#force) await rename(path, this.#path)
      else await appear(path, this.#path)
      await syncFolder(dirname(this.#path))
    })
  }

  /** Says nothing of a disk that lets nothing be removed: what broke before does, and the next sink copes with the rest. */
  async close(): Promise<void> {
    await this.#partial.close().catch(() => {})
    if (!this.#lock.isTaken) return
    if (!this.#partial.hasCheckpoint) await rm(this.#partial.path, { force: true }).catch(() => {})
    await this.#lock.release().catch(() => {})
  }

  /** Behind `close`: removes the last checkpoint and what was written up to it. */
  async discard(): Promise<void> {
    await this.#partial.forget()
    await rm(this.#partial.path, { force: true })
    await rmdir(this.#folder).catch(() => {}) // what others keep in it stays
  }

  #ofFollow(): RowmillError {
    const message = `${this.#path} grows, as rowmill collect --follow left it: give --follow again, or throw it away with --restart`
    return new RowmillError('OUTPUT_UNUSABLE', message, { path: this.#path })
  }

  #io<T>(action: () => Promise<T>): Promise<T> {
    return writing(this.#path, action)
  }
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
