import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Identifies one process for ever. A pid alone is reused. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in the system's own format. Only good for comparison. */
  readonly start: string
}

/** The identity of the process that has this pid now. Null if there is none, or only a zombie. */
export function identify(pid: number): ProcessIdentity | null {
  const start = process.platform === 'linux' ? startTicks(pid) : ps(pid, 'lstart=')
  return start === null ? null : { pid, start }
}

export function identifySelf(): ProcessIdentity {
  return identify(process.pid) ?? { pid: process.pid, start: '' }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.start === identity.start
}

/** Whether no process has this pid now. */
export function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** The command line of a process as one string, or null if it cannot be read. */
export function commandLine(pid: number): string | null {
  if (process.platform !== 'linux') return ps(pid, 'args=')
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return null
  }
}

/** Kills the process, and says whether it did. Does nothing if it is gone or another process has its pid. */
export function killIfSame(identity: ProcessIdentity): boolean {
  if (!isAlive(identity)) return false
  try {
    return process.kill(identity.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    return false
  }
}

/** Field 22 of /proc/PID/stat, proc(5). The name in field 2 may hold spaces and brackets, so count from its end. */
function startTicks(pid: number): string | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === 'Z' || state === 'X' ? null : (rest[18] ?? null)
}

function ps(pid: number, column: 'lstart=' | 'args='): string | null {
  try {
    return (
      execFileSync('ps', ['-ww', '-o', column, '-p', String(pid)], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { ...process.env, LC_ALL: 'C' },
      }).trim() || null
    )
  } catch {
    return null
  }
}
