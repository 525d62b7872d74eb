import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { jsonOptionOf } from '../../core/job.ts'
import { type ErrorRecord, errorFromRecord, RowmillError } from '../../errors.ts'
import { toCsvOf } from '../../pandas/to-csv.ts'
import { frameOf } from '../../support/frame.ts'
import { endStarted, markedEnvironment, namesOfProcesses, newMark } from '../../support/started-processes.ts'
import type { ClassifiedBatch, ClassifierBatch, ClassifierJob, ClassifierRuntime, RowsClassifier } from '../boundary.ts'
import { LastLines, LineForwarder } from '../output.ts'
import { FrameReader } from './frames.ts'

export interface PythonClassifierOptions {
  /** The interpreter: a name on the PATH or a path, such as `python3` or `.venv/bin/python`. */
  readonly python: string
  /** `FILE[:NAME]` or `package.module:NAME`. NAME is `classify_df` unless given. */
  readonly target: string
  /** The working directory of the user's code, the caller's unless given. */
  readonly cwd?: string
  /** How much memory the process may use for its data, in MB. Null, the default: no limit. */
  readonly memoryMB?: number | null
  /** Called with what the user's code printed, in whole lines with their line ends. Very long lines come in pieces. */
  readonly onOutput: (text: string) => void
}

interface Hello {
  readonly python: string
  readonly pandas: string
  readonly fingerprint: string
  readonly quotesCarriageReturn: boolean
}

type Answer = Partial<ClassifiedBatch> & { readonly begun?: true; readonly hello?: Hello; readonly error?: ErrorRecord }

interface PendingAnswer {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: RowmillError) => void
}

const HOST = fileURLToPath(new URL('./host.py', import.meta.url))
/** Python's csv.QUOTE_NONE. */
const QUOTE_NONE = 3
// Children of an ended process may keep its pipes open. We wait no longer than this for last output.
const LAST_WORDS_MS = 300

/**
 * The user's Python function over a pandas DataFrame, in one warm child process (host.py).
 *
 * pandas reads every batch as `read_csv` of the original job would have read these rows within the whole file. The cells
 * are those of its `to_csv`. Job options: `readCsv` and `toCsv` (JSON objects of keyword arguments) and `cast` (a JSON
 * array of [column, dtype]). The child ends with this process, however this process ends.
 *
 * In addition to the errors of RowsClassifier, `classify` throws USAGE if an option of the job cannot be honoured, and
 * ROW_MALFORMED if a row has more values than the header.
 */
export class PythonClassifier implements RowsClassifier {
  readonly #options: PythonClassifierOptions
  readonly #waiting: PendingAnswer[] = []
  readonly #jobs = new WeakMap<ClassifierJob, Buffer>()
  readonly #lastLines = new LastLines()
  readonly #mark = newMark()
  #child: ChildProcess | null = null
  #started: Promise<void> | null = null
  #gone: Promise<void> = Promise.resolve()
  #hello: Hello | null = null
  #death: RowmillError | null = null

  constructor(options: PythonClassifierOptions) {
    this.#options = options
  }

  start(): Promise<void> {
    this.#started ??= this.#start()
    return this.#started
  }

