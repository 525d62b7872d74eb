import { link, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { identifySelf, isAlive, type ProcessIdentity, RowmillError } from '../src/index.ts'

/** Keeps a second collector of the same output out: a file in the folder beside it that says who writes. */
export class OutputLock {
  readonly #output: string
  readonly #folder: string
  #taken = false

  constructor(output: string, folder: string) {
    this.#output = output
    this.#folder = folder
  }

  get isTaken(): boolean {
    return this.#taken
  }

  /** Makes the folder where it is missing. Throws OUTPUT_LOCKED, or what the file system says. */
  async take(): Promise<void> {
    if (this.#taken) return
    await makeFolder(this.#folder)
    const file = join(this.#folder, 'lock')
    const mine = `${file}.${process.pid}`
    try {
      await writeFile(mine, JSON.stringify(identifySelf()))
      while (!(await takeName(mine, file))) await this.#removeStale(file)
      this.#taken = true
    } finally {
      await rm(mine, { force: true })
      if (!this.#taken) await rmdir(this.#folder).catch(() => {}) // what others keep in it stays
    }
  }

  /** Removes the folder too, unless others keep something in it. */
  async release(): Promise<void> {
    if (!this.#taken) return
    this.#taken = false
    await rm(join(this.#folder, 'lock'), { force: true })
    await rmdir(this.#folder).catch(() => {})
  }

  async #removeStale(file: string): Promise<void> {
    const owner = parseOwner(await readFile(file, 'utf8').catch(() => ''))
    if (owner && isAlive(owner)) {
      const message = `${this.#output} is being written by process ${owner.pid}: wait for it, or choose another OUT`
      throw new RowmillError('OUTPUT_LOCKED', message, { path: this.#output, pid: owner.pid })
    }
    await rm(file, { force: true })
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
