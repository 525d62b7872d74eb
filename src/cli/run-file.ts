import { existsSync } from 'node:fs'
import { rm, rmdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { unfinishedFolder } from '../../connectors/file/output-path.ts'
import {
  checkPrivateFolder,
  makePrivateFolder,
  readPrivate,
  replacePrivate,
} from '../../connectors/file/private-folder.ts'
import { RowmillError } from '../errors.ts'
import type { UnfinishedRun } from '../run.ts'
import { identifySelf, type ProcessIdentity } from '../support/process-identity.ts'
import { version } from '../support/version.ts'

/** Everything that is needed to resume a run. */
export interface SavedRun<Options> extends UnfinishedRun {
  readonly rowmill: string
  readonly output: string
  /** The machine and the process that began or resumed it last. */
  readonly host: string
  readonly process: ProcessIdentity
  /** The working folder of the command. Paths in its options are relative to it. */
  readonly folder: string
  readonly input: string
  readonly options: Options
}

/** The file of an unfinished run in `OUT.rowmill`, where its sink keeps its files too. */
export class RunFile<Options> {
  readonly output: string
  readonly #folder: string
  readonly #path: string

  constructor(output: string) {
    this.output = resolve(output)
    this.#folder = unfinishedFolder(this.output)
    this.#path = join(this.#folder, 'run.json')
  }

  get exists(): boolean {
    return existsSync(this.#path)
  }

  /** The folder for the topics of a local broker. Null if Kafka would read the path as several paths. */
  get brokerData(): string | null {
    return this.#folder.includes(',') ? null : join(this.#folder, 'broker')
  }

  get path(): string {
    return this.#path
  }

  /**
   * Throws OUTPUT_UNUSABLE if other users can write it, because rowmill runs the classifier that it names, and USAGE if
   * there is no run to resume.
   */
  async read(): Promise<SavedRun<Options>> {
    await checkPrivateFolder(this.#folder)
    let saved: SavedRun<Options>
    try {
      saved = JSON.parse(await readPrivate(this.#path))
    } catch (cause) {
      const why = this.exists ? `${this.#path} cannot be read` : `there is no unfinished run in ${this.#folder}`
      throw new RowmillError('USAGE', `${why}: give IN and OUT to start one`, { path: this.#path }, { cause })
    }
    if (saved.rowmill === version()) return saved
    const message = `${this.#path} was written by rowmill ${saved.rowmill}, and this is ${version()}: resume with that version, or discard the run with --restart`
    throw new RowmillError('USAGE', message, { path: this.#path })
  }

  async write(saved: Omit<SavedRun<Options>, 'rowmill' | 'output' | 'host' | 'process'>): Promise<void> {
    try {
      await makePrivateFolder(this.#folder)
      const { output } = this
      const who = { rowmill: version(), output, host: hostname(), process: identifySelf() }
      await replacePrivate(this.#path, JSON.stringify({ ...who, ...saved }, null, 2))
    } catch (cause) {
      if (cause instanceof RowmillError) throw cause
      const message = `cannot write ${this.#path}: ${(cause as Error).message}`
      throw new RowmillError('OUTPUT_FAILED', message, { path: this.#path }, { cause })
    }
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true })
    await rm(`${this.#path}.next`, { force: true })
    await rm(join(this.#folder, 'broker'), { recursive: true, force: true })
    await rmdir(this.#folder).catch(() => {}) // fails if the sink has files in it, and they must stay
  }
}
