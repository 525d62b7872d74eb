import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { SourceRows } from '../connector.ts'
import { RowmillError } from '../errors.ts'
import type { JobOption } from '../model.ts'
import { frameOf } from '../support/frame.ts'
import type { Say, ShowOutput } from '../support/say.ts'
import { endedEarly, PythonChild, type PythonEnd } from './child.ts'

const READER = fileURLToPath(new URL('../classifier/python/reader.py', import.meta.url))
/** After this long without the last row, we log what we wait for. */
const PATIENCE_MS = 10_000

export interface PandasReaderOptions {
  readonly python: string
  /** The call of read_csv as the original program has it, or `module:NAME`. Null: only `write` is checked. */
  readonly read: string | null
  /** The call of to_csv, likewise. Null: there is none. */
  readonly write: string | null
  /** Whether the file is read one column after the other. Default: false. */
  readonly lowMemory?: boolean
  /** The classifier, `FILE[:NAME]` or `package.module:NAME`: its module has the names in the calls. Null: they have none. */
  readonly classifier: string | null
  readonly say: Say
  /** Called with what the user's code printed. */
  readonly onOutput: ShowOutput
  /** The program to run, for tests. */
  readonly script?: string | undefined
}

/** What both calls say, as far as it is known before the file is read. */
export interface CheckedCalls {
  /** The arguments of to_csv that are JSON. Null: there is no call of it. */
  readonly toCsv: Readonly<Record<string, unknown>> | null
  /** For the job record: `readCall`, and `writeCall` with its `toCsv`. */
  readonly options: readonly JobOption[]
}

/** What pandas found in the whole file. */
export interface LearnedFile {
  readonly columns: readonly string[]
  /** JSON. It says how a worker makes the frame of some rows, so that it equals their slice of the whole frame. */
  readonly recipe: string
  readonly total: number
  /** `sha256:` and the digest of the bytes of the file in hex. */
  readonly digest: string
  /** Whether `lines` of the rows are where they begin in the file. If not, `rows` gives none. */
  readonly exactLines: boolean
  /** At least as many bytes as the longest row has, if that is known. */
  readonly longestBytes?: number
}

type ReaderAnswer = {
  readonly checked?: { readonly toCsv: Readonly<Record<string, unknown>> | null }
  readonly learned?: LearnedFile
  readonly counted?: number
  readonly note?: string
  readonly rows?: SourceRows['rows']
  /** The line of the first of them, if each row takes one line. */
  readonly line?: number
  readonly end?: true
}

/**
 * Reads a file with the call of the original program, in a Python process of its own (reader.py). It learns what pandas
 * infers over the whole file, cuts the file into rows of text, and proves that a worker makes the same frames of them.
 *
 * Throws USAGE for a call that cannot be obeyed, READ_DIFFERS for a column that batches cannot reproduce, READER_DIED if
 * its process ended, PYTHON_UNUSABLE, and what the classifier's module throws when it is imported.
 */
export class PandasReader {
  readonly #options: PandasReaderOptions
  #child: PythonChild<ReaderAnswer> | null = null
  #checked: Promise<CheckedCalls> | null = null
  #reading = 'the calls'
  #exactLines = false
  #closed: RowmillError | null = null

  constructor(options: PandasReaderOptions) {
    this.#options = options
  }

  /** Parses both calls and looks up their names. Reads no file. May be called again. */
  check(): Promise<CheckedCalls> {
    this.#checked ??= this.#check()
    return this.#checked
  }

  /** Reads the whole file and proves it. `counted` gets the number of rows found so far. */
  async learn(path: string, counted: (rows: number) => void): Promise<LearnedFile> {
    await this.check()
    const { read, write, lowMemory = false, say } = this.#options
    this.#reading = path
    const request = { path, call: read, writeCall: write, lowMemory, spool: tmpdir() }
    this.#send(request)
    const waiting = () => say(`pandas reads all of ${path} first, as the original program did`)
    const patience = setTimeout(waiting, PATIENCE_MS).unref()
    try {
      for (;;) {
        const answer = await this.#next()
        if (answer.note !== undefined) say(answer.note)
        if (answer.counted !== undefined) counted(answer.counted)
        if (!answer.learned) continue
        this.#exactLines = answer.learned.exactLines
        return answer.learned
      }
    } finally {
      clearTimeout(patience)
    }
  }

  /** The rows of the file that was learned. The next call begins again, if the one before it came to its end. */
  async *rows(): AsyncGenerator<SourceRows> {
    this.#send({ rows: true })
    for (;;) {
      const { rows, line, end } = await this.#next()
      if (end) return
      yield { rows: rows!, lines: this.#exactLines ? rows!.map((_, at) => line! + at) : null }
    }
  }

  /** Kills the process. Calls that wait reject. May be called more than once. */
  async close(): Promise<void> {
    this.#closed ??= new RowmillError('READER_DIED', `the process that reads ${this.#reading} was closed.`)
    await this.#child?.close(this.#closed)
  }

  async #check(): Promise<CheckedCalls> {
    if (this.#closed) throw this.#closed
    const { python, read, write, classifier, onOutput, script = READER } = this.#options
    this.#child = new PythonChild<ReaderAnswer>({
      python,
      script,
      args: [classifier ?? ''],
      name: 'the reader',
      onOutput,
      died: end => this.#died(end),
    })
    this.#send({ check: true, call: read, writeCall: write })
    const { checked } = await this.#next()
    // A program that names no header gets one: that is the default of to_csv.
    const toCsv = write === null ? null : { header: true, ...checked!.toCsv }
    const options = [
      ...(read === null ? [] : [{ name: 'readCall', value: read }]),
      ...(write === null ? [] : [{ name: 'writeCall', value: write }]),
      ...(toCsv === null ? [] : [{ name: 'toCsv', value: JSON.stringify(toCsv) }]),
    ]
    return { toCsv, options }
  }

  #send(request: object): void {
    this.#child!.write(frameOf(JSON.stringify(request)))
  }

  #next(): Promise<ReaderAnswer> {
    return this.#child!.next()
  }

  #died(end: PythonEnd): RowmillError {
    if (!end.begun && end.facts.signal === null) return endedEarly(this.#options.python, end, 'it read anything')
    const message = `the process that reads ${this.#reading} ended with ${end.how}${end.guess}. ${end.said}`
    return new RowmillError('READER_DIED', message, end.facts)
  }
}
