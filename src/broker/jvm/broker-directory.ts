import { mkdtemp, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { RowmillError } from '../../errors.ts'
import { FileLock, lockHolder } from '../../support/file-lock.ts'
import { commandLine, identifySelf, isAlive, killIfSame, type ProcessIdentity } from '../../support/process-identity.ts'
import { brokerFiles } from './broker-files.ts'
import { makeDataFolder, PRIVATE_FILE } from './data-folder.ts'

const PREFIX = 'rowmill-broker-'
/** A directory without an owner is being created, or its creator died at that moment. */
const NO_OWNER_MS = 60 * 60_000

/** The owner of a broker's directory, and the JVM that works on it. A file beside the lock holds this. */
interface Owner {
  readonly directory: string
  /** Containers may share a temporary folder, but cannot see or end each other's processes. */
  readonly host: string
  readonly owner: ProcessIdentity
  readonly jvm: ProcessIdentity | null
}

/** A directory for a broker of this process alone. */
export class BrokerDirectory {
  readonly path: string
  readonly #lock: FileLock
  readonly #temporary: boolean

  constructor(path: string, lock: FileLock, { temporary }: { temporary: boolean }) {
    this.path = path
    this.#lock = lock
    this.#temporary = temporary
  }

  /** Records which JVM works on it, in case this process is killed. Null: none was started yet. */
  async name(jvm: ProcessIdentity | null): Promise<void> {
    const owner: Owner = { directory: this.path, host: hostname(), owner: identifySelf(), jvm }
    const { owner: file } = brokerFiles(this.path)
    await writeFile(`${file}.new`, JSON.stringify(owner), { mode: PRIVATE_FILE })
    await rename(`${file}.new`, file)
  }

  /** Releases the directory, and removes it if it is temporary. Its JVM must have ended. May be called more than once. */
  async release(): Promise<void> {
    try {
      if (this.#temporary) await rm(this.path, { recursive: true, force: true })
      else for (const file of ofThisBroker(this.path)) await rm(file, { force: true })
    } finally {
      this.#lock.release()
    }
  }
}

/** What is of no use without the broker that wrote it. */
function ofThisBroker(directory: string): string[] {
  const { owner, client } = brokerFiles(directory)
  return [owner, client]
}

/** Creates a temporary directory for a broker of this process. Throws BROKER_FAILED. */
export async function makeBrokerDirectory(): Promise<BrokerDirectory> {
  try {
    const path = await realpath(await mkdtemp(join(tmpdir(), PREFIX)))
    const lock = await FileLock.take(brokerFiles(path).lock)
    if (lock === null) throw new Error(`${path} was taken by another process`)
    const directory = new BrokerDirectory(path, lock, { temporary: true })
    await directory.name(null)
    return directory
  } catch (cause) {
    const message = `the local Kafka cannot use ${tmpdir()}: ${(cause as Error).message}. Name another folder in TMPDIR`
    throw new RowmillError('BROKER_FAILED', message, { path: tmpdir() }, { cause })
  }
}

/**
 * Takes a directory that outlives its brokers. Kills a JVM that outlived its owner. Throws BROKER_FAILED while another
 * broker works on the directory, and USAGE if it is not safe from other users. `isPrivate`: no other user may read it, also if
 * it exists already.
 */
export async function takeBrokerDirectory(path: string, isPrivate = false): Promise<BrokerDirectory> {
  if (path.includes(',')) {
    const message = `Kafka cannot keep data in ${path}: the path must not contain a comma. Choose another`
    throw new RowmillError('USAGE', message, { path })
  }
  const [real, lock] = await lockFolder(path, isPrivate).catch(cause => {
    if (cause instanceof RowmillError) throw cause
    const message = `cannot create the data directory ${path}: ${cause.message}. Choose another with --data`
    throw new RowmillError('USAGE', message, { path }, { cause })
  })
  if (lock === null) {
    const holder = lockHolder(brokerFiles(real).lock)
    const by = holder ? `process ${holder.pid} on ${holder.host}` : 'another rowmill'
    const message = `the data directory ${real} is in use by ${by}. Stop that broker or choose another directory`
    throw new RowmillError('BROKER_FAILED', message, { path: real, ...holder })
  }
  const directory = new BrokerDirectory(real, lock, { temporary: false })
  const before = await readOwner(real)
  if (before !== null) killOrphan(before)
  await directory.name(null)
  return directory
}

async function lockFolder(path: string, isPrivate: boolean): Promise<[string, FileLock | null]> {
  const real = await makeDataFolder(path, isPrivate)
  return [real, await FileLock.take(brokerFiles(real).lock)]
}

/**
 * Removes what is left of brokers whose owner and guard were both killed: the temporary directory, and the JVM if its pid,
 * start time and data directory match the owner file. Never throws: it skips what it cannot remove.
 */
export async function sweepBrokerDirectories(): Promise<void> {
  const folder = await realpath(tmpdir()).catch(() => tmpdir())
  const names = await readdir(folder).catch(() => [])
  const ours = names.filter(name => name.startsWith(PREFIX))
  await Promise.allSettled(ours.map(name => sweep(join(folder, name))))
}

async function sweep(directory: string): Promise<void> {
  const { uid, mtimeMs } = await stat(directory)
  if (uid !== process.getuid?.()) return
  const owner = await readOwner(directory)
  const abandoned =
    owner === null
      ? Date.now() - mtimeMs > NO_OWNER_MS
      : owner.host === hostname() && owner.directory === directory && !isAlive(owner.owner)
  if (!abandoned) return
  // The owner may be alive in another PID namespace. Then it holds the lock.
  const lock = await FileLock.take(brokerFiles(directory).lock)
  if (lock === null) return
  if (owner !== null) killOrphan(owner)
  await new BrokerDirectory(directory, lock, { temporary: true }).release()
}

/** Kills the JVM of a dead owner on this host. A pid of another host means nothing here. */
function killOrphan({ jvm, directory, host }: Owner): void {
  if (jvm !== null && host === hostname() && commandLine(jvm.pid)?.includes(brokerFiles(directory).properties))
    killIfSame(jvm)
}

async function readOwner(directory: string): Promise<Owner | null> {
  const text = await readFile(brokerFiles(directory).owner, 'utf8').catch(() => null)
  return text === null ? null : JSON.parse(text)
}
