import { constants, type Stats } from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { RowmillError } from '../../src/errors.ts'

const OTHERS_MAY_WRITE = 0o022
const NOT_OURS = 'rowmill does not make such an entry: move it away'

/** The mode of every file that rowmill makes beside OUT. Their folder has mode 0700. */
export const PRIVATE_FILE = 0o600

/**
 * Makes the folder for the files of an unfinished output, or checks the one that is there. The folder above it must exist.
 * Throws OUTPUT_UNUSABLE as `checkPrivateFolder` does, or the error of the file system.
 */
export async function makePrivateFolder(path: string): Promise<void> {
  for (let isThere = false; !isThere; isThere = await checkPrivateFolder(path)) {
    await mkdir(path, { mode: 0o700 }).catch(error => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

/**
 * Throws OUTPUT_UNUSABLE if another user could have written in the folder. It must be a directory and no link, belong to this
 * user, and let nobody else write. The same holds for the files and directories in it. Otherwise others could choose the
 * classifier that is run, or the file that a link leads to. Resolves with false if there is no folder.
 */
export async function checkPrivateFolder(path: string): Promise<boolean> {
  const folder = await lstat(path).catch(() => null)
  if (folder === null) return false
  if (!folder.isDirectory()) throw foreign(path, 'is not a directory', 'Move it away, or choose another OUT')
  if (!isOwn(folder)) {
    const cure = 'If you trust that user, give the command as that user; else move it away, or choose another OUT'
    throw foreign(path, `belongs to the user with id ${folder.uid}`, cure)
  }
  if ((folder.mode & OTHERS_MAY_WRITE) !== 0) {
    const cure = `If nobody did, run chmod -R go-w on it; else move it away. If its file system keeps no modes, choose another OUT`
    throw foreign(path, 'may be written to by other users', cure)
  }
  const names = await readdir(path).catch(error => {
    if (error.code === 'ENOENT') return null // the other process has removed it meanwhile
    throw error
  })
  for (const name of names ?? []) await checkEntry(join(path, name))
  return names !== null
}

async function checkEntry(path: string): Promise<void> {
  const entry = await lstat(path).catch(() => null) // another process may have removed its own file
  if (entry === null) return
  if (!isOwn(entry)) throw foreign(path, `belongs to the user with id ${entry.uid}`, NOT_OURS)
  if (!entry.isFile() && !entry.isDirectory()) throw foreign(path, 'is not a regular file or directory', NOT_OURS)
  if ((entry.mode & OTHERS_MAY_WRITE) !== 0) throw foreign(path, 'may be written to by other users', NOT_OURS)
}

/** Opens a file in such a folder. It does not follow a link of that name. */
export async function openPrivate(path: string, flags: number) {
  return await open(path, flags | constants.O_NOFOLLOW, PRIVATE_FILE)
}

/** The text of a file in such a folder. */
export async function readPrivate(path: string): Promise<string> {
  return await readFile(path, { encoding: 'utf8', flag: constants.O_RDONLY | constants.O_NOFOLLOW })
}

/** Replaces a file in such a folder as a whole. When it resolves, the text survives a crash. */
export async function replacePrivate(path: string, text: string): Promise<void> {
  const { O_CREAT, O_TRUNC, O_WRONLY } = constants
  const next = await openPrivate(`${path}.next`, O_CREAT | O_TRUNC | O_WRONLY)
  try {
    await next.writeFile(text)
    await next.sync()
  } finally {
    await next.close()
  }
  await rename(`${path}.next`, path)
}

function isOwn({ uid }: Stats): boolean {
  return process.geteuid === undefined || uid === process.geteuid()
}

function foreign(path: string, what: string, cure: string): RowmillError {
  const message = `${path} ${what}, so others may have written the files of the run in it. ${cure}`
  return new RowmillError('OUTPUT_UNUSABLE', message, { path })
}
