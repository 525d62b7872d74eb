/**
 * One worker in its own process, started by supervisor.ts. It starts the classifier first, since the imports take longest.
 * The broker's address comes later, over the channel to the supervisor. If the supervisor ends, the process ends at once.
 */
import { once } from 'node:events'
import { IsolatingClassifier } from '../classifier/isolating.ts'
import { openClassifier } from '../classifier/open.ts'
import { errorFromRecord, errorToRecord, type RowmillError } from '../errors.ts'
import type { ForkServerAddress } from '../python/forked-process.ts'
import { openFilesLimit } from '../support/open-files.ts'
import { endAllStarted } from '../support/started-processes.ts'
import { MAX_MESSAGE_BYTES } from '../wire/codec.ts'
import type { Lending } from './calls.ts'
import type { JoinedGroup } from './dead-members.ts'
import { type Ask, ProbingJudge } from './job-judge.ts'
import type { FromDesk } from './lending-messages.ts'
import type { FromWorker, ToWorker, WorkerArguments } from './worker-messages.ts'
import { WorkerShare } from './worker-share.ts'

const PROGRESS_EVERY_MS = 200

const {
  name,
  python,
  target,
  batchRows,
  probe = 0,
  asks = false,
  lends = false,
  forks = false,
  ...limits
} = JSON.parse(process.argv[2]!) as WorkerArguments
/** If the supervisor has been killed, `disconnect` follows. Without the callback a failed write would end the process before that. */
const tell = (message: FromWorker) => process.connected && process.send!(message, undefined, undefined, () => {})
const say = (text: string) => tell({ type: 'say', text })
const drain = new AbortController()
openFilesLimit() // remembers the limit while files can still be opened
const onOutput = (text: string) => tell({ type: 'output', text })
const memoryMB = limits.classifierMemory
const forkServer = Promise.withResolvers<ForkServerAddress | null>()
let mostBytes = MAX_MESSAGE_BYTES
const classifier = new IsolatingClassifier({
  open: () =>
    openClassifier({ target, python, by: name, memoryMB, onOutput, forks: forks ? forkServer.promise : null }),
  timeoutMs: limits.batchTimeout * 1000,
  by: name,
  mostBytes: () => mostBytes,
  say: message => say(`worker ${name}: ${message}`),
  endsIfRefusedTogether: true,
})

process.on('disconnect', () => {
  endAllStarted()
  process.exit(1)
})
// A terminal sends these to all processes. The supervisor decides what they mean.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('SIGTERM', () => drain.abort())

/** The questions to the supervisor that have no answer yet, by id. */
const asked: Record<number, (fault: RowmillError | null) => void> = {}
let questions = 0
const ask: Ask = (job, question) =>
  new Promise(resolve => {
    asked[++questions] = resolve
    tell({ type: 'ask', id: questions, job, question })
  })

const share = new WorkerShare()
let wake = () => {}
/** What takes the messages of the desk: the worker, as soon as it has told the desk anything. */
let told: (message: FromDesk) => void
const lending: Lending = {
  tell,
  listen: listener => {
    told = listener
  },
}

let working = false
let ending = false
let rows = 0
setInterval(() => {
  if (rows > 0) tell({ type: 'batch', rows })
  rows = 0
}, PROGRESS_EVERY_MS).unref()

process.on('message', (message: ToWorker) => {
  if (message.type === 'work') {
    working = true
    void work(message).catch(end)
  } else if (message.type === 'verdict') {
    asked[message.id]!(message.error && errorFromRecord(message.error))
    delete asked[message.id]
  } else if (message.type === 'forks') forkServer.resolve(message.address)
  else if (message.type === 'ping') tell({ type: 'alive' })
  else if (message.type === 'wake') wake()
  else if (message.type === 'share') {
    void share.give(message.partitions).then(() => tell({ type: 'released', turn: message.turn }))
  } else if (message.type !== 'drain') told(message)
  else if (working) drain.abort()
  else void classifier.close().then(() => process.exit(0))
})
classifier.start().then(() => {
  tell({ type: 'ready', ...classifier.runtime })
}, end)
const loading = loadRest() // while Python and the broker start
loading.catch(() => {}) // thrown in work()

async function loadRest() {
  const [{ Kafka }, { Worker }, { wireFormat }, { longestMessage }, { topicsOf }] = await Promise.all([
    import('../kafka/index.ts'),
    import('./worker.ts'),
    import('../wire/confluent.ts'),
    import('../pipeline/topics.ts'),
    import('../pipeline/topic-names.ts'),
  ])
  return { Kafka, Worker, wireFormat, longestMessage, topicsOf }
}

async function work({
  type: _,
  kafka: settings,
  registryIds,
  pipeline,
  bulk = false,
  ownPartitions = null,
}: Extract<ToWorker, { type: 'work' }>): Promise<void> {
  const { Kafka, Worker, wireFormat, longestMessage, topicsOf } = await loading
  const format = registryIds ? wireFormat(registryIds) : null
  const named = (text: string) => say(`worker ${name}: ${text}`)
  const kafka = new Kafka({ ...settings, clientId: name, format }, undefined, named)
  const onBatch = (classified: number) => {
    rows += classified
  }
  const onJoined = (joined: JoinedGroup) => tell({ type: 'joined', ...joined })
  const judge = asks ? new ProbingJudge({ ask, most: probe, batchRows }) : null
  const { results, rejects } = topicsOf(pipeline)
  const [worker, longest] = await Promise.all([
    Worker.open(
      { kafka, pipeline, say },
      {
        ...{
          bulk,
          name,
          share: ownPartitions === null ? null : share,
          classifier,
          batchRows,
          onBatch,
          judge,
          onJoined,
        },
        lending: lends ? lending : null,
      },
    ),
    bulk ? longestMessage(kafka, [results, rejects]) : mostBytes, // a pipeline for one run has topics of our own making
  ])
  mostBytes = Math.min(mostBytes, longest)
  wake = () => worker.wake()
  // A run with its own pipeline publishes nothing before a classifier is ready. In a shared pipeline rows already flow. If
  // we joined now, other workers would give us partitions, whose rows would wait until we have imported pandas.
  if (bulk && !drain.signal.aborted) await Promise.race([classifier.start(), once(drain.signal, 'abort')])
  if (!drain.signal.aborted) await worker.run(drain.signal)
  await classifier.close()
  process.exit(0)
}

/** Reports the first error only: closing the classifier makes its start fail too. */
async function end(error: unknown): Promise<void> {
  if (ending) return
  ending = true
  tell({ type: 'failed', error: errorToRecord(error) })
  await classifier.close()
  process.exit(1)
}
