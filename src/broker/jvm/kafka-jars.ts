import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { RowmillError } from '../../errors.ts'
import { withLock } from '../../support/file-lock.ts'
import { homeFolder } from '../../support/home-folder.ts'
import { makeFolder } from '../../support/make-folder.ts'
import { newClusterId } from '../readiness.ts'
import { copyJarsArguments, serverProperties } from './broker-files.ts'
import { prepareClassArchive } from './class-archive.ts'
import { endOf, startGuarded } from './guard.ts'
import { areGenuine, jarFault } from './jar-digests.ts'
import { findJava, findMaven, type Java } from './java.ts'
import type { KafkaHome } from './kafka-process.ts'
import { type KafkaRelease, LOCAL_KAFKA } from './kafka-release.ts'

export type OnProgress = (message: string) => void

export interface PreparedKafka {
  readonly home: KafkaHome
  readonly java: Java
  /** Options of the JVM that use the class archive. Empty if it could not be made. */
  readonly archive: readonly string[]
}

/** The files in the home and their sizes. It is written last, so all listed files were complete then. */
type Manifest = Readonly<Record<string, number>>
const MANIFEST = 'complete.json'
/** The change times of the jars when their digests were right. */
const VERIFIED = 'verified.json'

/**
 * Prepares the local Kafka: fetches its jars with Maven into the user's cache unless they are there, and makes the class
 * archive for quick starts. Resolves with the folder of the jars. Any number of processes may call it at once. Throws
 * BROKER_NO_JAVA or BROKER_NO_JARS.
 */
export async function prepareKafkaJars(onProgress: OnProgress = () => {}, signal?: AbortSignal): Promise<string> {
  return (await prepareKafka(onProgress, signal ?? new AbortController().signal)).home.jars
}

export async function prepareKafka(
  onProgress: OnProgress,
  signal: AbortSignal,
  release = LOCAL_KAFKA,
): Promise<PreparedKafka> {
  const java = await findJava()
  const cache = cacheDirectory()
  const folder = join(cache, `kafka-${release.version}-${shortHash(release.pom)}`)
  const home = { jars: join(folder, 'jars'), template: join(folder, 'template') }
  const locked = <T>(work: () => Promise<T>) =>
    withLock(`${folder}.lock`, signal, () => onProgress(`waiting for another rowmill that prepares Kafka`), work)
  if (!(await isComplete(folder, release))) {
    const maven = await findMaven()
    try {
      await makeFolder(cache)
      await locked(async () => {
        if (!(await isComplete(folder, release))) await fetchKafka({ release, folder, maven, java, onProgress, signal })
      })
    } catch (error) {
      if (error instanceof RowmillError || signal.aborted) throw error
      const message = `cannot keep the jars of Kafka in ${cache}: ${(error as Error).message}. Name another folder in ROWMILL_CACHE`
      throw new RowmillError('BROKER_NO_JARS', message, { path: cache }, { cause: error })
    }
  }
  const archive = await prepareClassArchive({
    home,
    java,
    path: join(folder, `classes-${shortHash(`${java.release} with a login and requests`)}.jsa`),
    locked,
    onProgress,
    signal,
  })
  return { home, java, archive }
}

/** As `findCacheDirectory`, but throws BROKER_NO_JARS if this user has no home. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const found = findCacheDirectory(env)
  if (found !== null) return found
  const message = 'there is no folder for the jars of Kafka: HOME is not set, and this user has no home folder'
  throw new RowmillError('BROKER_NO_JARS', `${message}. Name a folder in ROWMILL_CACHE`)
}

/** ROWMILL_CACHE, or `rowmill` in the user's cache folder (XDG Base Directory Specification). Null: this user has no home. */
export function findCacheDirectory(env: NodeJS.ProcessEnv = process.env): string | null {
  if (env.ROWMILL_CACHE) return resolve(env.ROWMILL_CACHE)
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'rowmill')
  const home = homeFolder()
  return home === null ? null : join(home, '.cache', 'rowmill')
}

interface Fetch {
  readonly release: KafkaRelease
  readonly folder: string
  readonly maven: string
  readonly java: Java
  readonly onProgress: OnProgress
  readonly signal: AbortSignal
}

