import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * The variable that marks every process that a classifier starts. Children inherit it, even a daemon, which leaves its
 * process group, session and parent. So rowmill finds them after the classifier has ended, however it ended.
 */
const MARK = 'ROWMILL_STARTED_BY'
/** We look several times, because a process may start another one meanwhile. */
const MOST_LOOKS = 20

export interface StartedProcess {
  readonly pid: number
  readonly name: string
  readonly group: number
  readonly mark: string
  /** Its command line, with spaces between the words. */
  readonly command: string
}

/** A new unique mark, below the mark of this process. */
export function newMark(): string {
  const outer = process.env[MARK]
  const own = randomBytes(8).toString('hex')
  return outer ? `${outer}/${own}` : own
}

/** The environment of this process with another mark. */
export function markedEnvironment(mark: string): NodeJS.ProcessEnv {
  return { ...process.env, [MARK]: mark }
}

/** Kills all other processes with the mark of this process, which supervisor.ts gave it. */
export function endAllStarted(): void {
  const mark = process.env[MARK]
  if (mark) endStarted(mark)
}

/**
 * Kills every other process with this mark or one below it, and returns those it killed. It does not wait for their end.
 * Linux only: other systems do not let us read the environment of a process.
 */
export function endStarted(mark: string): StartedProcess[] {
  const killed = new Map<number, StartedProcess>()
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const found = processesWith(mark).filter(({ pid }) => !killed.has(pid))
    if (found.length === 0) break
    for (const started of found) if (kill(started.pid)) killed.set(started.pid, started)
  }
  return [...killed.values()]
}

function processesWith(mark: string): StartedProcess[] {
  if (process.platform !== 'linux') return []
  const pids = processIds().filter(name => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
  return pids.flatMap(pid => {
    const started = look(Number(pid))
    return started && (started.mark === mark || started.mark.startsWith(`${mark}/`)) ? [started] : []
  })
}

/** Empty if no file can be opened. Code that needs a file will report that. */
function processIds(): string[] {
  try {
    return readdirSync('/proc')
  } catch (error) {
    if (/^E[MN]FILE$/.test((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}

/** A process with its mark. Null if it has no mark, has ended, or belongs to another user. */
function look(pid: number): StartedProcess | null {
  try {
    const mark = new RegExp(`(?:^|\0)${MARK}=([^\0]*)`).exec(readFileSync(`/proc/${pid}/environ`, 'latin1'))?.[1]
    if (mark === undefined) return null
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const nameEnd = stat.lastIndexOf(')')
    const [state, , group] = stat.slice(nameEnd + 2).split(' ')
    if (state === 'Z') return null
    const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
    return { pid, name: stat.slice(stat.indexOf('(') + 1, nameEnd), group: Number(group), mark, command }
  } catch {
    return null
  }
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false // it has just ended
  }
}

/** `sleep (4711), gpg-agent (4712)`. */
export function namesOfProcesses(started: readonly StartedProcess[]): string {
  return started.map(({ name, pid }) => `${name} (${pid})`).join(', ')
}
