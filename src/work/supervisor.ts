import { type ChildProcess, fork } from 'node:child_process'
import { hostname } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClassifierRuntime } from '../classifier/boundary.ts'
import { openForkServer } from '../classifier/open.ts'
import { errorFromRecord, errorToRecord, RowmillError, toRowmillError } from '../errors.ts'
import type { KafkaSettings } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import { OPTIONS } from '../options.ts'
import type { ForkServer } from '../python/fork-server.ts'
import { monotonicMs } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { endStarted, markedEnvironment, namesOfProcesses, newMark } from '../support/started-processes.ts'
import { DeadMembers } from './dead-members.ts'
import type { Question } from './job-judge.ts'
import type { JobProbe } from './job-probe.ts'
import { LendingDesk } from './lending-desk.ts'
import { isToDesk } from './lending-messages.ts'
import { ProcessShares } from './process-shares.ts'
import type { FromWorker, ToWorker, WorkAssignment, WorkerArguments } from './worker-messages.ts'

/** How often workers may die without a classified batch in between before the run gives up. */
const MAX_RESTARTS = 3
/** After this long without a ready classifier, we log what we wait for. */
const PATIENCE_MS = 10_000
/** How long a drained worker has for its last batch before it is killed. */
const DRAIN_MS = 30_000
/** How long it waits for the verdict on a job. */
const VERDICT_MS = 5000
/**
 * V8 collects the young heap of a worker at this size. Messages lie outside of it, and are freed only when it is collected.
 * At the default of 16 MB a worker takes 40 % more CPU time and 30 MB more memory.
 */
const YOUNG_HEAP = '--max-semi-space-size=2'

export interface SupervisorOptions extends Omit<WorkerArguments, 'name' | 'asks' | 'lends' | 'forks'> {
  readonly workers: number
  readonly say: Say
  /** Called with what the classifier printed. */
  readonly onOutput: (text: string) => void
  readonly onBatch: (rows: number) => void
  /** Judges the jobs of the workers. Null: nobody does. */
  readonly judge?: JobProbe | null
}

/** Every program of this room and of the probe has one of these in its command line. */
const OWN_PROGRAMS = ['work', 'probe'].map(room => `${join(import.meta.dirname, '..', room)}/`)

