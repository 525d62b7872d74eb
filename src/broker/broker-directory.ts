import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { RowmillError } from '../errors.ts'
import { commandLine, identifySelf, isAlive, killIfSame, type ProcessIdentity } from '../process-identity.ts'
import { brokerFiles } from './broker-files.ts'

const PREFIX = 'rowmill-broker-'
/** A directory without an owner is one that is just being made, or one whose maker died in that moment. */
const NO_OWNER_MS = 60 * 60_000

/** The lock file of a broker's directory: whose it is, and which JVM works on it. */
interface Owner {
  readonly directory: string
  /** Containers may share a temporary folder, and processes of another one cannot be judged. */
  readonly host: string
  readonly owner: ProcessIdentity
  readonly jvm: ProcessIdentity | null
}

/** A new temporary directory for a broker of this process. Throws BROKER_FAILED. */
export async function makeBrokerDirectory(): Promise<string> {
  try {
    const directory = await realpath(await mkdtemp(join(tmpdir(), PREFIX)))
    await writeOwner(directory, null)
    return directory
  } catch (cause) {
    const message = `the local Kafka finds no room in ${tmpdir()}: ${(cause as Error).message}. Name another folder in TMPDIR`
    throw new RowmillError('BROKER_FAILED', message, { path: tmpdir() }, { cause })
  }
}

/**
 * Takes a directory that outlives its brokers. Throws BROKER_FAILED while another broker works on it; a JVM that
 * outlived its owner is killed.
 */
export async function takeBrokerDirectory(path: string): Promise<string> {
  if (path.includes(',')) {
    const message = `Kafka cannot keep data in ${path}: its folder names may hold no comma. Choose another`
    throw new RowmillError('USAGE', message, { path })
  }
  const directory = await makeFolder(path).catch(cause => {
    const message = `the data directory ${path} cannot be made: ${cause.message}. Choose another with --data`
    throw new RowmillError('USAGE', message, { path }, { cause })
  })
  const owner = await readOwner(directory)
  if (owner !== null && (owner.host !== hostname() || isAlive(owner.owner))) {
    const message =
      `the data directory ${directory} is in use by process ${owner.owner.pid} on ${owner.host}. ` +
      `Stop that broker or choose another directory; if it is gone, remove ${brokerFiles(directory).owner}`
    throw new RowmillError('BROKER_FAILED', message, { path: directory, pid: owner.owner.pid })
  }
  if (owner !== null) killOrphan(owner)
  await writeOwner(directory, null)
  return directory
}

/** Makes a folder and those above it. Node's own recursive mkdir never ends where one takes no folders, such as /proc. */
async function makeFolder(path: string): Promise<string> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const isThere = (file: string) =>
      stat(file).then(
        found => found.isDirectory(),
        () => false,
      )
    if (code !== 'ENOENT' && !(code === 'EEXIST' && (await isThere(path)))) throw error
    if (code === 'ENOENT') {
      if (await isThere(dirname(path))) throw error
      await makeFolder(dirname(path))
      await mkdir(path)
    }
  }
  return await realpath(path)
}

export async function releaseBrokerDirectory(directory: string): Promise<void> {
  await rm(brokerFiles(directory).owner, { force: true })
}

/** Names the JVM in the lock file, or with null says that none was started yet. */
export async function writeOwner(directory: string, jvm: ProcessIdentity | null): Promise<void> {
  const owner: Owner = { directory, host: hostname(), owner: identifySelf(), jvm }
  const { owner: path } = brokerFiles(directory)
  await writeFile(`${path}.new`, JSON.stringify(owner))
  await rename(`${path}.new`, path)
}

/**
 * Ends what is left of brokers whose owner and guard were both killed: a JVM only if pid, start time and data
 * directory agree with the lock file, and the temporary directory. Never throws: what cannot be swept stays.
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
  if (owner !== null) killOrphan(owner)
  await rm(directory, { recursive: true, force: true })
}

function killOrphan({ jvm, directory }: Owner): void {
  if (jvm !== null && commandLine(jvm.pid)?.includes(brokerFiles(directory).properties)) killIfSame(jvm)
}

async function readOwner(directory: string): Promise<Owner | null> {
  const text = await readFile(brokerFiles(directory).owner, 'utf8').catch(() => null)
  return text === null ? null : JSON.parse(text)
}
