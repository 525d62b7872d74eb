import { constants } from 'node:fs'
import { copyFile, open, rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { RowmillError } from '../../src/errors.ts'
import { canSeek, type Packing, packingOf } from '../../src/pandas/packing.ts'
import type { FileForm } from '../../src/pandas/to-csv.ts'
import { checkEncodable, encodeFile } from './encode.ts'
import { checkPackable, packFile } from './pack.ts'

/** How the text of the rows becomes the output at `path`. */
export class OutputForm {
  readonly #path: string
  readonly #form: FileForm
  readonly #packing: Packing | null
  readonly #python: string

  /** Throws USAGE if no file can have this form. */
  constructor(path: string, form: FileForm, python: string) {
    this.#path = path
    this.#form = form
    this.#packing = packingOf(form.compression, path)
    this.#python = python
    const method = this.#packing?.method
    if (form.mode !== 'a' || (method !== 'zip' && method !== 'tar')) return
    const message = `--to-csv mode="a": OUT ${path} would be an archive (${method}), and rowmill adds no member to one. Choose another OUT, or mode "w"`
    throw new RowmillError('USAGE', message, { argument: 'mode', value: 'a' })
  }

  /** Whether the output begins with what is in its place. */
  get appends(): boolean {
    return this.#form.mode === 'a'
  }

  /** Throws USAGE or PYTHON_UNUSABLE if this machine cannot make such a file. */
  async check(): Promise<void> {
    const { encoding, errors } = this.#form
    const [path, python] = [this.#path, this.#python]
    if (encoding !== null || errors !== 'strict')
      await checkEncodable({ encoding: encoding ?? 'utf-8', errors, python, path })
    if (this.#packing) await checkPackable(path, { packing: this.#packing, python })
  }

  /**
   * Makes the output of the text in the file at `text`, in files named by `newPath`. Resolves with the path of the last one,
   * which is safe on disk. That may be `text` itself. Throws as `encodeFile` and `packFile` do.
   */
  async make(text: string, { newPath, signal }: { newPath: () => string; signal?: AbortSignal | undefined }) {
    const { encoding, errors } = this.#form
    const [path, python] = [this.#path, this.#python]
    const before = this.appends ? await stat(path).catch(() => null) : null
    const joined = before === null ? null : newPath()
    if (joined) await copyFile(path, joined, constants.COPYFILE_FICLONE)
    let made = text
    // A packed file is encoded from its start, whatever it is appended to.
    if (encoding !== null) {
      made = joined !== null && this.#packing === null ? joined : newPath()
      await encodeFile(text, made, { encoding, errors, seeks: canSeek(this.#packing), python, path, signal })
    }
    if (this.#packing) {
      const packed = newPath()
      await packFile(made, packed, path, { packing: this.#packing, mode: this.#form.mode, python, signal })
      made = packed
    }
    if (joined === null || made === joined) return { path: made, before }
    await append(made, joined, signal)
    return { path: joined, before }
  }
}

async function append(from: string, to: string, signal?: AbortSignal): Promise<void> {
  const [source, target] = [await open(from), await open(to, 'a')]
  try {
    await pipeline(
      source.createReadStream({ autoClose: false }),
      chunks => target.writeFile(chunks),
      signal ? { signal } : {},
    )
    await target.sync()
  } catch (error) {
    await rm(to, { force: true })
    signal?.throwIfAborted()
    throw error
  } finally {
    await source.close()
    await target.close()
  }
}
