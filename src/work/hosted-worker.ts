import { once } from 'node:events'
import { IsolatingClassifier } from '../classifier/isolating.ts'
import { openClassifier } from '../classifier/open.ts'
import { errorFromRecord, type RowmillError } from '../errors.ts'
import type { Kafka } from '../kafka/index.ts'
import type { ForkServerAddress } from '../python/forked-process.ts'
import type { Say, ShowOutput } from '../support/say.ts'
import type { Tracing } from '../tracing/tracing.ts'
import { MAX_MESSAGE_BYTES } from '../wire/codec.ts'
import { Activity } from './activity.ts'
import type { Lending } from './calls.ts'
import type { JoinedGroup } from './dead-members.ts'
import { type Ask, ProbingJudge } from './job-judge.ts'
import type { FromDesk } from './lending-messages.ts'
import type { Worker } from './worker.ts'
import type { FromWorker, ToWorker, WorkerArguments } from './worker-messages.ts'
import { WorkerShare } from './worker-share.ts'

const PROGRESS_EVERY_MS = 200
/** So many of these times are a second. */
const ACTIVITY_EVERY = 5

type Work = Extract<ToWorker, { type: 'work' }>

/** What a worker has from its process. */
export interface WorkerHome {
  /** Aborts when the workers are to finish their batches and leave. */
  readonly signal: AbortSignal
  readonly tell: (message: FromWorker) => void
  /** Null: nothing is traced. */
  readonly tracing: Promise<Tracing> | null
}

/**
 * One worker in a process of workers, with a classifier of its own. It starts the classifier first, since the imports take
 * longest. The broker's address comes later, in the message `work`.
 */
export class HostedWorker {
  readonly #args: WorkerArguments
  readonly #tell: (message: FromWorker) => void
  readonly #signal: AbortSignal
  readonly #tracing: Promise<Tracing> | null
  readonly #classifier: IsolatingClassifier
  readonly #forkServer = Promise.withResolvers<ForkServerAddress | null>()
  readonly #ended = Promise.withResolvers<void>()
  readonly #loading: ReturnType<typeof loadRest>
  readonly #share = new WorkerShare()
  /** The questions to the supervisor that have no answer yet, by id. */
  readonly #asked: Record<number, (fault: RowmillError | null) => void> = {}
  readonly #lending: Lending
  readonly #activity: Activity
  #worker: Worker | null = null
  #questions = 0
  /** What takes the messages of the desk: the worker, as soon as it has told the desk anything. */
  #told!: (message: FromDesk) => void
  #working = false
  #rows = 0
  #mostBytes = MAX_MESSAGE_BYTES

