import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RowmillError } from '../../src/index.ts'
import { FileLock, lockHolder } from '../../src/support/file-lock.ts'
import { makePrivateFolder } from './private-folder.ts'

/** Keeps a second collector of the same output out, with a lock in the folder beside it. */
export class OutputLock {
  readonly #output: string
  readonly #folder: string
  readonly #file: string
  #lock: FileLock | null = null

  constructor(output: string, folder: string) {
    this.#output = output
    this.#folder = folder
    this.#file = join(folder, 'lock')
  }

  get isTaken(): boolean {
    return this.#lock !== null
  }

  /**
   * Makes the folder where it is missing. Throws OUTPUT_LOCKED, OUTPUT_UNUSABLE where the folder may be another user's
   * work, or what the file system says.
   */
  async take(): Promise<void> {
    if (this.#lock) return
    this.#lock = await this.#tryTake()
    if (!this.#lock) throw this.#locked()
  }

  /** Removes the folder too, unless others keep something in it. */
  async release(): Promise<void> {
    const lock = this.#lock
    this.#lock = null
    if (!lock) return
    lock.release()
    await rmdir(this.#folder).catch(() => {})
  }

  async #tryTake(): Promise<FileLock | null> {
    for (;;) {
      await makePrivateFolder(this.#folder)
      try {
        return await FileLock.take(this.#file)
      } catch (error) {
        // Whoever held it before removed the folder meanwhile.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
        await rmdir(this.#folder).catch(() => {}) // what others keep in it stays
        throw error
      }
    }
  }

  #locked(): RowmillError {
    const holder = lockHolder(this.#file)
    const by = holder ? `process ${holder.pid} on ${holder.host}` : 'another rowmill'
    const message = `${this.#output} is being written by ${by}: wait for it, or choose another OUT`
    return new RowmillError('OUTPUT_LOCKED', message, { path: this.#output, ...holder })
  }
}
