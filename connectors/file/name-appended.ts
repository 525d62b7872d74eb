import type { Stats } from 'node:fs'
import { appendFile, type FileHandle, open, rename } from 'node:fs/promises'
import { RowmillError } from '../../src/errors.ts'
import { appear } from './output-path.ts'

/**
 * Gives the name `path` to a finished file that begins with what was there (`before`; null: nothing was). False: that has
 * changed meanwhile. What another program appends between the last look and the new name is appended to the new file.
 */
export async function nameAppended(finished: string, path: string, before: Stats | null): Promise<boolean> {
  if (before === null) return await appearsFirst(finished, path)
  const replaced = await open(path).catch(() => null)
  if (replaced === null) return false
  try {
    const now = await replaced.stat()
    if (now.ino !== before.ino || now.size !== before.size || now.mtimeMs !== before.mtimeMs) return false
    await rename(finished, path)
    const late = await textFrom(replaced, before.size)
    if (late.length > 0) await appendFile(path, late, { flush: true })
    return true
  } finally {
    await replaced.close()
  }
}

async function appearsFirst(finished: string, path: string): Promise<boolean> {
  try {
    await appear(finished, path)
    return true
  } catch (error) {
    if (error instanceof RowmillError && error.code === 'OUTPUT_EXISTS') return false
    throw error
  }
}

async function textFrom(file: FileHandle, start: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of file.createReadStream({ start, autoClose: false })) chunks.push(chunk)
  return Buffer.concat(chunks)
}
