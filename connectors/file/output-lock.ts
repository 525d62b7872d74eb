import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RowmillError } from '../../src/errors.ts'
import { FileLock, lockHolder } from '../../src/support/file-lock.ts'
import { makePrivateFolder } from './private-folder.ts'

/** A lock in the folder beside an output. It keeps a second collector of the output out. */
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
   * Makes the folder if it is missing. Throws OUTPUT_LOCKED, OUTPUT_UNUSABLE if another user may have written the folder, or
   * the error of the file system.
   */
  async take(): Promise<void> {
    if (this.#lock) return
    this.#lock = await this.#tryTake()
    if (!this.#lock) throw this.#locked()
  }

  /** Removes the folder too, unless others keep files in it. */
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
        // The last holder has removed the folder meanwhile.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
        await rmdir(this.#folder).catch(() => {}) // it stays if others keep files in it
        throw error
      }
    }
  }

  #locked(): RowmillError {
    const holder = lockHolder(this.#file)
    const by = holder ? `process ${holder.pid} on ${holder.host}` : 'another rowmill'
    const message = `${by} is writing ${this.#output}: wait for it, or choose another OUT`
    return new RowmillError('OUTPUT_LOCKED', message, { path: this.#output, ...holder })
  }
}
