import type { ChildProcess } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_EVERY_MS = 10

/**
 * Resolves when an unfinished run has written so many bytes of its output, with the bytes that it has: a file sink writes
 * 256 kB at once. Throws if the command ended before.
 */
export async function untilWritten(output: string, bytes: number, command: ChildProcess): Promise<number> {
  for (;;) {
    const written = bytesOf(output)
    if (written >= bytes) return written
    if (command.exitCode !== null || command.signalCode !== null)
      throw new Error(`${command.spawnargs.join(' ')} ended before it had written ${bytes} bytes`)
    await sleep(LOOK_EVERY_MS)
  }
}

function bytesOf(output: string): number {
  const folder = `${output}.rowmill`
  try {
    const partial = readdirSync(folder).filter(name => name.startsWith('partial-'))
    return Math.max(0, ...partial.map(name => statSync(join(folder, name)).size))
  } catch {
    return 0 // there is none yet, or it got its name
  }
}
