import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from './until.ts'

/** One process by pid and start time: a pid alone may be reused. Linux only, as the tests are. */
export interface ProcessInfo {
  readonly pid: number
  readonly parent: number
  readonly startTime: string
  readonly name: string
}

/** Every process below `pid`, including children of children. */
export function descendants(pid: number): ProcessInfo[] {
  const all = processes()
  const below: ProcessInfo[] = []
  const add = (parent: number) => {
    for (const info of all) {
      if (info.parent !== parent) continue
      below.push(info)
      add(info.pid)
    }
  }
  add(pid)
  return below
}

/** The processes of workers that a supervisor has now. */
export function workerProcesses(supervisor: number): ProcessInfo[] {
  return descendants(supervisor).filter(info => info.parent === supervisor && runsWorker(info))
}

function runsWorker({ pid }: ProcessInfo): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker-process')
  } catch {
    return false // it has just ended
  }
}

/**
 * The processes that another one started, wherever they are in the tree: the Python of a worker may be a child of the fork
 * server. They have a mark below its own (src/support/started-processes.ts).
 */
export function startedBy(pid: number): ProcessInfo[] {
  const mark = markOf(pid)
  return mark === null ? [] : processes().filter(info => markOf(info.pid)?.startsWith(`${mark}/`))
}

function markOf(pid: number): string | null {
  try {
    return /(?:^|\0)ROWMILL_STARTED_BY=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1] ?? null
  } catch {
    return null // it has just ended
  }
}

/** Waits until none of these processes is left; after `limitMs`, throws with the names of the remaining ones. */
export async function untilGone(infos: readonly ProcessInfo[], limitMs = 20_000): Promise<void> {
  const deadline = Date.now() + limitMs
  for (;;) {
    const left = infos.filter(({ pid, startTime }) => read(pid)?.startTime === startTime)
    if (left.length === 0) return
    if (Date.now() > deadline)
      throw new Error(`still running: ${left.map(({ pid, name }) => `${name} (${pid})`).join(', ')}`)
    await sleep(20) // a foreign process notifies only its parent when it ends
  }
}

/** Stops a process, and waits until each of its threads has stopped: until then they work on. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  const tasks = `/proc/${pid}/task`
  const isStopped = (task: string) => stateOf(readFileSync(`${tasks}/${task}/stat`, 'utf8')) === 'T'
  await until(`every thread of process ${pid} stops`, () => readdirSync(tasks).every(isStopped))
}

/** Whether a process is stopped, as `freeze` stops it. */
export function isStopped(pid: number): boolean {
  try {
    return stateOf(readFileSync(`/proc/${pid}/stat`, 'utf8')) === 'T'
  } catch {
    return false // it has just ended
  }
}

function processes(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter(name => /^[0-9]+$/.test(name))
    .flatMap(pid => read(Number(pid)) ?? [])
}

function read(pid: number): ProcessInfo | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stateOf(stat) === 'Z' ? null : infoOf(stat)
  } catch {
    return null
  }
}

/** The state in the content of /proc/PID/stat: T is stopped, Z has ended. */
function stateOf(stat: string): string {
  return stat.at(stat.lastIndexOf(')') + 2)!
}

/** The content of /proc/PID/stat. */
export function infoOf(stat: string): ProcessInfo {
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { pid: Number.parseInt(stat, 10), parent: Number(fields[1]), startTime: fields[19]!, name }
}
