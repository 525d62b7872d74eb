import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks a second in /proc/PID/stat: sysconf(_SC_CLK_TCK), 100 on every current Linux. */
const TICKS = 100
const SAMPLE_EVERY_MS = 50
/** Less than this is not worth a word. */
const LEAST_OTHER_SECONDS = 0.05

/** Processes without a name, and what the others used after their last sample. */
export const OTHER = 'other'

/** The resources used by the processes of one name. */
export interface Usage {
  readonly name: string
  /** Zero for `other`: nobody counted them. */
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
 * Watches a process and all below it until `stop`, and adds up CPU time and memory by name. Linux only. Time before the
 * first sample does not count. A process may end within 50 ms of its last sample, or live for less than that. Linux adds the
 * whole time of an ended process to its parent, once the parent has waited for it: what the samples missed is `other`.
 */
export class ProcessTree {
  readonly #root: number
  readonly #nameOf: (commandLine: string) => string | null
  readonly #seen = new Map<string, Seen>()
  readonly #before = new Map<string, number>()
  /** The ticks of all ended processes below the root at the first sample, and at the last. */
  readonly #endedBefore: number
  #ended = 0
  #alive = new Set<string>()
  readonly #timer: NodeJS.Timeout

  /** `nameOf` maps a command line to the name under which the process counts; null leaves it out. */
  constructor(root: number, nameOf: (commandLine: string) => string | null) {
    this.#root = root
    this.#nameOf = nameOf
    this.#sample()
    for (const [key, { ticks }] of this.#seen) this.#before.set(key, ticks)
    this.#endedBefore = this.#ended
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS)
  }

  stop(): Usage[] {
    clearInterval(this.#timer)
    return this.now()
  }

  /** What was used up to now. */
  now(): Usage[] {
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
    const missed = this.#missedTicks() / TICKS
    if (missed >= LEAST_OTHER_SECONDS) sums.set(OTHER, { name: OTHER, processes: 0, cpuSeconds: missed, peakBytes: 0 })
    return [...sums.values()].sort((a, b) => a.name.localeCompare(b.name))
  }

  /** Ticks of ended processes that no sample saw. */
  #missedTicks(): number {
    let missed = this.#ended - this.#endedBefore
    for (const [key, { ticks }] of this.#seen) if (!this.#alive.has(key)) missed -= ticks
    return missed
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
    this.#alive = new Set()
    for (const { pid, start, ticks, endedTicks } of all) {
      if (pid === this.#root) this.#ended = endedTicks
      if (!below.has(pid) || pid === process.pid) continue
      const before = this.#seen.get(`${pid}@${start}`)
      const commandLine = readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
      // One that has ended and was not waited for has no command line, but its ticks.
      const name = commandLine ? this.#nameOf(commandLine) : (before?.name ?? null)
      if (name === null) continue
      this.#alive.add(`${pid}@${start}`)
      const peak = /^VmHWM:\s*([0-9]+) kB/m.exec(readText(`/proc/${pid}/status`))
      const peakBytes = Math.max(Number(peak?.[1] ?? 0) * 1024, before?.peakBytes ?? 0)
      this.#seen.set(`${pid}@${start}`, { name, ticks, peakBytes })
    }
  }
}

interface Stat {
  readonly pid: number
  readonly parent: number
  readonly start: string
  readonly ticks: number
  /** Of all that it has waited for, and of what these had waited for. */
  readonly endedTicks: number
}

/** proc(5): the name in field 2 may contain blanks and brackets, so count from its end. */
function readStat(pid: string): Stat | null {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields.length < 20) return null
  return {
    pid: Number(pid),
    parent: Number(fields[1]),
    start: fields[19]!,
    ticks: Number(fields[11]) + Number(fields[12]),
    endedTicks: Number(fields[13]) + Number(fields[14]),
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
