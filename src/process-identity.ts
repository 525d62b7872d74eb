import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/**
 * When a process started, as a text that is equal only for the same process: with the pid it names a process for ever,
 * since a pid alone comes again. null where there is no such process.
 */
export async function startTimeOf(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
    // Field 22 counts from the start; the name in field 2 may hold spaces and brackets, what follows it may not.
    return stat && (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null)
  }
  const ps = promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)])
  return ps.then(
    ({ stdout }) => stdout.trim() || null,
    () => null,
  )
}
