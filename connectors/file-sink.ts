import { link, rename, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type JobSummary, RowmillError, type Sink, type SinkHeader, type Values } from '../src/index.ts'
import { CheckpointedFile } from './checkpointed-file.ts'
import { OutputFormat } from './output-format.ts'
import { OutputLock } from './output-lock.ts'
import { checkOutput, checkOwner, stateFolder, syncFolder, takeAccessOf, writing } from './output-path.ts'

export interface FileSinkOptions {
  readonly path: string
  /** Replace the file if it exists; it stays as it is until the new one is complete. */
  readonly force: boolean
  /** Forget what an unfinished job left of it. */
  readonly restart?: boolean
  /** Whether an unfinished job is to be gone on with: its input may be read again. Default: true. */
  readonly resumable?: boolean
  /** Whether `close` leaves what proves that the output is complete until `forgetCommit` is called. Default: false. */
  readonly keepsProof?: boolean
}

/**
 * Writes the rows to a file that appears under its name only when it is complete and safe on disk. Until then they
 * stand in `PATH.rowmill/partial-ID`, with the last checkpoint beside it. Nobody but this user can write there. A lock
 * keeps a second collector of the same file out.
 */
export class FileSink implements Sink {
  readonly #path: string
  readonly #force: boolean
  readonly #restart: boolean
  readonly #resumable: boolean
  readonly #keepsProof: boolean
  readonly #folder: string
  readonly #lock: OutputLock
  readonly #partial: CheckpointedFile
  #format: OutputFormat | null = null
  #committed = false

  constructor({ path, force, restart = false, resumable = true, keepsProof = false }: FileSinkOptions) {
    this.#path = path
    this.#force = force
    this.#restart = restart
    this.#resumable = resumable
    this.#keepsProof = keepsProof
    this.#folder = stateFolder(path)
    this.#lock = new OutputLock(path, this.#folder)
    this.#partial = new CheckpointedFile(this.#folder)
  }

  /** Throws where OUT cannot be written, or is being written; until `close`, nobody else can. */
  async reserve(): Promise<void> {
    if (this.#lock.isTaken) return
    await checkOutput(this.#path, this.#force)
    await checkOwner(this.#path)
    await this.#io(() => this.#lock.take())
  }

  /** Whether a job before has left a checkpoint and rows are missing. Throws OUTPUT_UNUSABLE where it cannot be read. */
  async isUnfinished(): Promise<boolean> {
    const last = await this.#partial.last()
    return last !== null && !last.complete
  }

  async open(): Promise<string | null> {
    await this.reserve()
    if (this.#restart) await this.#io(() => this.#partial.forget())
    const last = await this.#partial.last()
    if (last?.partial === null) throw this.#ofFollow()
    // What was complete, and is not there, is nothing to go on with.
    if (last?.complete) await this.#io(() => this.#partial.forget())
    const goOn = last?.complete ? null : last
    await this.#io(() => this.#partial.open(goOn))
    return goOn?.note ?? null
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

  /** What is killed from here on finds out by the checkpoint whether the output has its name: see finish-commit.ts. */
  async commit(summary?: Pick<JobSummary, 'job'>): Promise<void> {
    await this.#io(async () => {
      const { path } = this.#partial
      const content = await this.#partial.verify()
      await takeAccessOf(this.#path, path)
      await this.#partial.save({ note: null, complete: { ...content, job: summary?.job ?? null } })
      await this.#partial.close()
      if (this.#force) await rename(path, this.#path)
      else await appear(path, this.#path)
      await syncFolder(dirname(this.#path))
      this.#committed = true
    })
  }

  /** Says nothing of a disk that lets nothing be removed: what broke before does, and the next sink copes with the rest. */
  async close(): Promise<void> {
    await this.#partial.close().catch(() => {})
    if (!this.#lock.isTaken) return
    const isOver = this.#committed || !this.#partial.hasCheckpoint
    if (isOver) await this.#partial.removePartials().catch(() => {})
    if (isOver && !this.#keepsProof) await this.#partial.forget().catch(() => {})
    await this.#lock.release().catch(() => {})
  }

  /** Behind `close`: removes the last checkpoint and what was written up to it. */
  async discard(): Promise<void> {
    await this.#partial.remove()
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

/** Gives a file its name unless a file of that name came up meanwhile. Throws OUTPUT_EXISTS. */
export async function appear(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new RowmillError('OUTPUT_EXISTS', `${path} was created by someone else meanwhile`, { path })
    await rename(partial, path) // a file system without hard links
  }
}
