import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { errorFromRecord, RowmillError } from '../../errors.ts'
import { withLock } from '../../support/file-lock.ts'
import { makeFolder } from '../../support/make-folder.ts'
import { openFilesLimit } from '../../support/open-files.ts'
import type { Say } from '../../support/say.ts'
import { localCluster } from '../broker-login.ts'
import { brokerFiles } from '../jvm/broker-files.ts'
import { PRIVATE_FOLDER } from '../jvm/data-folder.ts'
import { prepareKafka } from '../jvm/kafka-jars.ts'
import { brokerEnded } from '../jvm/kafka-process.ts'
import { filesFor, type Load, PLENTY } from '../jvm/open-files-needed.ts'
import { lastWords } from '../last-words.ts'
import { untilReady } from '../readiness.ts'
import type { LocalBroker } from '../running-broker.ts'
import { type Visit, visit } from './door.ts'
import { faultOf, keptFiles } from './kept-folder.ts'
import { startKeeper } from './start-keeper.ts'

/** How long a broker stays after its last run. */
const IDLE_MS = 10 * 60_000
/** A broker that is there answers within this time. */
const ANSWER_MS = 3000
/** So long a run waits until it or another one has started the broker. Then it starts its own. */
const START_MS = 30_000
/** One run may have this share of the open files of the broker. */
const SHARE = 1 / 4

export interface KeptBrokerOptions {
  readonly folder: string
  /** What the run needs. */
  readonly load: Load
  readonly signal: AbortSignal
  readonly say: Say
  /** Called once a broker has been found, or its keeper was started. It may be called again. */
  readonly onLaunched?: () => void
  readonly idleMs?: number
  readonly startMs?: number
}

/** A broker that other runs use too. `close` and `kill` only leave it. */
export interface KeptBroker extends LocalBroker {
  readonly folder: string
  readonly openFiles: number | null
}

/**
 * Finds the broker that an earlier run left, or starts one that stays. Text: why that is impossible, so the caller starts a
 * broker of its own. Throws the errors of `prepareKafka`, and the reason of `signal`.
 */
export async function openKeptBroker(options: KeptBrokerOptions): Promise<KeptBroker | string> {
  const { folder, load, signal } = options
  const own = openFilesLimit()
  if (own !== null && own < PLENTY) return 'the limit of open files is low'
  const fault = await faultOf(folder)
  if (fault !== null) return fault
  try {
    const visited = await enter(options)
    if (typeof visited === 'string') return visited
    const { openFiles } = visited.state
    if (openFiles === null || filesFor(load) <= openFiles * SHARE) return usedBy(visited, folder)
    visited.leave()
    return 'this run needs many open files'
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (!(error instanceof RowmillError)) return (error as Error).message
    if (error.facts['missing'] === undefined) throw error
    return `there is ${error.facts['missing']}` // a container may have what is missing
  }
}

/** What a run says that cannot share a broker. */
export function startsOwn(why: string): string {
  return `this run starts a Kafka of its own, because ${why} (--no-keep does so without this line)`
}

/** Visits a keeper whose broker answers. Starts a keeper if nobody has, and replaces a keeper whose broker is silent. */
async function enter(options: KeptBrokerOptions): Promise<Visit | string> {
  const { folder, signal, onLaunched } = options
  const { door } = keptFiles(folder)
  let visited = await visit(door, 'use')
  if (visited !== 'nobody') onLaunched?.()
  if (typeof visited === 'object' && !(await answers(visited, signal))) {
    visited.tell('replace')
    const isGone = await Promise.race([visited.over.then(() => true), delay(ANSWER_MS, false, { ref: false })])
    visited.leave()
    visited = isGone ? 'nobody' : 'silent'
  }
  if (visited === 'nobody') visited = await startUnlessStarted(options)
  return visited === 'silent' || visited === 'nobody' ? 'the kept Kafka does not answer' : visited
}

async function answers({ state }: Visit, signal: AbortSignal): Promise<boolean> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
  const answered = await untilReady(state, limit).then(
    () => true,
    () => false,
  )
  signal.throwIfAborted()
  return answered
}

/** Runs that start at once: one starts the broker, and the others wait for it. Throws if that takes too long. */
async function startUnlessStarted(options: KeptBrokerOptions): Promise<Visit | 'nobody' | 'silent'> {
  const { folder, signal, say, onLaunched, idleMs = IDLE_MS, startMs = START_MS } = options
  const { door, starting } = keptFiles(folder)
  const prepared = await prepareKafka(say, signal)
  await makeFolder(dirname(folder), PRIVATE_FOLDER)
  const patience = AbortSignal.timeout(startMs)
  const limit = AbortSignal.any([signal, patience])
  const start = async () => {
    const started = await visit(door, 'use')
    if (started !== 'nobody') return started
    const starting = startKeeper({ folder, prepared, idleMs }, limit)
    onLaunched?.()
    await starting
    say(
      `started a local Kafka: it stays for ${idleMs / 60_000} minutes after its last run (--no-keep: it ends with the run)`,
    )
    return await visit(door, 'use')
  }
  try {
    return await withLock(starting, limit, () => {}, start)
  } catch (error) {
    if (!patience.aborted || (error as Error).name !== 'AbortError') throw error
    throw new Error(`the kept Kafka is not ready after ${startMs / 1000} s`, { cause: error })
  }
}

function usedBy({ state, over, leave }: Visit, folder: string): KeptBroker {
  let hasLeft = false
  const address = `127.0.0.1:${state.port}`
  const end = async () => {
    hasLeft = true
    leave()
  }
  const died = over.then(async words => {
    if (hasLeft) return new Promise<never>(() => {})
    return words ? errorFromRecord(words) : brokerEnded('was ended', await lastWords(folder))
  })
  return {
    address,
    cluster: localCluster(address, state.login),
    login: state.login,
    clientConfig: brokerFiles(folder).client,
    keepsData: true,
    folder,
    openFiles: state.openFiles,
    died,
    close: end,
    kill: end,
  }
}
