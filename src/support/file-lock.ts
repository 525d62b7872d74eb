import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'

const SQLITE_BUSY = 5
const SQLITE_CANTOPEN = 14
const SQLITE_NOTADB = 26

/** Processes that try at the same moment may all be refused, so each retries a few times after a random pause. */
const TRIES = 8
const RETRY_MS = { least: 5, most: 35 }
const POLL_MS = 100

/** Who holds a lock. For messages only: it may be out of date. */
export interface LockHolder {
  readonly pid: number
  readonly host: string
}

/**
 * An exclusive lock of this process on an empty file. The kernel holds it, so it ends with the process, however that ends.
 * It excludes every process that sees the file, also from another container.
 *
 * Node has no call for such a lock, so we use the one that SQLite takes for an exclusive transaction: fcntl(2) on byte
 * ranges past 1 GB. We write nothing into the file. No other code may open it while it is locked: POSIX drops the locks of
 * a process on a file when the process closes any descriptor of that file.
 */
export class FileLock {
  readonly #path: string
  #connection: DatabaseSync | null

  private constructor(path: string, connection: DatabaseSync) {
    this.#path = path
    this.#connection = connection
  }

  /**
   * Takes the lock, or returns null while another process, or another lock of this process, holds it. Creates the file if
   * it is missing, but not its folder. Throws the error of the file system, also if that has no locks.
   */
  static async take(path: string): Promise<FileLock | null> {
    for (let tries = 1; ; tries++) {
      const connection = tryLock(path)
      if (connection !== null) {
        writeHolder(path)
        return new FileLock(path, connection)
      }
      if (tries === TRIES) return null
      await delay(RETRY_MS.least + Math.random() * (RETRY_MS.most - RETRY_MS.least))
    }
  }

  /** Removes the file and releases the lock. A second call does nothing. */
  release(): void {
    const connection = this.#connection
    this.#connection = null
    if (connection === null) return
    try {
      // Remove them while we hold the lock: later they may belong to the next holder.
      rmSync(holderFile(this.#path), { force: true })
      rmSync(this.#path, { force: true })
    } finally {
      connection.close()
    }
  }
}

/** Who took the lock last, or null where that cannot be read. */
export function lockHolder(path: string): LockHolder | null {
  try {
    const { pid, host } = JSON.parse(readFileSync(holderFile(path), 'utf8'))
    return { pid: Number(pid), host: String(host) }
  } catch {
    return null
  }
}

/** Runs `work` while this process holds the lock. Also throws the reason of `signal`. */
export async function withLock<T>(path: string, signal: AbortSignal, onWait: () => void, work: () => Promise<T>) {
  let lock = await FileLock.take(path)
  if (lock === null) onWait()
  for (; lock === null; lock = await FileLock.take(path)) await delay(POLL_MS, undefined, { signal })
  try {
    return await work()
  } finally {
    lock.release()
  }
}

/**
 * Returns a connection that holds the lock, or null. Suppose A opens the file, B removes it and releases its lock, and C
 * creates a new file: A then locks a file that nobody else will look at. So a lock counts only if `path` still names it.
 */
function tryLock(path: string): DatabaseSync | null {
  makeFile(path)
  const { DatabaseSync } = loadSqlite()
  let connection: DatabaseSync | null = null
  let held = false
  try {
    connection = new DatabaseSync(path)
    connection.exec('PRAGMA journal_mode = MEMORY')
    connection.exec('BEGIN EXCLUSIVE')
    held = hasName(path)
    if (held) return connection
  } catch (error) {
    const failure = lockFailure(path, error)
    if (failure) throw failure
  } finally {
    if (!held) connection?.close()
  }
  return null
}

/** Loads SQLite without Node 22's warning that it is experimental: we use only the lock. */
function loadSqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    const sqlite = process.getBuiltinModule('node:sqlite')
    if (sqlite) return sqlite
  } finally {
    process.emitWarning = emitWarning
  }
  throw new Error('this Node was built without SQLite, which rowmill needs to lock files. Use another build of Node')
}

/** Creates the file, since SQLite would make it readable for all and would follow a symbolic link. */
function makeFile(path: string): void {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
  try {
    closeSync(openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Whether `path` names a file that this process has open. Here that can only be the one just locked. */
function hasName(path: string): boolean {
  const named = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (!named) return false
  return readdirSync(process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd').some(descriptor => {
    try {
      const { dev, ino } = fstatSync(Number(descriptor), { bigint: true })
      return dev === named.dev && ino === named.ino
    } catch {
      return false // the descriptor of the folder listing itself
    }
  })
}

/** Returns null if another process holds the lock, or has just removed the file with its folder. */
function lockFailure(path: string, thrown: unknown): Error | null {
  const cause = thrown as Error & { errcode?: number }
  if (cause.errcode === undefined) return cause
  const code = cause.errcode & 0xff // the primary result code
  if (code === SQLITE_BUSY || (code === SQLITE_CANTOPEN && !existsSync(path))) return null
  const message =
    code === SQLITE_NOTADB
      ? `${path} is not a lock file of this version of rowmill. If no other rowmill is running there, move it away`
      : `${path} cannot be locked (${cause.message}). Does its file system support locks?`
  return new Error(message, { cause })
}

function holderFile(path: string): string {
  return `${path}.holder`
}

function writeHolder(path: string): void {
  const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants
  const holder: LockHolder = { pid: process.pid, host: hostname() }
  try {
    const file = openSync(holderFile(path), O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY, 0o600)
    try {
      writeSync(file, JSON.stringify(holder))
    } finally {
      closeSync(file)
    }
  } catch {
    // Messages then name nobody. On a full disk the lock still works.
  }
}
