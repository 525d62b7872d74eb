import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** One process for ever: a pid alone is used again. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, as the system writes it: comparable, not readable. */
  readonly start: string
}

/** The identity of the process that has this pid now, or null when there is none (a zombie is none). */
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

/** The command line of a process in one string, or null when it cannot be read. */
export function commandLine(pid: number): string | null {
  if (process.platform !== 'linux') return ps(pid, 'args=')
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return null
  }
}

/** Kills the process at once if it is still this one; nothing happens if it is gone or another has its pid. */
export function killIfSame(identity: ProcessIdentity): void {
  if (!isAlive(identity)) return
  try {
    process.kill(identity.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Field 22 of /proc/PID/stat, proc(5). The name in field 2 may hold blanks and brackets, so count from its end. */
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
