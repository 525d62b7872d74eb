import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { type ErrorRecord, errorFromRecord, RowmillError } from '../errors.ts'
import { LastLines, LineForwarder } from '../support/output-lines.ts'
import { endStarted, markedEnvironment, namesOfProcesses, newMark } from '../support/started-processes.ts'
import { FrameReader } from './frames.ts'

// Children of an ended process may keep its pipes open. We wait no longer than this for last output.
const LAST_WORDS_MS = 300
/** How many answers may wait for a slow caller. Beyond that the child waits in its write. */
const MOST_QUEUED = 4

export interface PythonChildOptions {
  /** The interpreter: a name on the PATH or a path, such as `python3` or `.venv/bin/python`. */
  readonly python: string
  /** The program, a file of rowmill. Its first argument is the pid of this process. */
  readonly script: string
  readonly args: readonly string[]
  /** The working directory of the user's code, the caller's unless given. */
  readonly cwd?: string | undefined
  /** What messages call it, such as `classifier black_box.py`. */
  readonly name: string
  /** Called with what the user's code printed, in whole lines with their line ends. Very long lines come in pieces. */
  readonly onOutput: (text: string) => void
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
  readonly #mark = newMark()
  readonly #child: ChildProcess
  readonly #gone: Promise<void>
  #begun = false
  #death: RowmillError | null = null

  /** Starts the process. */
  constructor(options: PythonChildOptions) {
    this.#options = options
    const { python, script, args, cwd } = options
    this.#child = spawn(python, [script, String(process.pid), ...args], {
      ...(cwd === undefined ? {} : { cwd }),
      env: markedEnvironment(this.#mark),
      detached: true, // leads a process group
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    })
    this.#gone = this.#watch(this.#child)
    this.#read(this.#child)
  }

  /** Why the process ended or was closed. Null: it runs. */
  get death(): RowmillError | null {
    return this.#death
  }

  /** Sends one frame. */
  write(frame: Buffer): void {
    ;(this.#child.stdio[3] as Writable).write(frame)
  }

  /**
   * The next answer. Calls are answered in their order. Rejects with the error that the answer holds, with the reason of
   * `close`, with `died`, or with PYTHON_UNUSABLE if there is no such program.
   */
  next(): Promise<A> {
    const answer = this.#queued.shift()
    if (answer === undefined && this.#death) return Promise.reject(this.#death)
    if (answer === undefined) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    if (this.#queued.length < MOST_QUEUED) (this.#child.stdio[4] as Readable | undefined)?.resume()
    return answer.error ? Promise.reject(errorFromRecord(answer.error)) : Promise.resolve(answer)
  }

  /** Kills the process with its group. Resolves when it is gone. Calls that wait, and later ones, reject with `reason`. */
  async close(reason: RowmillError): Promise<void> {
    this.#death ??= reason
    this.#killGroup()
    await this.#gone
  }

  /** Kills the child and what it started in its process group. After the child is gone, its pid may belong to another process. */
  #killGroup(): void {
    const { pid, exitCode, signalCode } = this.#child
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL')
  }

  /** Ends processes that the user's code started. A process that left the group was meant to stay, so we tell the user. */
  #endStarted({ pid }: ChildProcess): void {
    const daemons = endStarted(this.#mark).filter(({ group }) => group !== pid)
    if (daemons.length === 0) return
    const { name, onOutput } = this.#options
    onOutput(`rowmill: ended ${namesOfProcesses(daemons)}, left running by ${name}\n`)
  }

  #read(child: ChildProcess): void {
    const [, stdout, stderr, requests, answers, lifeLine] = (child.stdio ?? []) as unknown as (Readable & Writable)[]
    // Before the program has begun, output goes nowhere: it may not be Python. Its stderr is part of the error.
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
      this.#begun = true
      begun.resolve()
      this.#receive(JSON.parse(bytes.toString()) as ChildAnswer<A>)
    })
    answers?.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch {
        this.#lastLines.add(`rowmill: cannot read an answer. Does ${this.#options.name} write to descriptor 4?\n`)
        child.kill('SIGKILL')
      }
      if (this.#queued.length >= MOST_QUEUED) answers.pause()
    })
    // The end of the process tells what went wrong. A broken pipe only tells that something did.
    for (const stream of [stdout, stderr, requests, answers, lifeLine]) stream?.on('error', () => {})
  }

  #receive(answer: ChildAnswer<A>): void {
    if (answer.begun) return
    const waiting = this.#waiting.shift()
    if (!waiting) this.#queued.push(answer)
    else if (answer.error) waiting.reject(errorFromRecord(answer.error))
    else waiting.resolve(answer)
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
          finish(this.#options.died(this.#endOf(code, signal)))
        }
        const timer = setTimeout(finishOnce, LAST_WORDS_MS)
        child.once('close', finishOnce)
      })
    })
  }

  #endOf(exitCode: number | null, signal: string | null): PythonEnd {
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

/** The error of a program that ended by itself before it could work. `when` completes "ended with exit code 2 before". */
export function endedEarly(python: string, { how, said, facts }: PythonEnd, when: string): RowmillError {
  const message = `Python interpreter ${python} ended with ${how} before ${when}. `
  const advice = 'If it is not a Python 3 with pandas, name another interpreter with --python PATH. '
  return new RowmillError('PYTHON_UNUSABLE', message + advice + said, { python, ...facts })
}
