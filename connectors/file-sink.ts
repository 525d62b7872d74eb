import { link, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type JobSummary,
  type Packing,
  packingOf,
  RowmillError,
  type Sink,
  type SinkHeader,
  type Values,
} from '../src/index.ts'
import { CheckpointedFile } from './checkpointed-file.ts'
import { OutputFormat } from './output-format.ts'
import { OutputLock } from './output-lock.ts'
import { checkOutput, syncFolder, writing } from './output-path.ts'
import { checkPackable, packFile } from './pack.ts'

export interface FileSinkOptions {
  readonly path: string
  /** Replace the file if it exists; it stays as it is until the new one is complete. */
  readonly force: boolean
  /** Forget what an unfinished job left of it. */
  readonly restart?: boolean
  /** Whether an unfinished job is to be gone on with: its input may be read again. Default: true. */
  readonly resumable?: boolean
  /** The argument `compression` of to_csv, where it is known before the first row: then `reserve` refuses what it cannot pack. */
  readonly compression?: { readonly value: unknown }
  /** The Python whose standard library packs what Node does not. Default: python3. */
  readonly python?: string
}

/**
 * Writes the rows to a file that appears under its name only when it is complete and safe on disk. Until then they
 * stand in `PATH.rowmill/partial`, with the last checkpoint beside it; a lock keeps a second collector of the same file
 * out. A file that is to be packed (`packingOf`) is packed from that at the end.
 */
export class FileSink implements Sink {
  readonly #path: string
  readonly #force: boolean
  readonly #restart: boolean
  readonly #resumable: boolean
  readonly #python: string
  readonly #compression: FileSinkOptions['compression']
  readonly #folder: string
  readonly #lock: OutputLock
  readonly #partial: CheckpointedFile
  #format: OutputFormat | null = null
  #packing: Packing | null = null

  constructor(options: FileSinkOptions) {
    const { path, force, restart = false, resumable = true, python = 'python3', compression } = options
    this.#path = path
    this.#python = python
    this.#compression = compression
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
    if (this.#compression) await this.#setPacking(this.#compression.value)
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
    if (!this.#compression) await this.#setPacking(this.#format?.compression)
    if (this.#format && this.#partial.isEmpty) await this.#io(() => this.#partial.append(this.#format!.headerLine))
  }

  async write(rows: readonly Values[]): Promise<void> {
    const lines = this.#format!.lines(rows)
    await this.#io(() => this.#partial.append(lines))
  }

  async checkpoint(note: string): Promise<void> {
    if (this.#resumable) await this.#io(() => this.#partial.save({ note }))
  }

  async commit(_?: JobSummary, signal?: AbortSignal): Promise<void> {
    await this.#io(async () => {
      const { path } = this.#partial
      await this.#partial.sync()
      await this.#partial.close()
      const packed = this.#packing && (await this.#pack(this.#packing, signal))
      // Without it a kill in the next moments makes the collector begin again, never go on behind a file that is gone.
      await this.#partial.forget()
      if (packed) await rename(packed, path)
      if (this.#force) await rename(path, this.#path)
      else await appear(path, this.#path)
      await syncFolder(dirname(this.#path))
    })
  }

  /** Says nothing of a disk that lets nothing be removed: what broke before does, and the next sink copes with the rest. */
  async close(): Promise<void> {
    await this.#partial.close().catch(() => {})
    if (!this.#lock.isTaken) return
    await rm(this.#packed, { force: true }).catch(() => {})
    if (!this.#partial.hasCheckpoint) await rm(this.#partial.path, { force: true }).catch(() => {})
    await this.#lock.release().catch(() => {})
  }

  /** Behind `close`: removes the last checkpoint and what was written up to it. */
  async discard(): Promise<void> {
    await this.#partial.forget()
    await rm(this.#partial.path, { force: true })
    await rmdir(this.#folder).catch(() => {}) // what others keep in it stays
  }

  get #packed(): string {
    return join(this.#folder, 'packed')
  }

  async #setPacking(compression: unknown): Promise<void> {
    this.#packing = packingOf(compression, this.#path)
    if (this.#packing) await checkPackable(this.#path, { packing: this.#packing, python: this.#python })
  }

  /** The partial file stays until the packed one is safe: who is killed meanwhile goes on at its checkpoint. */
  async #pack(packing: Packing, signal?: AbortSignal): Promise<string> {
    await packFile(this.#partial.path, this.#packed, this.#path, { packing, python: this.#python, signal })
    return this.#packed
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
