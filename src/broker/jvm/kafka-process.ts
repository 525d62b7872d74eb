import { existsSync } from 'node:fs'
import { chmod, cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RowmillError } from '../../errors.ts'
import { openFilesAdvice } from '../../support/open-files.ts'
import { type BrokerLogin, clientProperties, writeSecretFile } from '../broker-login.ts'
import { lastWords } from '../last-words.ts'
import { newClusterId, untilReady } from '../readiness.ts'
import {
  type BrokerPorts,
  brokerFiles,
  jvmArguments,
  loggingProperties,
  type Properties,
  serverProperties,
} from './broker-files.ts'
import { PRIVATE_FILE, PRIVATE_FOLDER } from './data-folder.ts'
import { type Guarded, startGuarded } from './guard.ts'
import type { Java } from './java.ts'
import { type Load, requireOpenFiles } from './open-files-needed.ts'
import { NO_FILES_LEFT } from './open-files-watch.ts'

/** Kafka in the cache: its jars, and a data directory that is formatted but was never used. */
export interface KafkaHome {
  readonly jars: string
  readonly template: string
}

export interface KafkaLaunch {
  readonly home: KafkaHome
  readonly java: Java
  readonly directory: string
  readonly ports: BrokerPorts
  /** Null: everybody on this machine may use the broker. */
  readonly login: BrokerLogin | null
  /** Whether the directory is removed with the broker. */
  readonly temporary: boolean
  /** Options of the JVM that make or use a class archive. */
  readonly archive: readonly string[]
  readonly properties?: Properties | undefined
  /** What the broker must have open files for. Default: its own. */
  readonly load?: Load | undefined
}

export interface KafkaProcess {
  readonly guarded: Guarded
  readonly clusterId: string
}

export const READY_MS = 60_000

/** Starts the JVM on the directory, and formats a new one first. The broker does not answer yet. */
export async function launchKafka(launch: KafkaLaunch): Promise<KafkaProcess> {
  requireOpenFiles(launch.load ?? { partitions: 0, workers: 0 })
  const { home, java, directory, ports, login, temporary, archive, properties } = launch
  const files = brokerFiles(directory)
  const [clusterId] = await Promise.all([
    existsSync(files.meta) ? readClusterId(files.meta) : format(home.template, files),
    writeSecretFile(files.properties, serverProperties({ data: files.data, ports, login }, properties)),
    login && writeSecretFile(files.client, clientProperties(`127.0.0.1:${ports.broker}`, login)),
    writeSecretFile(files.logging, loggingProperties(files.log)),
    // Empty the logs of an earlier broker, or its last words would seem to come from this one.
    writeSecretFile(files.log, ''),
    writeSecretFile(files.output, ''),
  ])
  await chmod(files.data, PRIVATE_FOLDER)
  const args = [...jvmArguments(home.jars, directory, archive), 'kafka.Kafka', files.properties]
  const remove = temporary ? directory : undefined
  // A temporary directory is private itself. What goes from there to the cache may be for all users.
  const isPrivate = !temporary
  const guarded = await startGuarded({
    command: java.command,
    args,
    directory,
    output: files.output,
    remove,
    isPrivate,
  })
  return { guarded, clusterId }
}

/** Resolves when this broker answers. Throws BROKER_FAILED if it ends first, or does not answer within a minute. */
export async function untilAnswering(launch: KafkaLaunch, { guarded, clusterId }: KafkaProcess, signal: AbortSignal) {
  const stop = new AbortController()
  const limits = AbortSignal.any([signal, stop.signal, AbortSignal.timeout(READY_MS)])
  const ended = guarded.ended.then(async status => {
    const why = status === null ? 'its guard was killed' : `it ended with status ${status}`
    throw brokerEnded(`does not start: ${why}`, await lastWords(launch.directory))
  })
  try {
    await Promise.race([untilReady({ port: launch.ports.broker, clusterId, login: launch.login }, limits), ended])
  } catch (error) {
    if (error instanceof RowmillError || signal.aborted) throw error
    throw brokerFailed(`does not answer within ${READY_MS / 1000} s`, await lastWords(launch.directory))
  } finally {
    stop.abort()
    ended.catch(() => {})
  }
}

/**
 * The error for a JVM that ended. The exceptions that follow a lack of open files say nothing more, so they are left out.
 * `isTold`: the user knows what to do about that already.
 */
export function brokerEnded(what: string, words: string, isTold = false): RowmillError {
  if (!words.includes(NO_FILES_LEFT)) return brokerFailed(what, words)
  const why = isTold ? 'because it may open no more files' : `because ${noFilesLeft()}`
  return new RowmillError('TOO_MANY_OPEN_FILES', `the local Kafka ${what}, ${why}`)
}

/** What is wrong with a broker that has reached the limit, and what to do. */
export function noFilesLeft(): string {
  return (
    'it may open no more files. It needs 3 for each partition of a pipeline and 8 for each worker. ' +
    `Start it again with a higher limit. ${openFilesAdvice()}`
  )
}

export function brokerFailed(what: string, words: string): RowmillError {
  const message = `the local Kafka ${what}. ${words === '' ? 'Its log is empty.' : `Its log ends with:\n${words}`}`
  return new RowmillError('BROKER_FAILED', message)
}

/**
 * Copies the data directory that Kafka's StorageTool formatted once, and writes a new cluster id into meta.properties, the
 * only file with the id. This saves the start of a JVM.
 */
async function format(template: string, files: ReturnType<typeof brokerFiles>): Promise<string> {
  const clusterId = newClusterId()
  await cp(template, files.data, { recursive: true })
  for (const entry of await readdir(files.data, { recursive: true, withFileTypes: true })) // all users may read the cache
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? PRIVATE_FOLDER : PRIVATE_FILE)
  const meta = await readFile(join(template, 'meta.properties'), 'utf8')
  await writeFile(files.meta, meta.replace(/^cluster\.id=.*$/m, `cluster.id=${clusterId}`))
  return clusterId
}

export async function readClusterId(meta: string): Promise<string> {
  const id = /^cluster\.id=(.*)$/m.exec(await readFile(meta, 'utf8'))?.[1]
  if (id !== undefined) return id.trim()
  const message = `${meta} has no cluster.id, so this is not a data directory of Kafka. Choose another directory`
  throw new RowmillError('BROKER_FAILED', message, { path: meta })
}
