import { availableParallelism, hostname } from 'node:os'
import type { ClassifierRuntime } from '../classifier/boundary.ts'
import { openForkServer } from '../classifier/open.ts'
import { errorToRecord, RowmillError } from '../errors.ts'
import type { KafkaSettings } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import { OPTIONS } from '../options.ts'
import type { ForkServer } from '../python/fork-server.ts'
import type { WorkingReport } from '../reports/report.ts'
import { monotonicMs } from '../support/clock.ts'
import type { LogFacts, Say, ShowOutput } from '../support/say.ts'
import { namesOfProcesses } from '../support/started-processes.ts'
import type { WorkerActivity } from './activity.ts'
import { DeadMembers } from './dead-members.ts'
import type { Question } from './job-judge.ts'
import type { JobProbe } from './job-probe.ts'
import { KnownWorkers } from './known-workers.ts'
import { LendingDesk } from './lending-desk.ts'
import { isToDesk } from './lending-messages.ts'
import { ProcessOfWorkers } from './process-of-workers.ts'
import { ProcessShares } from './process-shares.ts'
import type { FromWorker, ToWorker, WorkAssignment, WorkerArguments } from './worker-messages.ts'

/** How often workers may die without a classified batch in between before the run gives up. */
const MAX_RESTARTS = 3
/** After this long without a ready classifier, we log what we wait for. */
const PATIENCE_MS = 10_000
/** How long a drained worker has for its last batch before it is killed. */
const DRAIN_MS = 30_000
/**
 * The same in a pipeline of its run alone. OUT is complete by then, so nobody needs what a worker could still send, except its
 * traces.
 */
const OWN_DRAIN_MS = 2000
/** How long it waits for the verdict on a job. */
const VERDICT_MS = 5000
export interface SupervisorOptions extends Omit<WorkerArguments, 'name' | 'asks' | 'lends' | 'forks'> {
  readonly workers: number
  readonly say: Say
  /** Called with what the classifier printed. */
  readonly onOutput: ShowOutput
  /** Called with what a process of workers prints otherwise, such as a warning of Node. Null, the default: it goes to stderr. */
  readonly onStderr?: ShowOutput | null
  readonly onBatch: (rows: number) => void
  /** Called about once a second with what a worker did since the last call, if `reports` is asked for. */
  readonly onTally?: (tally: WorkerActivity & { readonly worker: string }) => void
  /** Judges the jobs of the workers. Null: nobody does. */
  readonly judge?: JobProbe | null
  /** Once it aborts, a worker that dies is not started again: a terminal signals the workers too. Default: never. */
  readonly signal?: AbortSignal
  /** At most how many processes the workers share. Default: as many as cores, but at least 2. */
  readonly processes?: number
}

/** Some workers work while those of another process start again. */
const FEWEST_PROCESSES = 2

type Asked = Extract<FromWorker, { type: 'ask' }>