/** Runs one process per worker: starts them together, restarts one that died, and drains them at the end. */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #children = new Map<string, ChildProcess>()
  readonly #desk = new LendingDesk()
  readonly #ready = Promise.withResolvers<ClassifierRuntime>()
  readonly #failed = Promise.withResolvers<never>()
  readonly #shares = new ProcessShares(text => this.#options.say(text))
  readonly #members = new DeadMembers()
  /** Undefined before the first worker is started. Null if each worker starts its own Python. */
  #forks: ForkServer | null | undefined
  #task: Extract<ToWorker, { type: 'work' }> | null = null
  #started = 0
  #restarts = 0
  /** When the first restarted worker found no broker. Null if none has since the last classified batch. */
  #brokerGoneAt: number | null = null
  #closing = false
  #patience: NodeJS.Timeout | null = null

  constructor(options: SupervisorOptions) {
    this.#options = options
    const over = () => clearTimeout(this.#patience ?? undefined)
    this.#ready.promise.then(over, over)
    this.#ready.promise.catch(() => {})
    this.#failed.promise.catch(() => {})
  }

  /**
   * Starts processes until there are `workers` of them (default: all). Each starts its classifier at once, without a
   * broker. A further call starts the missing ones.
   */
  start(workers: number = this.#options.workers): void {
    if (this.#closing) return
    // One worker has nobody to share an import with. With too little memory, OpenBLAS hangs when it starts its threads after a fork.
    const mayShare = this.#options.workers > 1 && this.#options.classifierMemory === null
    const { python, target, say } = this.#options
    if (this.#forks === undefined) this.#forks = mayShare ? openForkServer({ python, target, say }) : null
    const machine = hostname().replaceAll(/[^A-Za-z0-9._-]/g, '-')
    while (this.#started < workers) this.#fork(`${machine}-${process.pid}-${++this.#started}`)
    if (this.#patience) return
    const waiting = `waiting for classifier ${target} to be imported`
    this.#patience = setTimeout(() => say(waiting), PATIENCE_MS).unref()
  }

  /** Resolves when the first classifier is imported and ready. Rejects if it cannot be used. */
  get ready(): Promise<ClassifierRuntime> {
    return this.#ready.promise
  }

  /** Rejects when a worker has failed for good. Never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Tells every worker where to work, including those that are restarted later. */
  work(settings: Omit<KafkaSettings, 'clientId' | 'format'>, assignment: WorkAssignment): void {
    const { clientId: _, format: __, ...kafka } = settings as KafkaSettings // a format holds functions
    const { pipeline, bulk = false, ownPartitions = null, registryIds = null } = assignment
    this.#task = { type: 'work', kafka, pipeline, bulk, ownPartitions, registryIds }
    for (const child of this.#children.values()) child.send(this.#task)
    if (ownPartitions !== null) this.#shares.deal(ownPartitions, kafka.limits)
  }

  /** Lets every worker finish its current batches and leave. `kill` ends them at once. */
  async close(how: 'drain' | 'kill'): Promise<void> {
    this.#closing = true
    this.#shares.close()
    clearTimeout(this.#patience ?? undefined)
    const children = [...this.#children.values()]
    const gone = Promise.all(children.map(child => new Promise(resolve => child.once('exit', resolve))))
    if (how === 'kill') for (const child of children) child.kill('SIGKILL')
    else for (const child of children) if (child.connected) child.send({ type: 'drain' } satisfies ToWorker)
    const { judge } = this.#options
    const late = [
      setTimeout(() => void judge?.close('the workers leave'), VERDICT_MS),
      setTimeout(() => children.map(child => child.kill('SIGKILL')), DRAIN_MS),
    ]
    if (how === 'drain') await gone // a verdict may still come
    await Promise.all([gone, judge?.close()])
    for (const timer of late) clearTimeout(timer)
    await this.#forks?.close()
  }

  #fork(name: string, again = false): void {
    const { python, target, batchRows, batchTimeout, classifierMemory, probe = 0, judge = null } = this.#options
    const limits = { batchTimeout, classifierMemory }
    const [asks, lends] = [judge !== null, this.#options.workers > 1]
    const args: WorkerArguments = {
      name,
      python,
      target,
      batchRows,
      ...limits,
      probe,
      asks,
      lends,
      forks: this.#forks !== null,
    }
    const mark = newMark()
    const entry = fileURLToPath(new URL(`./worker-process${extname(import.meta.filename)}`, import.meta.url))
    const child = fork(entry, [JSON.stringify(args)], {
      execArgv: [...process.execArgv, YOUNG_HEAP],
      env: markedEnvironment(mark),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#children.set(name, child)
    const seat = this.#desk.join(message => child.connected && child.send(message, () => {}))
    let reason: RowmillError | null = null
    this.#shares.started(name, child, again)
    child.on('message', (message: FromWorker) => {
      this.#shares.heard(name, message)
      if (message.type === 'ready') this.#ready.resolve(message)
      else if (message.type === 'batch') {
        this.#restarts = 0
        this.#brokerGoneAt = null
        this.#options.onBatch(message.rows)
      } else if (message.type === 'say') this.#options.say(message.text)
      else if (message.type === 'output') this.#options.onOutput(message.text)
      else if (message.type === 'ask') void answer(child, judge!, message)
      else if (message.type === 'joined') this.#members.joined(name, message)
      else if (message.type === 'failed') reason = errorFromRecord(message.error)
      else if (isToDesk(message)) seat.told(message)
    })
    const ended = (how: string) => {
      this.#endStarted(mark)
      this.#children.delete(name)
      this.#shares.ended(name)
      void this.#leaveFor(name)
      seat.leave()
      if (!this.#closing) this.#died(name, reason, { how, again })
    }
    child.on('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
    child.on('error', error => {
      if (child.pid === undefined) reason = notStarted(name, error)
      if (child.pid === undefined) ended(error.message) // with a pid, a message was too late for the process, and `exit` will follow
    })
    if (this.#task) child.send(this.#task)
    void this.#forks?.address.then(
      address => child.connected && child.send({ type: 'forks', address } satisfies ToWorker, () => {}),
    )
  }

  /**
   * Ends processes that the classifier started and left running. Some have the mark of the worker and are our own: one that
   * reads a message apart, a probe, and the copy of a worker that is killed just before the copy becomes Python.
   */
  #endStarted(mark: string): void {
    const left = endStarted(mark).filter(
      started => started.mark === mark && !OWN_PROGRAMS.some(path => started.command.includes(path)),
    )
    if (left.length > 0) this.#options.say(`ended ${namesOfProcesses(left)}, left running by the classifier`)
  }

  /** The others notice at once that they have more partitions. */
  async #leaveFor(name: string): Promise<void> {
    if (!this.#task || this.#closing || !(await this.#members.leaveFor(name, this.#task.kafka))) return
    for (const child of this.#children.values())
      if (child.connected) child.send({ type: 'wake' } satisfies ToWorker, () => {})
  }

  #died(name: string, reason: RowmillError | null, { how, again }: { how: string; again: boolean }): void {
    const isOutage = reason?.code === 'BROKER_UNREACHABLE' || reason?.facts['type'] === 'TOKEN_UNAVAILABLE'
    if (again && isOutage && this.#mayComeBack()) {
      this.#fork(name, true)
      return
    }
    // A worker that starts again reads how much its topics take. Somebody may have lowered it.
    const limitChanged = reason?.facts['type'] === 'MESSAGE_TOO_LARGE'
    const mayHelp = reason === null || reason.code === 'CLASSIFIER_DIED' || limitChanged
    if (mayHelp && this.#restarts < MAX_RESTARTS) {
      this.#restarts++
      this.#options.say(`worker ${name} died (${reason?.message ?? how}); starting it again`)
      this.#fork(name, true)
      return
    }
    const message = `worker ${name} died (${how}) and ${MAX_RESTARTS} restarts did not help. Give the machine more memory, or start fewer workers (--workers)`
    const error = reason ?? new RowmillError('WORKER_DIED', message, { worker: name })
    this.#ready.reject(error)
    this.#failed.reject(error)
  }

  /** A restarted worker waits for the broker as long as a worker that was connected before. */
  #mayComeBack(): boolean {
    const { brokerTimeoutMs = OPTIONS.brokerTimeout.fallback * 1000 } = this.#task?.kafka ?? {}
    const now = monotonicMs()
    this.#brokerGoneAt ??= now
    return now - this.#brokerGoneAt < brokerTimeoutMs
  }
}

/** The system cannot start a process. A retry would meet the same limit. */
function notStarted(name: string, cause: NodeJS.ErrnoException): RowmillError {
  const facts = { worker: name }
  const message = `the process of worker ${name} does not start: ${cause.message}`
  const limits = cause.code === 'EAGAIN' ? '. Too many processes or threads? ulimit -u prints the limit' : ''
  return toRowmillError(new RowmillError('WORKER_DIED', `${message}${limits}`, facts, { cause }))
}

async function answer(
  child: ChildProcess,
  judge: JobProbe,
  { id, job, question }: Extract<FromWorker, { type: 'ask' }>,
): Promise<void> {
  const fault = await answerOf(judge, job, question)
  const verdict: ToWorker = { type: 'verdict', id, error: fault && errorToRecord(fault) }
  if (child.connected) child.send(verdict, () => {}) // if the worker has ended, its end says so
}

function answerOf(judge: JobProbe, job: Job, question: Question): Promise<RowmillError | null> {
  if (question === null) return judge.end(job)
  return 'first' in question ? judge.first(job, question.first) : judge.meet(job, question.met)
}