  get fingerprint(): Uint8Array {
    return Buffer.from(this.#known().fingerprint, 'hex')
  }

  get runtime(): ClassifierRuntime {
    const { python, pandas, quotesCarriageReturn } = this.#known()
    return { versions: { python, pandas }, quotesCarriageReturn }
  }

  async classify(batch: ClassifierBatch): Promise<ClassifiedBatch> {
    this.#known()
    if (this.#death) throw this.#death
    const job = this.#jobBytes(batch.job)
    const rows = frameOf(JSON.stringify({ rows: batch.rows, seqs: batch.seqs }))
    const answer = this.#answer()
    const requests = this.#child?.stdio[3] as Writable
    requests.write(job)
    requests.write(rows)
    const { columns = [], kinds = [], rows: cells = [] } = await answer
    return { columns, kinds, rows: cells }
  }

  async close(): Promise<void> {
    this.#death ??= new RowmillError('CLASSIFIER_DIED', `classifier ${this.#options.target} is closed.`)
    this.#killGroup()
    await this.#gone
  }

  /** Kills the child and what it started in its process group. After the child is gone, its pid may belong to another process. */
  #killGroup(): void {
    const { pid, exitCode, signalCode } = this.#child ?? {}
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL')
  }

  /** Ends processes that the classifier started. A process that left the group was meant to stay, so we tell the user. */
  #endStarted({ pid }: ChildProcess): void {
    const daemons = endStarted(this.#mark).filter(({ group }) => group !== pid)
    if (daemons.length === 0) return
    const { target, onOutput } = this.#options
    onOutput(`rowmill: ended ${namesOfProcesses(daemons)}, left running by classifier ${target}\n`)
  }

  async #start(): Promise<void> {
    if (this.#death) throw this.#death
    const { python, target, cwd, memoryMB } = this.#options
    const child = spawn(python, [HOST, String(process.pid), target, ...(memoryMB ? [String(memoryMB)] : [])], {
      ...(cwd === undefined ? {} : { cwd }),
      env: markedEnvironment(this.#mark),
      detached: true, // leads a process group
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#gone = this.#watch(child)
    this.#read(child)
    const [, { hello }] = await Promise.all([this.#answer(), this.#answer()])
    if (hello === undefined) throw new RowmillError('INTERNAL', `${HOST} began without a hello. Please report this.`)
    this.#hello = hello
  }

  #known(): Hello {
    if (this.#hello) return this.#hello
    throw this.#death ?? new RowmillError('INTERNAL', 'PythonClassifier is used before start() resolved.')
  }

  #answer(): Promise<Answer> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  #read(child: ChildProcess): void {
    const [, stdout, stderr, requests, answers, lifeLine] = (child.stdio ?? []) as unknown as (Readable & Writable)[]
    // Before the host has begun, output goes nowhere: the program may not be Python. Its stderr is part of the error.
    const begun = Promise.withResolvers<void>()
    const output = new LineForwarder(text => void begun.promise.then(() => this.#options.onOutput(text)))
    const errors = new LineForwarder(text => {
      this.#lastLines.add(text)
      void begun.promise.then(() => this.#options.onOutput(text))
    })
    for (const [stream, lines] of [
      [stdout, output],
      [stderr, errors],
    ] as const) {
      stream?.on('data', (chunk: Buffer) => lines.push(chunk))
      stream?.on('end', () => lines.end())
    }
    const reader = new FrameReader(bytes => {
      begun.resolve()
      this.#receive(JSON.parse(bytes.toString()) as Answer)
    })
    answers?.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch {
        this.#lastLines.add('rowmill: cannot read an answer. Does the classifier write to descriptor 4?\n')
        child.kill('SIGKILL')
      }
    })
    // The end of the process tells what went wrong. A broken pipe only tells that something did.
    for (const stream of [stdout, stderr, requests, answers, lifeLine]) stream?.on('error', () => {})
  }

  #receive(answer: Answer): void {
    const waiting = this.#waiting.shift()
    if (answer.error) waiting?.reject(errorFromRecord(answer.error))
    else waiting?.resolve(answer)
  }

  /** Resolves when the child is gone and every waiting call is settled. */
  #watch(child: ChildProcess): Promise<void> {
    return new Promise(resolve => {
      const finish = (error: RowmillError) => {
        this.#death ??= error
        for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#death)
        for (const stream of child.stdio ?? []) stream?.destroy() // a process that did not start may have none
        resolve()
      }
      child.once('error', cause => {
        if (child.pid === undefined) finish(this.#unusable(cause))
      })
      child.once('exit', (code, signal) => {
        this.#endStarted(child)
        const finishOnce = () => {
          clearTimeout(timer)
          finish(this.#died(code, signal))
        }
        const timer = setTimeout(finishOnce, LAST_WORDS_MS)
        child.once('close', finishOnce)
      })
    })
  }

  #unusable(cause: NodeJS.ErrnoException): RowmillError {
    const { python, cwd } = this.#options
    const what = cause.code === 'ENOENT' ? 'there is no such program' : cause.message
    const where = cwd === undefined ? '' : ` (in ${cwd})`
    const message = `Python interpreter ${python} cannot be started${where}: ${what}. Name one that has pandas with --python PATH.`
    return new RowmillError('PYTHON_UNUSABLE', message, { python }, { cause })
  }

  #died(code: number | null, signal: string | null): RowmillError {
    const { python, target } = this.#options
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`
    const lines = this.#lastLines.text()
    const said = lines === '' ? 'It printed nothing on standard error.' : `Its last lines on standard error:\n${lines}`
    const facts = { exitCode: code, signal }
    if (this.#hello === null && signal === null) {
      const message = `Python interpreter ${python} ended with ${how} before classifier ${target} was imported. `
      const advice = 'If it is not a Python 3 with pandas, name another interpreter with --python PATH. '
      return new RowmillError('PYTHON_UNUSABLE', message + advice + said, { python, ...facts })
    }
    const cause = signal === 'SIGKILL' ? ' (killed from outside; the machine may be out of memory)' : ''
    const when = this.#hello === null ? ' before it was imported' : ''
    const message = `the process of classifier ${target} ended with ${how}${when}${cause}. ${said}`
    return new RowmillError('CLASSIFIER_DIED', message, facts)
  }

  /** pandas before 3 does not escape the quote character (pandas #61407), and rowmill writes as pandas 3 does. */
  #refuseOldPandas(): void {
    const { pandas } = this.#known()
    if (Number.parseInt(pandas, 10) >= 3) return
    const message = `to_csv with quoting 3 and an escapechar: pandas ${pandas} does not escape quotes, but rowmill writes as pandas 3 does`
    throw new RowmillError('USAGE', `${message}. Use pandas 3 or other arguments.`, { pandas })
  }

  /** The job as the host gets it with each batch. The host parses it only if its bytes have changed. */
  #jobBytes(job: ClassifierJob): Buffer {
    const known = this.#jobs.get(job)
    if (known) return known
    const option = (name: string, fallback: string) => jsonOptionOf(job, name, fallback)
    const { host, sink } = toCsvOf(job)
    if (sink.quoting === QUOTE_NONE && sink.escapechar !== null) this.#refuseOldPandas()
    const bytes = frameOf(
      JSON.stringify({
        columns: job.columns,
        indexKind: job.indexKind,
        readCsv: option('readCsv', '{}'),
        toCsv: host,
        casts: option('cast', '[]'),
      }),
    )
    this.#jobs.set(job, bytes)
    return bytes
  }
}
