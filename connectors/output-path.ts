import { constants } from 'node:fs'
import { access, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RowmillError } from '../src/index.ts'

/** Throws OUTPUT_EXISTS or OUTPUT_UNUSABLE where `path` cannot become the output; creates nothing. */
export async function checkOutput(path: string, force: boolean): Promise<void> {
  const unusable = (message: string) => new RowmillError('OUTPUT_UNUSABLE', message, { path })
  const existing = await stat(path).catch(() => null)
  if (existing?.isDirectory()) throw unusable(`${path} is a directory: give the name of a file in it`)
  if (existing && !existing.isFile()) throw unusable(`${path} is no regular file: use - and redirect standard output`)
  if (existing && !force) {
    throw new RowmillError('OUTPUT_EXISTS', `${path} exists: choose another OUT, or --force to replace it`, { path })
  }
  const folder = dirname(path)
  const parent = await stat(folder).catch(() => null)
  if (!parent?.isDirectory()) throw unusable(`${folder}, the folder of ${path}, does not exist: create it first`)
  await access(folder, constants.W_OK | constants.X_OK).catch(() => {
    throw unusable(`${folder}, the folder of ${path}, may not be written to`)
  })
}

/** Makes the names in a folder safe. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** What `action` gives; what it breaks with is a failure of the output. */
export async function writing<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw outputFailure(error, path)
  }
}

/** What a file system says of the output, as an error of rowmill's. */
function outputFailure(error: unknown, path: string): RowmillError {
  if (error instanceof RowmillError) return error
  const cause = error as NodeJS.ErrnoException
  return new RowmillError('OUTPUT_FAILED', `cannot write ${path}: ${cause.message}`, { path }, { cause })
}
