import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Why this machine cannot provide a disk that fills up: root may not be enough in a container. False if it can. */
export async function whyNoDisk(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'needs root, to mount a disk'
  const folder = mkdtempSync(join(tmpdir(), 'rowmill-disk-'))
  try {
    await execute('mount', ['-t', 'tmpfs', 'rowmill-test', folder])
    await execute('umount', [folder])
    return false
  } catch (error) {
    return `needs a machine that lets disks be mounted: ${(error as Error).message}`
  } finally {
    rmdirSync(folder)
  }
}

/** Mounts a disk with this much space at `folder`, with these options of mount(8). Resolves with what unmounts it. */
export async function mountDisk(
  folder: string,
  size: string,
  options: readonly string[] = [],
): Promise<() => Promise<void>> {
  mkdirSync(folder, { recursive: true })
  await execute('mount', ['-t', 'tmpfs', '-o', [`size=${size}`, ...options].join(), 'rowmill-test', folder])
  return async () => {
    await execute('umount', ['--lazy', folder]) // lazy: processes of a failed test may still have files open
  }
}
