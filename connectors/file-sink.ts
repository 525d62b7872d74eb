import { existsSync, type Stats } from 'node:fs'
import { rename, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { RowmillError } from '../src/errors.ts'
import type { JobOption, JobSummary, PackedRows, Sink, SinkHeader, Values } from '../src/index.ts'
import { checkToCsv, type FileForm, toCsvOf } from '../src/pandas/to-csv.ts'
import { OutputFormat } from './csv/output-format.ts'
import {
  type Checkpoint,
  CheckpointedFile,
  type CompleteContent,
  contentAt,
  hasContent,
} from './file/checkpointed-file.ts'
import { nameAppended } from './file/name-appended.ts'
import { OutputForm } from './file/output-form.ts'
import { OutputLock } from './file/output-lock.ts'
import {
  appear,
  checkOutput,
  checkOwner,
  syncFolder,
  takeAccessOf,
  unfinishedFolder,
  writing,
} from './file/output-path.ts'

export interface FileSinkOptions {
  readonly path: string
  /** Replace the file if it exists. It stays as it is until the new one is complete. */
  readonly force: boolean
  /** Discard what an unfinished job left. */
  readonly restart?: boolean
  /** Whether an unfinished job can be resumed, because its input can be read again. Default: true. */
  readonly resumable?: boolean
  /** The arguments of to_csv, if they are known before the first row. `reserve` then refuses what it cannot make. */
  readonly toCsv?: Readonly<Record<string, unknown>>
  /** Whether OUT may exist until the job says in `prepare` that it appends to OUT. Default: false. */
  readonly asksJob?: boolean
  /** The Python whose standard library encodes and packs what Node cannot. Default: python3. */
  readonly python?: string
  /** Whether `close` leaves the proof that the output is complete, until `forgetCommit` removes it. Default: false. */
  readonly keepsProof?: boolean
}

/**
 * Exactly once, also after a crash.
 *
 * Writes the rows to a file that gets its name only when it is complete and safe on disk. Until then they are in
 * `PATH.rowmill/partial-ID`, and the last checkpoint is beside it. Only this user can write there. A lock keeps a second
 * collector of the same file out. The partial file is plain UTF-8 text. Another encoding, a packed file, and a file with what
 * was there before, are made of it at the end (`OutputForm`).
 */
export class FileSink implements Sink {
  readonly rewrites = true
  readonly #path: string
  readonly #forced: boolean
  readonly #asksJob: boolean
  readonly #restart: boolean
  readonly #resumable: boolean
  readonly #python: string
  #known: FileForm | undefined
  readonly #keepsProof: boolean
  readonly #folder: string
  readonly #lock: OutputLock
  readonly #partial: CheckpointedFile
  #format: OutputFormat | null = null
  #form: OutputForm
  #started = false
  #committed = false

  constructor(options: FileSinkOptions) {
    const { path, force, asksJob = false, restart = false, resumable = true } = options
    const { keepsProof = false, python = 'python3' } = options
    this.#path = path
    this.#python = python
    this.#known = options.toCsv && checkToCsv(options.toCsv).file
    this.#form = new OutputForm(path, checkToCsv({}).file, python)
    this.#forced = force
    this.#asksJob = asksJob
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
    if (this.#known) await this.#setForm(this.#known)
    await checkOutput(this.#path, this.#mayExist)
    await checkOwner(this.#path)
    await this.#io(() => this.#lock.take())
    try {
      await checkOutput(this.#path, this.#mayExist) // the last holder of the lock may have finished the output
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
    const last = this.#restart ? null : await this.#partial.last()
    if (last?.partial === null) throw this.#ofFollow()
    if (last?.complete?.appended) await this.#checkNotAppended(last.partial!, last.complete)
    // An output that was complete and is no longer there leaves nothing to resume.
    if (!last || last.complete) return null
    await this.#start(last)
    return last.note
  }

  async restart(): Promise<void> {
    await this.#start(null)
    await this.#io(() => this.#partial.empty())
  }

  async prepare(options: readonly JobOption[]): Promise<void> {
    if (!this.#known) {
      this.#known = toCsvOf({ options }).file
      await this.#setForm(this.#known)
      await checkOutput(this.#path, this.#mayExist)
    }
    await this.#start(null)
  }

  async begin(header: SinkHeader | null): Promise<void> {
    this.#format = header && new OutputFormat(header)
    if (header) await this.prepare(header.options)
    else await this.#start(null)
    if (this.#format && this.#partial.isEmpty) await this.#io(() => this.#partial.append(this.#format!.headerLine))
  }

  async write(rows: readonly Values[]): Promise<void> {
    const lines = this.#format!.lines(rows)
    await this.#io(() => this.#partial.append(lines))
  }

  async writePacked(rows: PackedRows): Promise<void> {
    const lines = this.#format!.packedLines(rows)
    await this.#io(() => this.#partial.append(lines))
  }

  async checkpoint(note: string): Promise<void> {
    if (this.#resumable) await this.#io(() => this.#partial.save({ note }))
  }

  /** After a kill in here, the checkpoint tells whether the output has its name: see finish-commit.ts. */
  async commit(summary?: Pick<JobSummary, 'job'>, signal?: AbortSignal): Promise<void> {
    await this.#io(async () => {
      const written = await this.#partial.verify()
      do {
        const made = await this.#form.make(this.#partial.path, { newPath: () => this.#partial.newPath(), signal })
        const content = made.path === this.#partial.path ? written : await contentAt(made.path)
        await takeAccessOf(this.#path, made.path)
        const complete = { ...content, job: summary?.job ?? null, ...(this.#form.appends && { appended: true }) }
        await this.#partial.save({ note: null, complete, partial: basename(made.path) })
        this.#committed = await this.#name(made)
      } while (!this.#committed)
      await this.#partial.close()
      await syncFolder(dirname(this.#path))
    })
  }

  /** Gives a finished file its name. False: the output that it begins with has changed meanwhile. */
  async #name({ path, before }: { path: string; before: Stats | null }): Promise<boolean> {
    if (this.#form.appends) return await nameAppended(path, this.#path, before)
    if (this.#force) await rename(path, this.#path)
    else await appear(path, this.#path)
    return true
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

  /** After `close`: removes the last checkpoint and the rows up to it. A complete output keeps its proof, and another job its rows. */
  async discard(): Promise<void> {
    if (!this.#started || this.#committed) return
    await this.#partial.remove()
    await rmdir(this.#folder).catch(() => {}) // it stays if others keep files in it
  }

  /** Opens the partial file as it was at this checkpoint. Null discards what an earlier job left, once this job is not refused. */
  async #start(last: Checkpoint | null): Promise<void> {
    if (this.#started) return
    await this.#io(async () => {
      if (!last) await this.#partial.forget()
      await this.#partial.open(last)
    })
    this.#started = true
  }

  get #force(): boolean {
    return this.#forced && this.#known?.mode !== 'x'
  }

  get #mayExist(): boolean {
    return this.#force || this.#form.appends || (this.#asksJob && !this.#known)
  }

  async #setForm(form: FileForm): Promise<void> {
    this.#form = new OutputForm(this.#path, form, this.#python)
    if (this.#form.appends && this.#force) throw this.#appendsByForce()
    await this.#form.check()
  }

  #appendsByForce(): RowmillError {
    const message = `--to-csv mode="a" appends to ${this.#path}, and --force replaces it: leave one of them out`
    return new RowmillError('USAGE', message, { path: this.#path })
  }

  /** A kill came in the commit of an earlier sink. It has appended its rows if its finished file has its place no longer. */
  async #checkNotAppended(partial: string, complete: CompleteContent): Promise<void> {
    const { job } = complete
    const facts = { path: this.#path, job }
    if (await hasContent(this.#path, complete)) {
      const message = `${this.#path} has the rows of job ${job}, but its command was killed before it could say so: give that command again, or discard what it left with --restart`
      throw new RowmillError('OUTPUT_UNUSABLE', message, facts)
    }
    if (existsSync(join(this.#folder, partial))) return
    const message = `the rows of job ${job} were appended to ${this.#path}, and another program has changed that file since. Look whether they are in it. --restart appends as if they never were`
    throw new RowmillError('OUTPUT_UNUSABLE', message, facts)
  }

  #ofFollow(): RowmillError {
    const message = `${this.#path} was written by rowmill collect --follow: give --follow again, or discard it with --restart`
    return new RowmillError('OUTPUT_UNUSABLE', message, { path: this.#path })
  }

  #io<T>(action: () => Promise<T>): Promise<T> {
    return writing(this.#path, action)
  }
}
