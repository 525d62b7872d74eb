import type { Readable } from 'node:stream'
import { type ErrorRecord, errorFromRecord, RowmillError } from '../errors.ts'
import { LastLines, LineForwarder } from '../support/output-lines.ts'
import type { ShowOutput } from '../support/say.ts'
import { endStarted, namesOfProcesses } from '../support/started-processes.ts'
import { FrameReader } from './frames.ts'
import { type ProcessEnd, type PythonProcess, type SpawnOptions, spawnPython } from './python-process.ts'

// Children of an ended process may keep its pipes open. We wait no longer than this for last output.
const LAST_WORDS_MS = 300
/** How many answers may wait for a slow caller. Beyond that the child waits in its write. */
const MOST_QUEUED = 4

export interface PythonChildOptions extends SpawnOptions {
  /** What messages call it, such as `classifier black_box.py`. */
  readonly name: string
  /** Called with what the user's code printed, in whole lines with their line ends. Very long lines come in pieces. */
  readonly onOutput: ShowOutput
  /** The error for calls to a process that ended. */
  readonly died: (end: PythonEnd) => RowmillError
}

/** How a process ended, in words for a message. */
export interface PythonEnd {
  /** `exit code 7` or `signal SIGKILL`. */
  readonly how: string
  /** A guess at the cause, with a blank in front. Empty: none. */
  readonly guess: string
  /** What it printed last on standard error. */
  readonly said: string
  /** Whether it sent its first answer. A program that never did may be no Python. */
  readonly begun: boolean
  readonly facts: { readonly exitCode: number | null; readonly signal: string | null }
}

type ChildAnswer<A> = A & { readonly begun?: true; readonly error?: ErrorRecord }

interface PendingAnswer<A> {
  readonly resolve: (answer: A) => void
  readonly reject: (error: RowmillError) => void
}

/**
 * A Python program of rowmill that runs the user's code: host.py or reader.py. It leads a process group, and it ends with
 * this process, however this process ends. Descriptor 3 takes requests, 4 brings answers, 5 is the life-line. Its first
 * answer is {"begun": true}, which nobody waits for. Processes that the user's code left running are ended with it.
 */
export class PythonChild<A extends object> {
  readonly #options: PythonChildOptions
  readonly #queued: ChildAnswer<A>[] = []
  readonly #waiting: PendingAnswer<A>[] = []
  readonly #lastLines = new LastLines()
  readonly #process: PythonProcess
  readonly #gone: Promise<void>
  #begun = false
  #death: RowmillError | null = null

  /** Starts the process, unless it is given: one that was started elsewhere with these options. */
  constructor(options: PythonChildOptions, started: PythonProcess = spawnPython(options)) {
    this.#options = options
    this.#process = started
    this.#gone = this.#watch()
    this.#read()
  }

  /** Why the process ended or was closed. Null: it runs. */
  get death(): RowmillError | null {
    return this.#death
  }

  /** Undefined: it did not start. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Sends one frame. */
  write(frame: Buffer): void {
    this.#process.requests?.write(frame)
  }

