import { access, rename, rm, writeFile } from 'node:fs/promises'
import { unlessAborted } from '../../support/abort.ts'
import { localCluster, newLogin } from '../broker-login.ts'
import { choosePorts } from '../ports.ts'
import { makeBrokerDirectory } from './broker-directory.ts'
import { endOf } from './guard.ts'
import type { Java } from './java.ts'
import { type KafkaHome, type KafkaLaunch, type KafkaProcess, launchKafka, untilAnswering } from './kafka-process.ts'

const TRAINING_MS = 60_000

export interface ClassArchive {
  readonly home: KafkaHome
  readonly java: Java
  readonly path: string
  readonly locked: <T>(work: () => Promise<T>) => Promise<T>
  readonly onProgress: (message: string) => void
  readonly signal: AbortSignal
}

/**
 * Options of the JVM that load Kafka's classes from an archive (class-data sharing, JEP 350). This halves the time until
 * the broker answers. The archive is made once for each Java, by a broker that does what a run asks of it. If that fails, we do not
 * try again, and only the speed is lost. A JVM that cannot use the archive starts without it.
 */
export async function prepareClassArchive(archive: ClassArchive): Promise<readonly string[]> {
  const { path, locked, signal } = archive
  const failed = `${path}.failed`
  const isDecided = async () => (await exists(path)) || (await exists(failed))
  if (!(await isDecided())) {
    const make = async () => {
      if (await isDecided()) return
      archive.onProgress('preparing quick starts of Kafka (once)')
      await makeArchive(archive).catch(async error => {
        if (!signal.aborted) await writeFile(failed, `${error}\n`)
      })
    }
    // This user may have no right to write to the cache.
    await locked(make).catch(() => {})
    signal.throwIfAborted()
  }
  return (await exists(path)) ? ['-Xshare:auto', `-XX:SharedArchiveFile=${path}`] : []
}

async function makeArchive({ home, java, path, signal }: ClassArchive): Promise<void> {
  const limits = AbortSignal.any([signal, AbortSignal.timeout(TRAINING_MS)])
  const directory = await makeBrokerDirectory()
  // It is made in the folder of the cache, since an atomic rename cannot cross disks.
  const made = `${path}.new`
  await rm(made, { force: true })
  const ports = await choosePorts(undefined)
  const options = [`-XX:ArchiveClassesAtExit=${made}`]
  // A run starts a private broker, which needs a few classes more than an open one.
  const login = newLogin()
  const launch: KafkaLaunch = { home, java, directory: directory.path, ports, login, temporary: true, archive: options }
  let kafka: KafkaProcess | null = null
  try {
    kafka = await launchKafka(launch)
    await untilAnswering(launch, kafka, limits)
    const { exercise } = await import('./exercise.ts') // where an archive is there, nothing of it is needed
    const cluster = localCluster(`127.0.0.1:${ports.broker}`, login)
    await unlessAborted(exercise(cluster, limits), limits).catch(() => {}) // then only the classes for it are missing
    kafka.guarded.signal('TERM')
    await endOf(kafka.guarded, limits)
    await rename(made, path)
  } finally {
    await kafka?.guarded.close()
    await directory.release()
    await rm(made, { force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
