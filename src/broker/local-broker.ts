import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { RowmillError } from '../errors.ts'
import { localCluster, newLogin } from './broker-login.ts'
import { startContainerBroker } from './container/container-broker.ts'
import {
  type BrokerDirectory,
  makeBrokerDirectory,
  sweepBrokerDirectories,
  takeBrokerDirectory,
} from './jvm/broker-directory.ts'
import { type BrokerPorts, brokerFiles, type Properties } from './jvm/broker-files.ts'
import { type OnProgress, type PreparedKafka, prepareKafka } from './jvm/kafka-jars.ts'
import {
  brokerEnded,
  type KafkaLaunch,
  type KafkaProcess,
  launchKafka,
  noFilesLeft,
  untilAnswering,
} from './jvm/kafka-process.ts'
import type { Load } from './jvm/open-files-needed.ts'
import { outOfFiles } from './jvm/open-files-watch.ts'

import { lastWords } from './last-words.ts'
import { choosePorts } from './ports.ts'
import type { LocalBroker } from './running-broker.ts'

export { prepareKafkaJars } from './jvm/kafka-jars.ts'

export interface LocalBrokerOptions {
  /** The port of 127.0.0.1 to listen on. Default: a free one. */
  readonly port?: number
  /** Where to keep topics for the next start. Default: a temporary directory, removed at close. */
  readonly dataDir?: string
  /**
   * Properties of Kafka that replace our own: for a node of a larger cluster, or one that clients reach at another address.
   * We still wait until `port` answers.
   */
  readonly properties?: Properties
  /** Whether only clients with the secret of this start get in. Default: every user of this machine may use the broker. */
  readonly auth?: boolean
  /** What the broker must have open files for, apart from its own. Throws TOO_MANY_OPEN_FILES if the limit is lower. */
  readonly load?: Load
  /** Whether a broker without persistent data is acceptable if `dataDir` cannot be used. */
  readonly mayForget?: boolean
  /**
   * Called with a message before slow steps, such as the first download of the jars, and when the running broker can open no
   * more files.
   */
  readonly onProgress?: OnProgress
  /** Called once the process of the broker was started. It may be called again. */
  readonly onLaunched?: () => void
  /** Aborts the start. A running broker is ended by `close`. */
  readonly signal?: AbortSignal
}

const PORT_TRIES = 5
const GRACEFUL_STOP_MS = 15_000
/** A broker that cannot write its topics for lack of open files ends within this time. */
const MAY_END_MS = 3000

/**
 * Starts Apache Kafka as a child of this process: one node on the loopback interface. Resolves when topics can be created
 * and written. The broker ends with this process, however that ends. Without Java or Maven it starts in a container, if
 * Docker answers.
 *
 * Throws BROKER_NO_JAVA, BROKER_NO_JARS, BROKER_FAILED, or INTERRUPTED if `signal` aborts.
 */
export async function startLocalBroker(options: LocalBrokerOptions = {}): Promise<LocalBroker> {
  const { port, dataDir, properties, auth = false, load, onProgress = () => {}, onLaunched } = options
  const { signal = new AbortController().signal } = options
  try {
    const prepared = await prepareKafka(onProgress, signal).catch(error => {
      if (error instanceof RowmillError && error.facts.missing !== undefined) return error
      throw error
    })
    const sweeping = sweepBrokerDirectories()
    if (prepared instanceof RowmillError) {
      onLaunched?.() // a container takes longer
      return await startElsewhere(prepared, options, signal)
    }
    const broker = await startOnFreePort({
      prepared,
      dataDir,
      properties,
      auth,
      load,
      onProgress,
      onLaunched,
      signal,
      choose: () => choosePorts(port),
    })
    await sweeping
    return broker
  } catch (error) {
    if (error instanceof RowmillError || !signal.aborted) throw error
    if (signal.reason instanceof RowmillError) throw signal.reason
    throw new RowmillError('INTERRUPTED', 'the start of the local Kafka was interrupted', {}, { cause: error })
  }
}

/** Starts the broker in a container. If that is impossible, the error says what is missing and lists every way out. */
async function startElsewhere(missing: RowmillError, options: LocalBrokerOptions, signal: AbortSignal) {
  const { port, dataDir, auth = false, mayForget = false, onProgress = () => {} } = options
  const started =
    dataDir === undefined || mayForget
      ? await startContainerBroker({ port, auth, why: `${missing.facts.missing}`, onProgress, signal })
      : 'it cannot keep topics in a data directory'
  if (typeof started !== 'string') return started
  throw new RowmillError(
    missing.code,
    `${missing.message}. A container is not possible either: ${started}`,
    missing.facts,
  )
}