/** Makes everything in a temporary folder, which is removed with this process. One rename publishes it when complete. */
async function fetchKafka({ release, folder, maven, java, onProgress, signal }: Fetch): Promise<void> {
  const { version, pom: content, digests, megabytes } = release
  onProgress(`fetching Kafka ${version} (${megabytes} MB, once)`)
  const workshop = await mkdtemp(`${folder}.tmp-`)
  const output = join(workshop, 'output')
  const kafka = join(workshop, 'kafka')
  const pom = join(workshop, 'pom.xml')
  await mkdir(kafka)
  await writeFile(pom, content)
  const args = copyJarsArguments(pom, join(kafka, 'jars'))
  // The guard of this command removes the temporary folder, so it is closed last.
  const fetching = await startGuarded({ command: maven, args, directory: workshop, output, remove: workshop })
  try {
    const status = await endOf(fetching, signal)
    if (status !== 0) throw noJars(maven, version, await readFile(output, 'utf8'))
    const fault = await jarFault(join(kafka, 'jars'), digests)
    if (fault !== null) throw foreignJars(maven, version, fault)
    await formatTemplate(kafka, java, workshop, signal)
    await writeFile(join(kafka, MANIFEST), JSON.stringify(await sizes(kafka)))
    await areGenuine(join(kafka, 'jars'), join(kafka, VERIFIED), digests)
    if (await isComplete(folder, release)) return
    await rm(folder, { recursive: true, force: true })
    await rename(kafka, folder)
  } finally {
    await fetching.close()
  }
}

async function formatTemplate(kafka: string, java: Java, workshop: string, signal: AbortSignal): Promise<void> {
  const properties = join(workshop, 'server.properties')
  const output = join(workshop, 'format')
  // The ports do not end up in any file made here.
  await writeFile(
    properties,
    serverProperties({ data: join(kafka, 'template'), ports: { broker: 9092, controller: 9093 }, login: null }),
  )
  const tool = ['kafka.tools.StorageTool', 'format', '--cluster-id', newClusterId(), '--config', properties]
  const args = ['-XX:TieredStopAtLevel=1', '-cp', join(kafka, 'jars', '*'), ...tool]
  const formatting = await startGuarded({ command: java.command, args, directory: workshop, output })
  try {
    const status = await endOf(formatting, signal)
    if (status === 0) return
    const words = (await readFile(output, 'utf8')).trim().split('\n').slice(-5).join('\n')
    throw new RowmillError('BROKER_FAILED', `Kafka's StorageTool failed with status ${status}. It printed:\n${words}`)
  } finally {
    await formatting.close()
  }
}

async function isComplete(folder: string, { digests }: KafkaRelease): Promise<boolean> {
  try {
    const manifest: Manifest = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8'))
    const checks = Object.entries(manifest).map(async ([name, size]) => (await stat(join(folder, name))).size === size)
    return (
      (await Promise.all(checks)).every(Boolean) &&
      (await areGenuine(join(folder, 'jars'), join(folder, VERIFIED), digests))
    )
  } catch {
    return false
  }
}

async function sizes(folder: string): Promise<Manifest> {
  const names = await readdir(folder, { recursive: true })
  const entries = names.map(async name => [name, await stat(join(folder, name))] as const)
  const files = (await Promise.all(entries)).filter(([, entry]) => entry.isFile())
  return Object.fromEntries(files.map(([name, entry]) => [name, entry.size]))
}

function noJars(maven: string, version: string, output: string): RowmillError {
  const advice = /Re-run Maven|full stack trace|For more information|\[Help 1\] http|^\[ERROR\]\s*$/
  const lines = output.split('\n').filter(line => line.trim() !== '' && !advice.test(line))
  const errors = lines.filter(line => line.includes('ERROR'))
  const words = (errors.length > 0 ? errors : lines).slice(-4).join('\n')
  const message =
    `${maven} cannot fetch the jars of Kafka ${version}. Is this machine offline, or does it need a mirror in ` +
    `~/.m2/settings.xml? Or name a running Kafka with --brokers HOST:PORT. Maven printed:\n${words}`
  return new RowmillError('BROKER_NO_JARS', message)
}

function foreignJars(maven: string, version: string, fault: string): RowmillError {
  const message =
    `${maven} did not fetch the jars of Kafka ${version} that this version of rowmill needs: ${fault}. Remove that jar ` +
    "from Maven's repository (~/.m2/repository) and try again. If that does not help, ask the owner of the mirror in " +
    '~/.m2/settings.xml. Or name a running Kafka with --brokers HOST:PORT'
  return new RowmillError('BROKER_NO_JARS', message)
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
