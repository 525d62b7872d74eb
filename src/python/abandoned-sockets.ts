import { lstatSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'rowmill-forks-'
const PRIVATE = 0o700

/** The path of the socket of a new fork server, in a folder that the server makes. The name has `id` in it. */
export function socketPath(id: string): string {
  return join(tmpdir(), `${PREFIX}${id}`, 'socket')
}

/** Removes the folders of this user's fork servers that were killed together with their commands. Never rejects. */
export async function removeAbandoned(): Promise<void> {
  await Promise.all(
    privateFolders().map(async folder => {
      if (await isAbandoned(join(folder, 'socket'))) rmSync(folder, { recursive: true, force: true })
    }),
  ).catch(() => {}) // another command may remove it too
}

function privateFolders(): string[] {
  try {
    const names = readdirSync(tmpdir()).filter(name => name.startsWith(PREFIX))
    return names.map(name => join(tmpdir(), name)).filter(isPrivate)
  } catch {
    return []
  }
}

function isPrivate(folder: string): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false })
  return found?.isDirectory() === true && found.uid === process.geteuid?.() && (found.mode & 0o777) === PRIVATE
}

/** Nobody listens. A server takes connections as soon as its socket has this name. */
function isAbandoned(socket: string): Promise<boolean> {
  return new Promise(resolve => {
    const connection = connect(socket, () => {
      connection.destroy()
      resolve(false)
    })
    connection.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}