interface BrokerStart {
  readonly prepared: PreparedKafka
  readonly dataDir: string | undefined
  readonly properties?: Properties | undefined
  readonly auth?: boolean
  readonly load?: Load | undefined
  readonly onProgress?: OnProgress
  readonly onLaunched?: (() => void) | undefined
  readonly choose: () => Promise<BrokerPorts>
  readonly signal: AbortSignal
}

/** Another process may take a free port before Kafka uses it. Then we choose again. */
export async function startOnFreePort(start: BrokerStart): Promise<LocalBroker> {
  for (let tries = 1; ; tries++) {
    const { broker, error } = await tryStart(start)
    if (broker) return broker
    if (!error.facts.portTaken || tries === PORT_TRIES) throw error
  }
}

type Tried = { broker: LocalBroker; error?: never } | { broker?: never; error: RowmillError }

async function tryStart({
  prepared,
  dataDir,
  properties,
  auth = false,
  load,
  onProgress,
  onLaunched,
  signal,
  choose,
}: BrokerStart): Promise<Tried> {
  const ports = await choose()
  // A new secret for each try: another program may have taken the port, and was sent the last one.
  const login = auth ? newLogin() : null
  const directory = dataDir === undefined ? await makeBrokerDirectory() : await takeBrokerDirectory(dataDir, auth)
  const temporary = dataDir === undefined
  const launch: KafkaLaunch = { ...prepared, directory: directory.path, ports, login, properties, temporary, load }
  const kafka = await launchKafka(launch).catch(async error => {
    await directory.release()
    throw error
  })
  onLaunched?.()
  const place: StartedBroker = { launch, kafka, directory }
  try {
    await directory.name(kafka.guarded.process)
    await untilAnswering(launch, kafka, signal)
  } catch (error) {
    const portTaken = await isPortTaken(directory.path)
    await stop(place, 'at once')
    if (!portTaken || !(error instanceof RowmillError)) throw error
    return { error: new RowmillError(error.code, error.message, { ...error.facts, portTaken }) }
  }
  return { broker: running(place, onProgress) }
}

async function isPortTaken(directory: string): Promise<boolean> {
  const log = await readFile(brokerFiles(directory).log, 'utf8').catch(() => '')
  return /BindException|Address already in use/.test(log)
}

/** A started broker with its directory. */
interface StartedBroker {
  readonly launch: KafkaLaunch
  readonly kafka: KafkaProcess
  readonly directory: BrokerDirectory
}

function running(place: StartedBroker, onProgress: OnProgress = () => {}): LocalBroker {
  const { launch, kafka } = place
  let closing: Promise<void> | null = null
  const over = new AbortController()
  let isTold = false
  void untilOutOfFiles(place, over.signal).then(() => {
    if (over.signal.aborted) return
    isTold = true
    onProgress(`the local Kafka answers no longer: ${noFilesLeft()}`)
  })
  const died = kafka.guarded.ended.then(async status => {
    over.abort()
    if (closing !== null) return new Promise<never>(() => {})
    const why = status === null ? 'lost its guard' : `ended by itself with status ${status}`
    return brokerEnded(why, await lastWords(launch.directory), isTold)
  })
  const address = `127.0.0.1:${launch.ports.broker}`
  return {
    address,
    cluster: localCluster(address, launch.login),
    login: launch.login,
    clientConfig: launch.login && brokerFiles(launch.directory).client,
    keepsData: !launch.temporary,
    died,
    close: () => end('farewell'),
    kill: () => end('at once'),
  }
  function end(how: 'farewell' | 'at once'): Promise<void> {
    over.abort()
    closing ??= stop(place, how)
    return closing
  }
}

/**
 * Resolves when a broker has had no open files left for a moment, or is over. If it ends for that reason within this
 * moment, `died` says so.
 */
async function untilOutOfFiles({ launch }: StartedBroker, over: AbortSignal): Promise<void> {
  await outOfFiles(brokerFiles(launch.directory).log, over)
  await delay(MAY_END_MS, undefined, { signal: over, ref: false }).catch(() => {})
}

/** Kills a broker with temporary data. Kept data is closed in order, or the next start would have to recover it. */
async function stop(
  { launch, kafka: { guarded }, directory }: StartedBroker,
  how: 'farewell' | 'at once',
): Promise<void> {
  if (!launch.temporary && how === 'farewell') {
    guarded.signal('TERM')
    const patience = new AbortController()
    const limit = delay(GRACEFUL_STOP_MS, undefined, { signal: patience.signal }).catch(() => {})
    await Promise.race([guarded.ended, limit])
    patience.abort()
  }
  await guarded.close()
  await directory.release()
}
