import { link, open, rename, rmdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { type JobSummary, RowmillError, type Sink, type SinkHeader, type Values } from '../src/index.ts'
import { type Packing, packingOf } from '../src/pandas/packing.ts'
import { OutputFormat } from './csv/output-format.ts'
import { CheckpointedFile, contentOf, type FileContent } from './file/checkpointed-file.ts'
import { OutputLock } from './file/output-lock.ts'

import { checkOutput, checkOwner, syncFolder, takeAccessOf, unfinishedFolder, writing } from './file/output-path.ts'
import { checkPackable, packFile } from './file/pack.ts'

export interface FileSinkOptions {
  readonly path: string
  /** Replace the file if it exists. It stays as it is until the new one is complete. */
  readonly force: boolean
  /** Discard what an unfinished job left. */
  readonly restart?: boolean
  /** Whether an unfinished job can be resumed, because its input can be read again. Default: true. */
  readonly resumable?: boolean
  /** The argument `compression` of to_csv, if it is known before the first row. `reserve` then refuses what it cannot pack. */
  readonly compression?: { readonly value: unknown }
  /** The Python whose standard library packs what Node cannot. Default: python3. */
  readonly python?: string
  /** Whether `close` leaves the proof that the output is complete, until `forgetCommit` removes it. Default: false. */
  readonly keepsProof?: boolean
}

/**
 * Exactly once, also after a crash.
 *
 * Writes the rows to a file that gets its name only when it is complete and safe on disk. Until then they are in
 * `PATH.rowmill/partial-ID`, and the last checkpoint is beside it. Only this user can write there. A lock keeps a second
 * collector of the same file out. A compressed file (`packingOf`) is made from the partial file at the end.
 */
export class FileSink implements Sink {
  readonly #path: string
  readonly #force: boolean
  readonly #restart: boolean
  readonly #resumable: boolean
  readonly #python: string
  readonly #compression: FileSinkOptions['compression']
  readonly #keepsProof: boolean
  readonly #folder: string
  readonly #lock: OutputLock
  readonly #partial: CheckpointedFile
  #format: OutputFormat | null = null
  #packing: Packing | null = null
  #committed = false

  constructor(options: FileSinkOptions) {
    const { path, force, restart = false, resumable = true, keepsProof = false, python = 'python3' } = options
    this.#path = path
    this.#python = python
    this.#compression = options.compression
    this.#force = force
    this.#restart = restart
    this.#resumable = resumable
    this.#keepsProof = keepsProof
    this.#folder = unfinishedFolder(path)
    this.#lock = new OutputLock(path, this.#folder)
    this.#partial = new CheckpointedFile(this.#folder)
  }

  /** Throws if OUT cannot be written, or another collector writes it. From here to `close`, no other one can. */
  async reserve(): Promise<void> {
    if (this.#lock.isTaken) return
    if (this.#compression) await this.#setPacking(this.#compression.value)
    await checkOutput(this.#path, this.#force)
    await checkOwner(this.#path)
    await this.#io(() => this.#lock.take())
    try {
      await checkOutput(this.#path, this.#force) // the last holder of the lock may have finished the output
    } catch (error) {
      await this.#lock.release()
      throw error
    }
  }

  /** Whether an earlier job left a checkpoint and its rows are not complete. Throws OUTPUT_UNUSABLE if it cannot be read. */
  async isUnfinished(): Promise<boolean> {
    const last = await this.#partial.last()
    return last !== null && !last.complete
  }

  async open(): Promise<string | null> {
    await this.reserve()
    if (this.#restart) await this.#io(() => this.#partial.forget())
    const last = await this.#partial.last()
    if (last?.partial === null) throw this.#ofFollow()
    // An output that was complete and is no longer there leaves nothing to resume.
    if (last?.complete) await this.#io(() => this.#partial.forget())
    const unfinished = last?.complete ? null : last
    await this.#io(() => this.#partial.open(unfinished))
    return unfinished?.note ?? null
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

  /** After a kill in here, the checkpoint tells whether the output has its name: see finish-commit.ts. */
  async commit(summary?: Pick<JobSummary, 'job'>, signal?: AbortSignal): Promise<void> {
    await this.#io(async () => {
      const plain = { path: this.#partial.path, content: await this.#partial.verify() }
      const { path, content } = this.#packing ? await this.#pack(this.#packing, signal) : plain
      await takeAccessOf(this.#path, path)
      const complete = { ...content, job: summary?.job ?? null }
      await this.#partial.save({ note: null, complete, partial: basename(path) })
      await this.#partial.close()
      if (this.#force) await rename(path, this.#path)
      else await appear(path, this.#path)
      await syncFolder(dirname(this.#path))
      this.#committed = true
    })
  }

  /** Ignores files that it cannot remove: an earlier error says why, and the next sink copes with the rest. */
  async close(): Promise<void> {
    await this.#partial.close().catch(() => {})
    if (!this.#lock.isTaken) return
    const isOver = this.#committed || !this.#partial.hasCheckpoint
    if (isOver) await this.#partial.removePartials().catch(() => {})
    if (isOver && !this.#keepsProof) await this.#partial.forget().catch(() => {})
    await this.#lock.release().catch(() => {})
  }

  /** After `close`: removes the last checkpoint and the rows up to it. */
  async discard(): Promise<void> {
    await this.#partial.remove()
    await rmdir(this.#folder).catch(() => {}) // it stays if others keep files in it
  }

  async #setPacking(compression: unknown): Promise<void> {
    this.#packing = packingOf(compression, this.#path)
    if (this.#packing) await checkPackable(this.#path, { packing: this.#packing, python: this.#python })
  }

  /** The partial file stays until the packed one is safe on disk: after a kill, the next sink resumes at its checkpoint. */
  async #pack(packing: Packing, signal?: AbortSignal): Promise<{ path: string; content: FileContent }> {
    const path = this.#partial.newPath()
    await packFile(this.#partial.path, path, this.#path, { packing, python: this.#python, signal })
    const file = await open(path)
    try {
      return { path, content: await contentOf(file, (await file.stat()).size) }
    } finally {
      await file.close()
    }
  }

  #ofFollow(): RowmillError {
    const message = `${this.#path} was written by rowmill collect --follow: give --follow again, or discard it with --restart`
    return new RowmillError('OUTPUT_UNUSABLE', message, { path: this.#path })
  }

  #io<T>(action: () => Promise<T>): Promise<T> {
    return writing(this.#path, action)
  }
}

/** Gives a file its name, unless another file has it by now. Throws OUTPUT_EXISTS. */
export async function appear(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new RowmillError(
        'OUTPUT_EXISTS',
        `another program created ${path} while the job ran. Move that file away, or choose another OUT`,
        { path },
      )
    await rename(partial, path) // a file system without hard links
  }
}