/**
 * Runs workers in processes: starts them together, restarts a process that died, and drains them at the end. Each process has
 * one worker while there are cores for that. More processes would only cost their start.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #processes = new Set<ProcessOfWorkers>()
  readonly #desk = new LendingDesk()
  readonly #ready = Promise.withResolvers<ClassifierRuntime>()
  readonly #failed = Promise.withResolvers<never>()
  readonly #shares = new ProcessShares((text, facts) => this.#options.say(text, facts))
  readonly #members = new DeadMembers()
  readonly #known = new KnownWorkers()
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
   * Starts workers until there are `workers` of them (default: all). Each starts its classifier at once, without a
   * broker. A further call starts the missing ones.
   */
  start(workers: number = this.#options.workers): void {
    if (this.#closing) return
    // One worker has nobody to share an import with. With too little memory, OpenBLAS hangs when it starts its threads after a fork.
    const mayShare = this.#options.workers > 1 && this.#options.classifierMemory === null
    const { python, target, say } = this.#options
    if (this.#forks === undefined) this.#forks = mayShare ? openForkServer({ python, target, say }) : null
    const machine = hostname().replaceAll(/[^A-Za-z0-9._-]/g, '-')
    const { processes = Math.max(FEWEST_PROCESSES, availableParallelism()) } = this.#options
    while (this.#started < workers) {
      const name = `${machine}-${process.pid}-${++this.#started}`
      if (this.#processes.size < processes) this.#startProcess([name])
      else this.#startWorker(name, leastFull(this.#processes))
    }
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

  /** What its workers did since it began, and what they do now. It knows that only if `reports` was asked for. */
  get working(): WorkingReport {
    return { ...this.#known.report, batchTimeout: this.#options.batchTimeout }
  }

  /** Tells every worker where to work, including those that are restarted later. */
  work(settings: Omit<KafkaSettings, 'clientId' | 'format'>, assignment: WorkAssignment): void {
    const { clientId: _, format: __, ...kafka } = settings as KafkaSettings // a format holds functions
    const { pipeline, bulk = false, ownPartitions = null, registryIds = null } = assignment
    this.#task = { type: 'work', kafka, pipeline, bulk, ownPartitions, registryIds }
    this.#tellAll(this.#task)
    if (ownPartitions !== null) this.#shares.deal(ownPartitions, kafka.limits)
  }

  /** Lets every worker finish its current batches and leave. `kill` ends them at once. */
  async close(how: 'drain' | 'kill'): Promise<void> {
    this.#closing = true
    this.#shares.close()
    clearTimeout(this.#patience ?? undefined)
    const processes = [...this.#processes]
    const gone = Promise.all(processes.map(({ exited }) => exited))
    for (const each of processes)
      if (how === 'kill') each.kill()
      else each.drain()
    const { judge, tracing = false } = this.#options
    const isOwn = (this.#task?.ownPartitions ?? null) !== null
    const late = [
      setTimeout(() => void judge?.close('the workers leave'), VERDICT_MS),
      setTimeout(() => processes.map(each => each.kill()), isOwn && !tracing ? OWN_DRAIN_MS : DRAIN_MS),
    ]
    if (how === 'drain') await gone // a verdict may still come
    await Promise.all([gone, judge?.close()])
    for (const timer of late) clearTimeout(timer)
    await this.#forks?.close()
  }

  /** `again`: these workers were in a process that ended. */
  #startProcess(workers: readonly string[], again = false): void {
    const { onStderr = null } = this.#options
    const started: ProcessOfWorkers = new ProcessOfWorkers(
      {
        told: (worker, message) => this.#told(worker, message, started),
        printed: onStderr && (text => onStderr(text, { level: 'warn', source: 'process', ...namedIf(workers) })),
        ended: (how, reason) => this.#ended(started, how, reason),
      },
      { first: workers, again },
    )
    this.#processes.add(started)
    for (const worker of workers) this.#startWorker(worker, started)
  }

  #startWorker(name: string, home: ProcessOfWorkers): void {
    const { python, target, batchRows, batchTimeout, classifierMemory, probe = 0, judge = null } = this.#options
    const { reports = false, timings = false, tracing = false } = this.#options
    const [asks, lends, forks] = [judge !== null, this.#options.workers > 1, this.#forks !== null]
    const rest = { batchTimeout, classifierMemory, tracing }
    const seat = this.#desk.join(message => home.tell(name, message))
    home.start({ name, python, target, batchRows, ...rest, probe, asks, lends, forks, reports, timings }, seat)
    this.#shares.started(name, home)
    this.#known.started(name, home)
    if (this.#task) home.tell(name, this.#task)
    void this.#forks?.address.then(address => home.tell(name, { type: 'forks', address }))
  }

  #told(name: string, message: FromWorker, home: ProcessOfWorkers): void {
    this.#shares.heard(name, message)
    if (message.type === 'ready') {
      this.#known.ready(name)
      this.#ready.resolve(message)
    } else if (message.type === 'activity') {
      this.#known.told(name, message)
      this.#options.onTally?.({ ...message, worker: name })
    } else if (message.type === 'batch') {
      this.#restarts = 0
      this.#brokerGoneAt = null
      this.#options.onBatch(message.rows)
    } else if (message.type === 'say') this.#options.say(message.text, { worker: name, ...message.facts })
    else if (message.type === 'output') this.#options.onOutput(message.text, { worker: name, ...message.facts })
    else if (message.type === 'ask') void this.#answer(name, message, home)
    else if (message.type === 'joined') this.#members.joined(name, message)
    else if (isToDesk(message)) home.seats.get(name)!.told(message)
  }

  async #answer(name: string, { id, job, question }: Asked, home: ProcessOfWorkers): Promise<void> {
    const fault = await answerOf(this.#options.judge!, job, question)
    home.tell(name, { type: 'verdict', id, error: fault && errorToRecord(fault) })
  }

  #tellAll(message: ToWorker): void {
    for (const home of this.#processes) for (const worker of home.seats.keys()) home.tell(worker, message)
  }

  #ended(home: ProcessOfWorkers, how: string, reason: RowmillError | null): void {
    const left = home.endStarted()
    if (left.length > 0)
      this.#options.say(`ended ${namesOfProcesses(left)}, left running by the classifier`, { level: 'warn' })
    this.#processes.delete(home)
    for (const [worker, seat] of home.seats) {
      this.#shares.ended(worker)
      void this.#leaveFor(worker)
      seat.leave()
    }
    if (!this.#closing && !this.#options.signal?.aborted) this.#died(home, reason, how)
  }

  /** The others notice at once that they have more partitions. */
  async #leaveFor(name: string): Promise<void> {
    if (!this.#task || this.#closing || !(await this.#members.leaveFor(name, this.#task.kafka))) return
    this.#tellAll({ type: 'wake' })
  }

  #died({ seats, again }: ProcessOfWorkers, reason: RowmillError | null, how: string): void {
    const workers = [...seats.keys()]
    const isOutage = reason?.code === 'BROKER_UNREACHABLE' || reason?.facts['type'] === 'TOKEN_UNAVAILABLE'
    if (again && isOutage && this.#mayComeBack()) {
      this.#startProcess(workers, true)
      return
    }
    // A worker that starts again reads how much its topics take. Somebody may have lowered it.
    const limitChanged = reason?.facts['type'] === 'MESSAGE_TOO_LARGE'
    const mayHelp = reason === null || reason.code === 'CLASSIFIER_DIED' || limitChanged
    const names = workers.join(', ')
    const [s, them] = workers.length === 1 ? ['', 'it'] : ['s', 'them']
    if (mayHelp && this.#restarts < MAX_RESTARTS) {
      this.#restarts++
      const facts = { level: 'warn', code: reason?.code ?? 'WORKER_DIED', ...namedIf(workers) } as const
      this.#options.say(`worker${s} ${names} died (${reason?.message ?? how}); starting ${them} again`, facts)
      this.#startProcess(workers, true)
      return
    }
    const message = `worker${s} ${names} died (${how}) and ${MAX_RESTARTS} restarts did not help. Give the machine more memory, or start fewer workers (--workers)`
    const error = reason ?? new RowmillError('WORKER_DIED', message, { worker: names })
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

/** The worker, if there is only one. */
function namedIf(workers: readonly string[]): LogFacts {
  const [worker, ...others] = workers
  return worker !== undefined && others.length === 0 ? { worker } : {}
}

function leastFull(processes: Iterable<ProcessOfWorkers>): ProcessOfWorkers {
  return [...processes].reduce((least, other) => (other.seats.size < least.seats.size ? other : least))
}

function answerOf(judge: JobProbe, job: Job, question: Question): Promise<RowmillError | null> {
  if (question === null) return judge.end(job)
  return 'first' in question ? judge.first(job, question.first) : judge.meet(job, question.met)
}
