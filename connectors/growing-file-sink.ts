import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RowmillError } from '../src/errors.ts'
import type { JobOption, JobSummary, PackedRows, Sink, SinkHeader, Values } from '../src/index.ts'
import { packingOf } from '../src/pandas/packing.ts'
import { type FileForm, toCsvOf } from '../src/pandas/to-csv.ts'
import { checkPlain, OutputFormat } from './csv/output-format.ts'
import { type Checkpoint, CheckpointedFile } from './file/checkpointed-file.ts'
import { OutputLock } from './file/output-lock.ts'
import { checkOutput, syncFolder, unfinishedFolder, writing } from './file/output-path.ts'
import { checkPrivateFolder } from './file/private-folder.ts'

export interface GrowingFileSinkOptions {
  readonly path: string
  /** Replace the file if it exists. */
  readonly force: boolean
  /** Discard what an unfinished job left. */
  readonly restart?: boolean
}

/**
 * Exactly once, also after a crash. A reader may see rows that a crash then cuts off and the next collector writes again.
 *
 * Writes the rows of a job that does not end to a file that grows under its own name, whole lines at a time. Until the job
 * ends, the last checkpoint is in `PATH.rowmill`. After a crash, lines after the checkpoint are cut off. A lock keeps a second
 * collector of the same file out.
 */
export class GrowingFileSink implements Sink {
  readonly #path: string
  readonly #folder: string
  readonly #force: boolean
  readonly #restart: boolean
  readonly #lock: OutputLock
  readonly #file: CheckpointedFile
  #format: OutputFormat | null = null
  /** Whether the file is this job's, and open. */
  #mine = false
  /** Whether a checkpoint has a note. Without one, there is nothing in the file to resume. */
  #noted = false
  #complete = false

  constructor({ path, force, restart = false }: GrowingFileSinkOptions) {
    const folder = unfinishedFolder(path)
    this.#path = path
    this.#folder = folder
    this.#force = force
    this.#restart = restart
    this.#lock = new OutputLock(path, folder)
    this.#file = new CheckpointedFile(folder, path)
  }

  /** Throws if OUT cannot be written, or another collector writes it. From here to `close`, no other one can. */
  async reserve(): Promise<void> {
    if (this.#lock.isTaken) return
    await checkOutput(this.#path, this.#force || (await this.#isOurs()))
    await this.#io(() => this.#lock.take())
  }

  async open(): Promise<string | null> {
    await this.reserve()
    const last = this.#restart ? null : await this.#file.last()
    if (last && last.partial !== null) throw this.#ofOther()
    if (!last || last.complete) return null
    await this.#start(last)
    return last.note
  }

  async prepare(options: readonly JobOption[]): Promise<void> {
    await this.#checkForm(toCsvOf({ options }).file)
    await this.#start(null)
  }

  async restart(): Promise<void> {
    await this.#start(null)
    await this.#io(async () => {
      await this.#file.empty()
      await this.#file.save({ note: null })
    })
    this.#noted = false
  }

  async begin(header: SinkHeader | null): Promise<void> {
    await this.prepare(header?.options ?? [])
    this.#format = header && new OutputFormat(header)
    if (this.#format && this.#file.isEmpty) await this.#io(() => this.#file.append(this.#format!.headerLine))
  }

  async write(rows: readonly Values[]): Promise<void> {
    const lines = this.#format!.lines(rows)
    await this.#io(() => this.#file.append(lines))
  }

  async writePacked(rows: PackedRows): Promise<void> {
    const lines = this.#format!.packedLines(rows)
    await this.#io(() => this.#file.append(lines))
  }

  flush(): Promise<void> {
    return this.#io(() => this.#file.flush())
  }

  async checkpoint(note: string): Promise<void> {
    await this.#io(() => this.#file.save({ note }))
    this.#noted = true
  }

  /** The checkpoint says until `close` that the file is complete: a kill may come in between. */
  async commit(summary?: Pick<JobSummary, 'job'>): Promise<void> {
    await this.#io(async () => {
      const content = await this.#file.verify()
      await this.#file.save({ note: null, complete: { ...content, job: summary?.job ?? null } })
      await syncFolder(dirname(this.#path))
    })
    this.#complete = true
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => {})
    if (!this.#lock.isTaken) return
    if (this.#mine) await this.#tidy().catch(() => {})
    await this.#lock.release().catch(() => {})
  }

  /** Opens the file as it was at this checkpoint. Null empties it, once this job is not refused. */
  async #start(last: Checkpoint | null): Promise<void> {
    if (this.#mine) return
    await this.#io(async () => {
      // The checkpoint comes first. After a kill between the two, the next sink would refuse a file without one.
      if (!last) await this.#file.save({ note: null })
      await this.#file.open(last)
      await this.#file.removePartials()
    })
    this.#mine = true
    this.#noted = last !== null && last.note !== null
  }

  async #checkForm(form: FileForm): Promise<void> {
    if (packingOf(form.compression, this.#path)) throw this.#packed()
    if (form.mode === 'a') throw this.#appended()
    checkPlain(form, 'a file that grows')
    if (form.mode === 'x' && !this.#mine) await checkOutput(this.#path, await this.#isOurs())
  }

  async #tidy(): Promise<void> {
    const isEmpty = !this.#complete && !this.#noted && this.#file.isEmpty
    if (isEmpty) await rm(this.#path, { force: true })
    if (isEmpty || this.#complete) await this.#file.forget()
  }

  async #isOurs(): Promise<boolean> {
    await checkPrivateFolder(this.#folder)
    const last = await this.#file.last()
    return last?.partial === null && !last.complete
  }

  #packed(): RowmillError {
    const message = `${this.#path} cannot grow, because the job asks for a compressed file (--to-csv compression): collect it without --follow when it has ended`
    return new RowmillError('USAGE', message, { path: this.#path })
  }

  #appended(): RowmillError {
    const message = `--to-csv mode="a": ${this.#path} grows from its first row, and rowmill does not append to another file. Leave the mode out`
    return new RowmillError('USAGE', message, { path: this.#path })
  }

  #ofOther(): RowmillError {
    const message = `${this.#folder} holds an unfinished job that was collected without --follow: resume that one, or discard it with --restart`
    return new RowmillError('OUTPUT_UNUSABLE', message, { path: this.#path })
  }

  #io<T>(action: () => Promise<T>): Promise<T> {
    return writing(this.#path, action)
  }
}
