import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'

/** How many bytes this user may still write to the disk of a folder. Throws what statfs throws. */
export async function freeDiskBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** The same for a folder that may have to be made. */
export async function freeDiskBytesOnceMade(folder: string): Promise<number> {
  try {
    return await freeDiskBytes(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error
    return await freeDiskBytesOnceMade(dirname(folder))
  }
}
