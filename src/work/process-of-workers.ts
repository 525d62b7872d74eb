import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { extname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { errorFromRecord, RowmillError, toRowmillError } from '../errors.ts'
import { monotonicMs } from '../support/clock.ts'
import { LineForwarder } from '../support/output-lines.ts'
import { endStarted, markedEnvironment, newMark, type StartedProcess } from '../support/started-processes.ts'
import type { Seat } from './lending-desk.ts'
import type { FromProcessOrBeat, FromWorker, ToProcess, ToWorker, WorkerArguments } from './worker-messages.ts'

/**
 * V8 collects the young heap of a worker at this size. Messages lie outside of it, and are freed only when it is collected.
 * At the default of 16 MB a worker takes 40 % more CPU time and 30 MB more memory.
 */
const YOUNG_HEAP = '--max-semi-space-size=2'

/** How long we wait for its last output after its end, at most. */
const LAST_WORDS_MS = 300

/** Every program of this room and of the probe has one of these in its command line. */
const OWN_PROGRAMS = ['work', 'probe'].map(room => `${join(import.meta.dirname, '..', room)}/`)

export interface ProcessHandlers {
  /** Called with each message of a worker. */
  told(worker: string, message: FromWorker): void
  /** Called with what it prints on its stderr, in whole lines. Null: it has the stderr of this process. */
  readonly printed: ((text: string) => void) | null
  /** Called once, when the process has ended or did not start. `reason`: what a worker said about it, or the system. */
  ended(how: string, reason: RowmillError | null): void
}

/** A process that runs worker-process.ts, as its supervisor sees it. */
export class ProcessOfWorkers {
  /** By worker that is in it, its seat at the desk. */
  readonly seats = new Map<string, Seat>()
  /** Whether its workers were in a process that ended. */
  readonly again: boolean
  /** Resolves when it has ended. */
  readonly exited: Promise<unknown>
  /** When it last said anything, by the monotonic clock. */
  heardAt = monotonicMs()
  readonly #child: ChildProcess
  readonly #mark = newMark()
  #reason: RowmillError | null = null

  /** Starts the process, without workers. Its command line has the names of its first ones, as JSON, for who looks with ps. */
  constructor(
    { told, printed, ended }: ProcessHandlers,
    { first, again }: { first: readonly string[]; again: boolean },
  ) {
    const entry = fileURLToPath(new URL(`./worker-process${extname(import.meta.filename)}`, import.meta.url))
    const child = fork(entry, [JSON.stringify(first)], {
      execArgv: [...process.execArgv, YOUNG_HEAP],
      env: markedEnvironment(this.#mark),
      stdio: ['ignore', 'inherit', printed ? 'pipe' : 'inherit', 'ipc'],
    })
    this.again = again
    this.#child = child
    const exited = new Promise(resolve => child.once('exit', resolve))
    const { stderr } = child // none if the system has no more files
    this.exited = printed && stderr ? Promise.all([exited, forward(stderr, { printed, exited })]) : exited
    child.on('message', (heard: FromProcessOrBeat) => {
      this.heardAt = monotonicMs()
      if ('type' in heard) return
      const { worker, message } = heard
      if (message.type === 'failed') this.#reason = errorFromRecord(message.error)
      told(worker, message)
    })
    child.on('exit', (code, signal) => ended(signal ?? `exit code ${code}`, this.#reason))
    child.on('error', error => {
      // With a pid, a message was too late for the process, and `exit` will follow.
      if (child.pid === undefined) ended(error.message, notStarted([...this.seats.keys()], error))
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Begins one more worker in it. */
  start(worker: WorkerArguments, seat: Seat): void {
    this.seats.set(worker.name, seat)
    this.#send({ type: 'start', worker })
  }

  /** Does nothing if the process has ended. */
  tell(worker: string, message: ToWorker): void {
    this.#send({ type: 'to', worker, message })
  }

  /** Has its workers finish their batches and leave. */
  drain(): void {
    this.#send({ type: 'drain' })
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /**
   * Ends processes that the classifiers started and left running. Returns them, without our own: one that reads a message
   * apart, a probe, and the copy of this process that is killed just before the copy becomes Python.
   */
  endStarted(): StartedProcess[] {
    return endStarted(this.#mark).filter(
      ({ mark, command }) => mark === this.#mark && !OWN_PROGRAMS.some(path => command.includes(path)),
    )
  }

  /** If it has ended, its end says so. */
  #send(message: ToProcess): void {
    if (this.#child.connected) this.#child.send(message, () => {})
  }
}

/** Resolves when all that was printed is forwarded. Others may keep the pipe open, so it waits a little only. */
async function forward(
  stderr: Readable,
  { printed, exited }: { printed: (text: string) => void; exited: Promise<unknown> },
): Promise<void> {
  const lines = new LineForwarder(printed)
  stderr.on('data', (chunk: Buffer) => lines.push(chunk))
  const closed = once(stderr, 'close')
  await exited
  await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { ref: false })])
  lines.end()
}

/** The system cannot start a process. A retry would meet the same limit. */
function notStarted(workers: readonly string[], cause: NodeJS.ErrnoException): RowmillError {
  const worker = workers.join(', ')
  const message = `the process of worker ${worker} does not start: ${cause.message}`
  const limits = cause.code === 'EAGAIN' ? '. Too many processes or threads? ulimit -u prints the limit' : ''
  return toRowmillError(new RowmillError('WORKER_DIED', `${message}${limits}`, { worker }, { cause }))
}