  /** Starts the classifier. */
  constructor(args: WorkerArguments, { signal, tell, tracing }: WorkerHome) {
    const { name, python, target, classifierMemory: memoryMB, batchTimeout, forks = false } = args
    this.#args = args
    this.#tell = tell
    this.#signal = signal
    this.#activity = new Activity({ keepsTimings: args.timings ?? false })
    this.#tracing = tracing
    tracing?.catch(this.#ended.reject)
    this.#lending = {
      tell,
      listen: listener => {
        this.#told = listener
      },
    }
    const onOutput: ShowOutput = (text, facts) => tell({ type: 'output', text, facts })
    const server = forks ? this.#forkServer.promise : null
    this.#classifier = new IsolatingClassifier({
      open: () => openClassifier({ target, python, by: name, memoryMB, onOutput, forks: server }),
      timeoutMs: batchTimeout * 1000,
      by: name,
      mostBytes: () => this.#mostBytes,
      say: this.#say,
      onRestart: code => this.#activity.restarted(code),
      endsIfRefusedTogether: true,
    })
    this.#classifier.start().then(() => {
      this.#activity.ready()
      tell({ type: 'ready', ...this.#classifier.runtime })
    }, this.#ended.reject)
    this.#loading = loadRest() // while Python and the broker start
    this.#loading.catch(() => {}) // thrown in #work
    let times = 0
    setInterval(() => {
      if (this.#rows > 0) tell({ type: 'batch', rows: this.#rows })
      this.#rows = 0
      if (++times % ACTIVITY_EVERY === 0) this.#tellActivity()
    }, PROGRESS_EVERY_MS).unref()
  }

  /** Resolves when the worker has left. Rejects with what ended it. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  take(message: ToWorker): void {
    if (message.type === 'work') {
      this.#working = true
      this.#work(message).then(this.#ended.resolve, this.#ended.reject)
    } else if (message.type === 'verdict') {
      this.#asked[message.id]!(message.error && errorFromRecord(message.error))
      delete this.#asked[message.id]
    } else if (message.type === 'forks') this.#forkServer.resolve(message.address)
    else if (message.type === 'ping') this.#tell({ type: 'alive' })
    else if (message.type === 'wake') this.#worker?.wake()
    else if (message.type === 'share') {
      const { partitions, turn } = message
      void this.#share.give(partitions).then(() => this.#tell({ type: 'released', turn }))
    } else this.#told(message)
  }

  /** Leaves if it has no work yet: no signal would end its wait for that. */
  leaveUnlessWorking(): void {
    if (!this.#working) void this.close().then(this.#ended.resolve)
  }

  /** Ends the classifier. */
  close(): Promise<void> {
    return this.#classifier.close()
  }

  async #work({ kafka: settings, registryIds, pipeline, bulk = false, ownPartitions = null }: Work): Promise<void> {
    const { Kafka, Worker, topicsOf, TRACEPARENT } = await this.#loading
    const { name, batchRows, probe = 0, asks = false, lends = false } = this.#args
    const format = registryIds ? (await import('../wire/confluent.ts')).wireFormat(registryIds) : null
    const tracing = (await this.#tracing)?.of({ pipeline, isTemporary: !bulk }) ?? null
    const headers = tracing ? [TRACEPARENT] : []
    const kafka = new Kafka({ ...settings, clientId: name, format, headers }, undefined, this.#say)
    const { results, rejects } = topicsOf(pipeline)
    const [worker, longest] = await Promise.all([
      Worker.open(
        { kafka, pipeline, tracing, say: (text, facts) => this.#tell({ type: 'say', text, facts }) },
        {
          ...{ bulk, name, batchRows, classifier: this.#classifier },
          share: ownPartitions === null ? null : this.#share,
          judge: asks ? new ProbingJudge({ ask: this.#ask, most: probe, batchRows }) : null,
          lending: lends ? this.#lending : null,
          onBatch: classified => {
            this.#rows += classified
          },
          onJoined: (joined: JoinedGroup) => this.#tell({ type: 'joined', ...joined }),
          activity: this.#activity,
        },
      ),
      bulk ? longestOf(kafka, [results, rejects]) : this.#mostBytes, // a pipeline for one run has topics of our own making
    ])
    this.#mostBytes = Math.min(this.#mostBytes, longest)
    this.#worker = worker
    // A run with its own pipeline publishes nothing before a classifier is ready. In a shared pipeline rows already flow. If
    // we joined now, other workers would give us partitions, whose rows would wait until we have imported pandas.
    const signal = this.#signal
    if (bulk && !signal.aborted) await Promise.race([this.#classifier.start(), once(signal, 'abort')])
    if (!signal.aborted) await worker.run(signal)
    this.#tellActivity()
    await this.close()
  }

  #tellActivity(): void {
    if (!this.#args.reports) return
    this.#tell({ type: 'activity', ...this.#activity.take(this.#worker?.partitions ?? []) })
  }

  readonly #ask: Ask = (job, question) =>
    new Promise(resolve => {
      this.#asked[++this.#questions] = resolve
      this.#tell({ type: 'ask', id: this.#questions, job, question })
    })

  readonly #say: Say = (text, facts) => {
    this.#tell({ type: 'say', text: `worker ${this.#args.name}: ${text}`, facts })
  }
}

/** How long a message may be in all of these topics. */
async function longestOf(kafka: Kafka, topics: readonly string[]): Promise<number> {
  const { longestMessage } = await import('../pipeline/topics.ts')
  return longestMessage(kafka, topics)
}

async function loadRest() {
  const [{ Kafka, TRACEPARENT }, { Worker }, { topicsOf }] = await Promise.all([
    import('../kafka/index.ts'),
    import('./worker.ts'),
    import('../pipeline/topic-names.ts'),
  ])
  return { Kafka, Worker, topicsOf, TRACEPARENT }
}
