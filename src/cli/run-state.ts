import { existsSync } from 'node:fs'
import { rm, rmdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { stateFolder } from '../../connectors/file/output-path.ts'
import {
  checkPrivateFolder,
  makePrivateFolder,
  readPrivate,
  replacePrivate,
} from '../../connectors/file/private-folder.ts'
import { RowmillError } from '../errors.ts'
import type { UnfinishedRun } from '../run.ts'
import { version } from './version.ts'

/** Everything that a run needs to be gone on with. */
export interface RunState<Options> extends UnfinishedRun {
  readonly rowmill: string
  /** Where the command was given: paths in its options are meant from there. */
  readonly folder: string
  readonly input: string
  readonly options: Options
}

/** What an unfinished run keeps in `OUT.rowmill` beside what its sink keeps there. */
export class RunStateFile<Options> {
  readonly #folder: string
  readonly #path: string

  constructor(output: string) {
    this.#folder = stateFolder(resolve(output))
    this.#path = join(this.#folder, 'run.json')
  }

  get exists(): boolean {
    return existsSync(this.#path)
  }

  /** Where the local broker of the run keeps its topics; null where Kafka would take the path for several. */
  get brokerData(): string | null {
    return this.#folder.includes(',') ? null : join(this.#folder, 'broker')
  }

  /** Throws OUTPUT_UNUSABLE where others may have written it: what it says is run. USAGE where there is none to resume. */
  async read(): Promise<RunState<Options>> {
    await checkPrivateFolder(this.#folder)
    let state: RunState<Options>
    try {
      state = JSON.parse(await readPrivate(this.#path))
    } catch (cause) {
      const why = this.exists ? `${this.#path} cannot be read` : `there is no unfinished run in ${this.#folder}`
      throw new RowmillError('USAGE', `${why}: give IN and OUT to begin one`, { path: this.#path }, { cause })
    }
    if (state.rowmill === version()) return state
    const message = `${this.#path} is of rowmill ${state.rowmill}, and this is ${version()}: go on with that, or --restart`
    throw new RowmillError('USAGE', message, { path: this.#path })
  }

  async write(state: Omit<RunState<Options>, 'rowmill'>): Promise<void> {
    try {
      await makePrivateFolder(this.#folder)
      await replacePrivate(this.#path, JSON.stringify({ rowmill: version(), ...state }, null, 2))
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
    await rmdir(this.#folder).catch(() => {}) // what the sink keeps in it stays
  }
}
