/** A process of workers, started by supervisor.ts. It ends when they have left, when one of them fails, or with the supervisor. */
import { errorToRecord } from '../errors.ts'
import { openFilesLimit } from '../support/open-files.ts'
import { endAllStarted } from '../support/started-processes.ts'
import type { Tracing } from '../tracing/tracing.ts'
import { HostedWorker } from './hosted-worker.ts'
import type { FromProcessOrBeat, FromWorker, ToProcess, WorkerArguments } from './worker-messages.ts'

const workers = new Map<string, HostedWorker>()
const drain = new AbortController()
/** What all workers trace with. Null: nothing is traced. */
let tracing: Promise<Tracing> | null = null
let ending = false
let beats = false
/** How often it says that it runs, to a supervisor that reports. */
const BEAT_MS = 1000
openFilesLimit() // remembers the limit while files can still be opened

process.on('disconnect', () => {
  endAllStarted()
  process.exit(1)
})
// A terminal sends these to all processes. The supervisor decides what they mean.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('SIGTERM', () => drain.abort())

process.on('message', (message: ToProcess) => {
  if (message.type === 'to') workers.get(message.worker)!.take(message.message)
  else if (message.type === 'start') start(message.worker)
  else {
    drain.abort()
    for (const worker of workers.values()) worker.leaveUnlessWorking()
  }
})

function start(args: WorkerArguments): void {
  if (args.reports && !beats) setInterval(() => tell({ type: 'beat' }), BEAT_MS).unref()
  beats ||= args.reports === true
  if (args.tracing) tracing ??= import('../tracing/open.ts').then(({ openTracing }) => openTracing())
  const tellAs = (message: FromWorker) => tell({ worker: args.name, message })
  const worker = new HostedWorker(args, { signal: drain.signal, tell: tellAs, tracing })
  workers.set(args.name, worker)
  worker.ended.then(exitIfAllLeft, error => end(args.name, error))
}

async function exitIfAllLeft(): Promise<void> {
  await Promise.allSettled([...workers.values()].map(worker => worker.ended))
  await flushTraces()
  if (!ending) process.exit(0)
}

/** Reports the first error only: closing a classifier makes its start fail too. */
async function end(worker: string, error: unknown): Promise<void> {
  if (ending) return
  ending = true
  tell({ worker, message: { type: 'failed', error: errorToRecord(error) } })
  await Promise.all([...workers.values()].map(each => each.close()))
  await flushTraces()
  process.exit(1)
}

async function flushTraces(): Promise<void> {
  await (await tracing?.catch(() => null))?.flush()
}

/** If the supervisor has been killed, `disconnect` follows. Without the callback a failed write would end the process before that. */
function tell(message: FromProcessOrBeat): void {
  if (process.connected) process.send!(message, undefined, undefined, () => {})
}
