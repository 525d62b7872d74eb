import { stat } from 'node:fs/promises'
import { RowmillError } from '../src/errors.ts'
import type { Source, SourceHeader, SourceRows } from '../src/index.ts'
import { type CheckedCalls, PandasReader } from '../src/python/pandas-reader.ts'
import { CheckedFile, openInput } from './file/checked-file.ts'

export interface PandasSourceOptions {
  /** A regular file. pandas unpacks and decodes it as the call says. */
  readonly path: string
  /** The call of the original program, such as `pd.read_csv(IN, sep=';')`, or `module:NAME`, a dict of its arguments. */
  readonly read: string
  /** Its call of to_csv, such as `df.to_csv(OUT, index=False)`. Default: `options` of `run` say how the output is written. */
  readonly write?: string | null
  /** Whether pandas reads one column after the other: the memory of one column, about twice the time. Default: false. */
  readonly lowMemory?: boolean
  /** The classifier, whose module has the functions and dtypes that the calls name. Default: the calls name none. */
  readonly classifier?: string | null
  /** The interpreter, with the pandas of the original program. Default: python3. */
  readonly python?: string
  /** Called with each warning, such as rows that `on_bad_lines` leaves out. */
  say?(message: string): void
  /** Called with what the user's code printed. Default: it goes to standard error. */
  onOutput?(text: string): void
}

/**
 * Every row of a file exactly once, also after a crash, as pandas reads it with the call of the original program.
 *
 * `open` lets pandas read the whole file, and so takes the memory that the original program took (or that of its largest
 * column, with `lowMemory`). It proves that workers
 * make the same frames of the rows, before any row is published (docs/csv.md). The rows then come from a file without a
 * name in the temporary folder, so later changes of the input do no harm, and nothing is left behind.
 *
 * Throws as PandasReader does, INPUT_NOT_FOUND and INPUT_UNREADABLE, INPUT_CHANGED if the file changes while it is read, and
 * USAGE for input that can be read only once.
 */
export class PandasSource implements Source {
  readonly #path: string
  readonly #reader: PandasReader
  #opening: Promise<CheckedFile> | null = null
  #closed = false

  /** `reader` is for tests. */
  constructor(options: PandasSourceOptions, reader = readerOf(options)) {
    this.#path = options.path
    this.#reader = reader
  }

  /** Opens the file, parses the calls and looks up their names. `open` does it too. */
  async check(): Promise<CheckedCalls> {
    this.#opening ??= this.#openFile()
    await this.#opening
    return await this.#reader.check()
  }

  async open(counted: (rows: number) => void = () => {}): Promise<SourceHeader> {
    const { options } = await this.check()
    const file = await this.#opening!
    const learned = await this.#learn(file, counted)
    const { columns, total, recipe, digest, longestBytes } = learned
    const found = [
      { name: 'recipe', value: recipe },
      { name: 'sourceDigest', value: digest },
    ]
    const length = longestBytes === undefined ? {} : { longestBytes }
    return { columns, indexKind: null, identity: file.identity, total, ...length, options: [...options, ...found] }
  }

  async *rows(): AsyncGenerator<SourceRows> {
    if (this.#opening === null)
      throw new RowmillError('INTERNAL', 'rows() of a pandas source was called before open().')
    yield* this.#reader.rows()
  }

  async close(): Promise<void> {
    this.#closed = true
    const [file] = await Promise.all([this.#opening?.catch(() => null), this.#reader.close()])
    await file?.close()
  }

  /** A pipe without a writer would never open. */
  async #openFile(): Promise<CheckedFile> {
    if (this.#path === '-') throw readOnce('standard input')
    const found = await stat(this.#path).catch(() => null)
    const file = found && !found.isFile() && !found.isDirectory() ? null : await openInput(this.#path)
    if (file instanceof CheckedFile) return file
    await file?.handle.close()
    throw readOnce(this.#path)
  }

  /** pandas opens the file by its name. It must be the file that we opened, and stay as it is. */
  async #learn(file: CheckedFile, counted: (rows: number) => void) {
    try {
      return await this.#reader.learn(this.#path, counted)
    } finally {
      // A change explains whatever pandas said.
      if (!this.#closed) await file.checkUnchanged()
      if (!this.#closed) await file.checkName()
    }
  }
}

function readerOf(options: PandasSourceOptions): PandasReader {
  return new PandasReader({
    python: options.python ?? 'python3',
    read: options.read,
    write: options.write ?? null,
    lowMemory: options.lowMemory ?? false,
    classifier: options.classifier ?? null,
    say: message => options.say?.(message),
    onOutput: text => (options.onOutput ? options.onOutput(text) : process.stderr.write(text)),
  })
}

function readOnce(name: string): RowmillError {
  const message = `--read: ${name} can be read only once, and pandas reads the whole file several times. Write it to a file first.`
  return new RowmillError('USAGE', message)
}
