import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { RowmillError } from '../errors.ts'
import type { UnfinishedRun } from '../run.ts'
import { version } from '../version.ts'

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
    this.#folder = `${resolve(output)}.rowmill`
    this.#path = join(this.#folder, 'run.json')
  }

  get exists(): boolean {
    return existsSync(this.#path)
  }

  /** Where the local broker of the run keeps its topics; null where Kafka would take the path for several. */
  get brokerData(): string | null {
    return this.#folder.includes(',') ? null : join(this.#folder, 'broker')
  }

  async read(): Promise<RunState<Options>> {
    let state: RunState<Options>
    try {
      state = JSON.parse(await readFile(this.#path, 'utf8'))
    } catch (cause) {
      const why = this.exists ? `${this.#path} cannot be read` : `there is no unfinished run in ${this.#folder}`
      throw new RowmillError('USAGE', `${why}: give IN and OUT to begin one`, { path: this.#path }, { cause })
    }
    if (state.rowmill === version()) return state
    const message = `${this.#path} is of rowmill ${state.rowmill}, and this is ${version()}: go on with that, or --restart`
    throw new RowmillError('USAGE', message, { path: this.#path })
  }

  async write(state: Omit<RunState<Options>, 'rowmill'>): Promise<void> {
    const next = `${this.#path}.next`
    try {
      await mkdir(this.#folder).catch(error => {
        if (error.code !== 'EEXIST') throw error
      })
      await writeFile(next, JSON.stringify({ rowmill: version(), ...state }, null, 2), { flush: true })
      await rename(next, this.#path)
    } catch (cause) {
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
