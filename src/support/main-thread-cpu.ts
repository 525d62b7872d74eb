import { readFileSync } from 'node:fs'

/** Linux counts in hundredths of a second here, on every architecture that Node.js runs on. */
const TICK_MS = 10

/**
 * The CPU time that the main thread of a process has used: in Node.js, its event loop. Null if it has ended, or the system
 * is not Linux. Fields 14 and 15 of /proc/PID/task/TID/stat, proc(5): the name in field 2 may hold spaces and brackets.
 */
export function mainThreadCpuMs(pid: number | undefined): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return null
  }
}