  /**
   * The next answer. Calls are answered in their order. Rejects with the error that the answer holds, with the reason of
   * `close`, with `died`, or with PYTHON_UNUSABLE if there is no such program.
   */
  next(): Promise<A> {
    const answer = this.#queued.shift()
    if (answer === undefined && this.#death) return Promise.reject(this.#death)
    if (answer === undefined) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    if (this.#queued.length < MOST_QUEUED) this.#process.answers?.resume()
    return answer.error ? Promise.reject(errorFromRecord(answer.error)) : Promise.resolve(answer)
  }

  /** Kills the process with its group. Resolves when it is gone. Calls that wait, and later ones, reject with `reason`. */
  async close(reason: RowmillError): Promise<void> {
    this.#death ??= reason
    this.#process.kill()
    await this.#gone
  }

  /** Ends processes that the user's code started. A process that left the group was meant to stay, so we tell the user. */
  #endStarted(): void {
    const { mark, pid } = this.#process
    const daemons = endStarted(mark).filter(({ group }) => group !== pid)
    if (daemons.length === 0) return
    const { name, onOutput } = this.#options
    onOutput(`rowmill: ended ${namesOfProcesses(daemons)}, left running by ${name}\n`, {
      level: 'warn',
      source: 'rowmill',
    })
  }

  #read(): void {
    const { stdout, stderr, answers } = this.#process
    // Before the program has begun, output goes nowhere: it may not be Python. Its stderr is part of the error.
    const begun = Promise.withResolvers<void>()
    const output = new LineForwarder(text => void begun.promise.then(() => this.#options.onOutput(text)))
    const errors = new LineForwarder(text => {
      this.#lastLines.add(text)
      void begun.promise.then(() => this.#options.onOutput(text))
    })
    forward(stdout, output)
    forward(stderr, errors)
    const reader = new FrameReader(bytes => {
      this.#begun = true
      begun.resolve()
      this.#receive(JSON.parse(bytes.toString()) as ChildAnswer<A>)
    })
    answers?.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch {
        this.#lastLines.add(`rowmill: cannot read an answer. Does ${this.#options.name} write to descriptor 4?\n`)
        this.#process.kill()
      }
      if (this.#queued.length >= MOST_QUEUED) answers.pause()
    })
  }

  #receive(answer: ChildAnswer<A>): void {
    if (answer.begun) return
    const waiting = this.#waiting.shift()
    if (!waiting) this.#queued.push(answer)
    else if (answer.error) waiting.reject(errorFromRecord(answer.error))
    else waiting.resolve(answer)
  }

  /** Resolves when the child is gone and every waiting call is settled. */
  async #watch(): Promise<void> {
    const error = await this.#process.ended.then(
      async end => {
        this.#endStarted()
        await this.#lastWords()
        return this.#options.died(this.#endOf(end))
      },
      cause => this.#unusable(cause),
    )
    this.#death ??= error
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#death)
    this.#process.release()
  }

  async #lastWords(): Promise<void> {
    const over = Promise.withResolvers<void>()
    const timer = setTimeout(over.resolve, LAST_WORDS_MS)
    await Promise.race([this.#process.closed, over.promise])
    clearTimeout(timer)
  }

  #endOf({ exitCode, signal }: ProcessEnd): PythonEnd {
    const lines = this.#lastLines.text()
    return {
      how: signal === null ? `exit code ${exitCode}` : `signal ${signal}`,
      guess: signal === 'SIGKILL' ? ' (killed from outside; the machine may be out of memory)' : '',
      said: lines === '' ? 'It printed nothing on standard error.' : `Its last lines on standard error:\n${lines}`,
      begun: this.#begun,
      facts: { exitCode, signal },
    }
  }

  #unusable(cause: NodeJS.ErrnoException): RowmillError {
    const { python, cwd } = this.#options
    const what = cause.code === 'ENOENT' ? 'there is no such program' : cause.message
    const where = cwd === undefined ? '' : ` (in ${cwd})`
    const message = `Python interpreter ${python} cannot be started${where}: ${what}. Name one that has pandas with --python PATH.`
    return new RowmillError('PYTHON_UNUSABLE', message, { python }, { cause })
  }
}

function forward(stream: Readable | undefined, lines: LineForwarder): void {
  stream?.on('data', (chunk: Buffer) => lines.push(chunk))
  stream?.on('end', () => lines.end())
}

/** The error of a program that ended by itself before it could work. `when` completes "ended with exit code 2 before". */
export function endedEarly(python: string, { how, said, facts }: PythonEnd, when: string): RowmillError {
  const message = `Python interpreter ${python} ended with ${how} before ${when}. `
  const advice = 'If it is not a Python 3 with pandas, name another interpreter with --python PATH. '
  return new RowmillError('PYTHON_UNUSABLE', message + advice + said, { python, ...facts })
}
