import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { identifySelf, isAlive, type ProcessIdentity } from '../process-identity.ts'

interface Holder extends ProcessIdentity {
  readonly host: string
}

const POLL_MS = 100
/** A home directory may be shared by machines, and whether a process of another one lives cannot be seen. */
const FOREIGN_HOLD_MS = 15 * 60_000

let taken = 0

/**
 * Runs `work` while no other process runs its own under the same lock file. A holder that died is passed over. The
 * lock saves double work only: what is done under it must be correct without it, since a file on a network disk
 * excludes nobody for certain.
 */
export async function withLock<T>(path: string, signal: AbortSignal, onWait: () => void, work: () => Promise<T>) {
  const self = JSON.stringify({ ...identifySelf(), host: hostname() } satisfies Holder)
  const mine = `${path}.${process.pid}.${taken++}`
  await writeFile(mine, self)
  try {
    for (let tries = 0; !(await take(mine, path)); tries++) {
      if (tries === 1) onWait()
      await delay(POLL_MS, undefined, { signal })
    }
    try {
      return await work()
    } finally {
      await rm(path, { force: true })
    }
  } finally {
    await rm(mine, { force: true })
  }
}

/** A link appears at once and with its content, or not at all. */
async function take(mine: string, path: string): Promise<boolean> {
  try {
    await link(mine, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = await read(path)
  if (holder !== null && !(await isHeld(holder, path))) await discard(holder, path, `${mine}.dead`)
  return false
}

/** Between the look at the dead holder and the rename another may have taken its place: that one gets it back. */
async function discard(dead: string, path: string, aside: string): Promise<void> {
  try {
    await rename(path, aside)
  } catch {
    return
  }
  if ((await read(aside)) !== dead) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
}

async function isHeld(text: string, path: string): Promise<boolean> {
  const holder: Holder = JSON.parse(text)
  if (holder.host === hostname()) return isAlive(holder)
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  )
  return age < FOREIGN_HOLD_MS
}

async function read(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').catch(() => null)
}
