import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks a second in /proc/PID/stat: sysconf(_SC_CLK_TCK), 100 on every current Linux. */
const TICKS = 100
const SAMPLE_EVERY_MS = 50

/** The resources used by the processes of one name. */
export interface Usage {
  readonly name: string
  readonly processes: number
  /** User and system time, summed over all of them. */
  readonly cpuSeconds: number
  /** The largest resident set of any of them. */
  readonly peakBytes: number
}

interface Seen {
  readonly name: string
  readonly ticks: number
  readonly peakBytes: number
}

/**
 * Watches a process and all below it until `stop`, and adds up CPU time and memory by name. Linux only. It misses what
 * a process uses between its last sample and its end: at most 50 ms each. Time before `watch` does not count.
 */
export class ProcessTree {
  readonly #root: number
  readonly #nameOf: (commandLine: string) => string | null
  readonly #seen = new Map<string, Seen>()
  readonly #before = new Map<string, number>()
  readonly #timer: NodeJS.Timeout

  /** `nameOf` maps a command line to the name under which the process counts; null leaves it out. */
  constructor(root: number, nameOf: (commandLine: string) => string | null) {
    this.#root = root
    this.#nameOf = nameOf
    this.#sample()
    for (const [key, { ticks }] of this.#seen) this.#before.set(key, ticks)
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS)
  }

  stop(): Usage[] {
    clearInterval(this.#timer)
    this.#sample()
    const sums = new Map<string, Usage>()
    for (const [key, { name, ticks, peakBytes }] of this.#seen) {
      const sum = sums.get(name) ?? { name, processes: 0, cpuSeconds: 0, peakBytes: 0 }
      sums.set(name, {
        name,
        processes: sum.processes + 1,
        cpuSeconds: sum.cpuSeconds + (ticks - (this.#before.get(key) ?? 0)) / TICKS,
        peakBytes: Math.max(sum.peakBytes, peakBytes),
      })
    }
    return [...sums.values()].sort((a, b) => a.name.localeCompare(b.name))
  }

  #sample(): void {
    const all = readdirSync('/proc')
      .filter(name => /^[0-9]+$/.test(name))
      .flatMap(pid => readStat(pid) ?? [])
    const below = new Set([this.#root])
    for (let grew = true; grew; ) {
      const size = below.size
      for (const { pid, parent } of all) if (below.has(parent)) below.add(pid)
      grew = below.size > size
    }
    for (const { pid, start, ticks } of all) {
      if (!below.has(pid) || pid === process.pid) continue
      const name = this.#nameOf(readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' '))
      if (name === null) continue
      const peak = /^VmHWM:\s*([0-9]+) kB/m.exec(readText(`/proc/${pid}/status`))
      const peakBytes = Math.max(Number(peak?.[1] ?? 0) * 1024, this.#seen.get(`${pid}@${start}`)?.peakBytes ?? 0)
      this.#seen.set(`${pid}@${start}`, { name, ticks, peakBytes })
    }
  }
}

/** proc(5): the name in field 2 may contain blanks and brackets, so count from its end. */
function readStat(pid: string): { pid: number; parent: number; start: string; ticks: number } | null {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields.length < 20) return null
  return {
    pid: Number(pid),
    parent: Number(fields[1]),
    start: fields[19]!,
    ticks: Number(fields[11]) + Number(fields[12]),
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
