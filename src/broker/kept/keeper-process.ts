/** A process that keeps a broker after the run that started it. Its parent is told when the broker answers. */
import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorRecord, errorToRecord, toRowmillError } from '../../errors.ts'
import { FileLock } from '../../support/file-lock.ts'
import { openFilesLimit } from '../../support/open-files.ts'
import { takeBrokerDirectory } from '../jvm/broker-directory.ts'
import { brokerFiles } from '../jvm/broker-files.ts'
import type { PreparedKafka } from '../jvm/kafka-jars.ts'
import { readClusterId } from '../jvm/kafka-process.ts'
import { SMALL_PIPELINE } from '../jvm/open-files-needed.ts'
import { startOnFreePort } from '../local-broker.ts'
import { choosePorts } from '../ports.ts'
import type { BrokerDoor } from '../raw-requests.ts'
import type { LocalBroker } from '../running-broker.ts'
import { dropTopics } from './drop-topics.ts'
import { type Ending, Keeper } from './keeper.ts'
import { forgetRun, keptFiles, runsIn } from './kept-folder.ts'

export interface KeeperArguments {
  readonly folder: string
  readonly prepared: PreparedKafka
  readonly idleMs: number
}

export type FromKeeperProcess = { readonly type: 'ready' } | { readonly type: 'failed'; readonly error: ErrorRecord }

/** An ending broker has the folder for so long. */
const PREDECESSOR_MS = 5000
const POLL_MS = 50

const stop = new AbortController()
const { folder, prepared, idleMs }: KeeperArguments = JSON.parse(process.argv[2]!)
process.title = 'rowmill-keeper'
process.once('SIGTERM', () => stop.abort(new Error('SIGTERM')))
await keep().catch(error => tell({ type: 'failed', error: errorToRecord(toRowmillError(error)) }))
process.exit()

async function keep(): Promise<void> {
  await clearUnneeded()
  const broker = await startOnFreePort({
    prepared,
    dataDir: folder,
    auth: true,
    load: SMALL_PIPELINE,
    choose: () => choosePorts(undefined),
    signal: stop.signal,
  })
  let why: Ending = 'stopped'
  try {
    const state = {
      port: Number(broker.address.split(':')[1]),
      login: broker.login!,
      clusterId: await readClusterId(brokerFiles(folder).meta),
      openFiles: openFilesLimit(),
      pid: process.pid,
    }
    const onLeave = () => dropAbandoned(state).catch(() => {}) // tried again when the next user has left
    const keeper = await Keeper.open({ door: keptFiles(folder).door, state, idleMs, onLeave })
    void broker.died.then(error => keeper.end(error))
    stop.signal.addEventListener('abort', () => keeper.end('stopped'), { once: true })
    tell({ type: 'ready' })
    why = await keeper.over
  } finally {
    await endBroker(broker, why)
  }
  // A normal exit would remove the socket by its path, which may be the one of a new keeper by now.
  if (why === 'removed') process.kill(process.pid, 'SIGKILL')
}

/** Topics that nobody needs would only have to be recovered. Waits for a predecessor that is about to end. */
async function clearUnneeded(): Promise<void> {
  const patience = AbortSignal.timeout(PREDECESSOR_MS)
  for (;;) {
    try {
      const directory = await takeBrokerDirectory(folder, true)
      if ((await runsIn(folder)).needed.length === 0) await clear()
      await directory.release()
      return
    } catch (error) {
      if (patience.aborted || toRowmillError(error).code !== 'BROKER_FAILED') throw error
      await delay(POLL_MS)
    }
  }
}

async function clear(): Promise<void> {
  const { runs } = keptFiles(folder)
  await Promise.all([brokerFiles(folder).data, runs].map(path => rm(path, { recursive: true, force: true })))
}

/** Deletes the topics of runs that are over. Here, no command waits for that. */
async function dropAbandoned(broker: BrokerDoor): Promise<void> {
  const { abandoned } = await runsIn(folder)
  for (const pipeline of abandoned) if (await dropTopics(broker, pipeline)) await forgetRun(folder, pipeline)
}

async function endBroker(broker: LocalBroker, why: Ending): Promise<void> {
  const isNeeded = (await runsIn(folder)).needed.length > 0
  await (isNeeded && why !== 'replaced' ? broker.close() : broker.kill())
  if (isNeeded || why === 'removed') return
  // Whoever holds this lock is about to start a broker in the folder, and may have it as it is.
  const lock = await FileLock.take(keptFiles(folder).starting)
  if (lock === null) return
  await rm(folder, { recursive: true, force: true })
  lock.release()
}

function tell(message: FromKeeperProcess): void {
  if (process.connected) process.send?.(message)
}
