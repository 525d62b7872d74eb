import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, chown, link, lstat, open, realpath, rename, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { RowmillError } from '../../src/errors.ts'

const STATE = '.rowmill'
/** The longest name of a file, on nearly every file system. */
const MAX_NAME_BYTES = 255

/**
 * The folder beside the output with the files of an unfinished job: `PATH.rowmill`. If that name would be longer than 255
 * bytes, a digest of the whole name replaces its end.
 */
export function unfinishedFolder(path: string): string {
  const name = basename(path)
  if (Buffer.byteLength(name + STATE) <= MAX_NAME_BYTES) return `${path}${STATE}`
  const end = `~${createHash('sha256').update(name).digest('hex').slice(0, 16)}${STATE}`
  const characters = [...name]
  while (Buffer.byteLength(characters.join('') + end) > MAX_NAME_BYTES) characters.pop()
  return join(dirname(path), characters.join('') + end)
}

/** Throws OUTPUT_EXISTS or OUTPUT_UNUSABLE if `path` cannot become the output. It creates nothing. */
export async function checkOutput(path: string, force: boolean): Promise<void> {
  const unusable = (message: string) => new RowmillError('OUTPUT_UNUSABLE', message, { path })
  const existing = await stat(path).catch(() => null)
  if (existing?.isDirectory()) throw unusable(`${path} is a directory: give the name of a file in it`)
  if (existing && !existing.isFile()) throw unusable(`${path} is no regular file: use - and redirect standard output`)
  if (existing && !force) {
    throw new RowmillError('OUTPUT_EXISTS', `${path} exists: choose another OUT, or --force to replace it`, { path })
  }
  const entry = await lstat(path).catch(() => null)
  if (!existing && entry)
    throw unusable(
      `${path} is a symbolic link to a file that does not exist: name the file itself, or move the link away`,
    )
  if (entry?.isSymbolicLink())
    throw unusable(
      `${path} is a symbolic link, and --force would replace the link, not the file it leads to: name that file ` +
        `(${await realpath(path)}), or move the link away`,
    )
  const folder = dirname(path)
  const parent = await stat(folder).catch(() => null)
  if (!parent?.isDirectory()) throw unusable(`${folder}, the folder of ${path}, does not exist: create it first`)
  if (Buffer.byteLength(basename(path)) > MAX_NAME_BYTES)
    throw unusable(`the name ${basename(path)} has more than ${MAX_NAME_BYTES} bytes: choose a shorter one`)
  await access(folder, constants.W_OK | constants.X_OK).catch(() => {
    throw unusable(`${folder}, the folder of ${path}, may not be written to`)
  })
}

/** Throws OUTPUT_UNUSABLE if a file that replaces the one at `path` could not belong to the same user and group. */
export async function checkOwner(path: string): Promise<void> {
  const existing = await stat(path).catch(() => null)
  const me = process.geteuid?.() ?? 0
  if (me === 0 || existing === null) return
  const { uid, gid } = existing
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])]
  if (uid === me && groups.includes(gid)) return
  const message =
    `${path} belongs to user ${uid} and group ${gid}, and --force could not keep that: move the file away first, ` +
    'choose another OUT, or give the command as that user'
  throw new RowmillError('OUTPUT_UNUSABLE', message, { path })
}

/**
 * Gives a finished file the mode and owner of the file that it replaces. If it replaces none, they are those of any new file
 * of this process.
 */
export async function takeAccessOf(path: string, finished: string): Promise<void> {
  const [existing, own] = await Promise.all([stat(path).catch(() => null), stat(finished)])
  if (existing && (existing.uid !== own.uid || existing.gid !== own.gid))
    await chown(finished, existing.uid, existing.gid)
  await chmod(finished, existing ? existing.mode & 0o7777 : 0o666 & ~process.umask())
}

/** Gives a file its name, unless another file has it by now. Throws OUTPUT_EXISTS. */
export async function appear(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new RowmillError(
        'OUTPUT_EXISTS',
        `another program created ${path} while the job ran. Move that file away, or choose another OUT`,
        { path },
      )
    await rename(partial, path) // a file system without hard links
  }
}

/** Makes the names in a folder safe on disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Runs `action`. Its errors become OUTPUT_FAILED, unless they are RowmillErrors. */
export async function writing<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw outputFailure(error, path)
  }
}

/** An error of the file system as OUTPUT_FAILED. */
function outputFailure(error: unknown, path: string): RowmillError {
  if (error instanceof RowmillError) return error
  const cause = error as NodeJS.ErrnoException
  return new RowmillError('OUTPUT_FAILED', `cannot write ${path}: ${cause.message}`, { path }, { cause })
}
