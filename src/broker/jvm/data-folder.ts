import type { Stats } from 'node:fs'
import { chmod, lstat, readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { RowmillError } from '../../errors.ts'
import { makeFolder } from '../../support/make-folder.ts'

export const PRIVATE_FOLDER = 0o700
export const PRIVATE_FILE = 0o600
const OTHERS_MAY_WRITE = 0o022
const ROOT = 0

/**
 * Makes the folder in which a broker keeps its topics, or checks the one that is there. Resolves with its path without links.
 * Throws USAGE if another user could read the topics or replace the files: if the folder, or an entry of it, belongs to
 * somebody else, or if others may write to it. `isPrivate`: others may not read it either, so it gets mode 0700.
 */
export async function makeDataFolder(path: string, isPrivate: boolean): Promise<string> {
  await makeFolder(path, PRIVATE_FOLDER)
  const real = await realpath(path)
  const folder = await stat(real)
  if (!isOwn(folder)) {
    const danger = 'who can read its topics and replace its files'
    const cure = 'Choose another with --data, or give the command as that user'
    throw refused(real, `belongs to the user with id ${folder.uid}, ${danger}. ${cure}`)
  }
  if (isPrivate) await chmod(real, PRIVATE_FOLDER)
  else if ((folder.mode & OTHERS_MAY_WRITE) !== 0)
    throw refused(
      real,
      `may be written to by other users. If nobody did, run chmod go-w ${real}; else choose another with --data`,
    )
  for (const name of await readdir(real)) await checkEntry(real, name)
  return real
}

/** The root of a file system has entries of the administrator, such as lost+found. */
async function checkEntry(folder: string, name: string): Promise<void> {
  const entry = await lstat(join(folder, name)).catch(() => null) // another broker may have removed its own file
  if (entry === null || isOwn(entry) || entry.uid === ROOT) return
  throw refused(folder, `has ${name} of the user with id ${entry.uid}. Move that away, or choose another with --data`)
}

/** Whether the user who runs this is the owner. Also the administrator must be. */
function isOwn({ uid }: Stats): boolean {
  return process.geteuid === undefined || uid === process.geteuid()
}

function refused(path: string, what: string): RowmillError {
  return new RowmillError('USAGE', `the data directory ${path} ${what}`, { path })
}
