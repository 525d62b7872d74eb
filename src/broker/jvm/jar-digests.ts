import { createHash } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** File name to the SHA-256 digest of its content, in hex. */
export type JarDigests = Readonly<Record<string, string>>

/** For every jar with the right digest, when its inode was last changed, in ms. */
type ChangeTimes = Readonly<Record<string, number>>

/** The digests of every file in a folder. */
export async function jarDigests(folder: string): Promise<JarDigests> {
  const digests: Record<string, string> = {}
  for (const name of await readdir(folder)) digests[name] = await digestOf(join(folder, name))
  return digests
}

/** Describes what is wrong with the jars in a folder. Null if they are exactly the wanted ones. */
export async function jarFault(folder: string, wanted: JarDigests): Promise<string | null> {
  const digests = await jarDigests(folder)
  for (const [name, digest] of Object.entries(wanted)) {
    const found = digests[name]
    if (found === undefined) return `${name} is missing`
    if (found !== digest) return `${name} has the SHA-256 digest ${found} instead of ${digest}`
  }
  const other = Object.keys(digests).find(name => wanted[name] === undefined)
  return other === undefined ? null : `${other} does not belong to them`
}

/**
 * Whether the jars in a folder are the wanted ones. Reading 43 MB at every start would take 0.1 s. So the
 * file `times` keeps the change time of each jar, and we read them again only after a change.
 */
export async function areGenuine(folder: string, times: string, wanted: JarDigests): Promise<boolean> {
  const now = await changeTimes(folder)
  const before = await readTimes(times)
  if (sameNames(now, wanted) && sameNames(now, before) && Object.keys(now).every(name => now[name] === before[name]))
    return true
  if ((await jarFault(folder, wanted)) !== null) return false
  // Store the times from before the check: a jar that changes meanwhile is read again next time.
  await writeFile(times, JSON.stringify(now)).catch(() => {}) // in a read-only cache the jars are read every time
  return true
}

async function changeTimes(folder: string): Promise<ChangeTimes> {
  const names = await readdir(folder)
  const found = names.map(async name => [name, (await stat(join(folder, name))).ctimeMs] as const)
  return Object.fromEntries(await Promise.all(found))
}

async function readTimes(times: string): Promise<ChangeTimes> {
  try {
    return JSON.parse(await readFile(times, 'utf8')) ?? {}
  } catch {
    return {}
  }
}

function sameNames(a: object, b: object): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every(name => Object.hasOwn(b, name))
}

async function digestOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
