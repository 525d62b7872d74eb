import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { descendants, startedBy } from '../test/helpers/processes.ts'

const LOOK_EVERY_MS = 10
/** How long it runs and how long it stands, by turns. */
const [ON_MS, OFF_MS] = [25, 75]

/** A Python process that gets only a part of its time. */
export interface Slowed {
  /** The part of the time that it got, as measured. */
  share(): number
  /** Lets it run freely. */
  stop(): Promise<void>
}

/**
 * Waits until so many workers below a process have their Python, and lets the last of these run a quarter of the time: it is
 * stopped and continued by turns, until it ends or `stop` is called.
 */
export async function slowOneWorker(command: number, workers: number): Promise<Slowed> {
  let pythons = pythonsOf(command)
  for (; pythons.length < workers; pythons = pythonsOf(command)) await sleep(LOOK_EVERY_MS)
  const pid = Math.max(...pythons)
  const over = new AbortController()
  const [began, stood] = [performance.now(), { ms: 0 }]
  let until = began
  const standing = standInTurns(pid, over.signal, ms => {
    stood.ms += ms
    until = performance.now()
  })
  return {
    share: () => 1 - stood.ms / (until - began),
    async stop() {
      over.abort()
      await standing
    },
  }
}

async function standInTurns(pid: number, signal: AbortSignal, stood: (ms: number) => void): Promise<void> {
  while (!signal.aborted && send(pid, 'SIGSTOP')) {
    const from = performance.now()
    await sleep(OFF_MS, undefined, { signal }).catch(() => {})
    if (!send(pid, 'SIGCONT')) return
    stood(performance.now() - from)
    await sleep(ON_MS, undefined, { signal }).catch(() => {})
  }
}

function send(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false // it has ended
  }
}

/** One for each worker: its classifier. */
function pythonsOf(command: number): number[] {
  const workers = descendants(command).filter(({ pid }) => commandLine(pid).includes('worker-process'))
  return workers.flatMap(({ pid }) =>
    startedBy(pid)
      .slice(0, 1)
      .map(host => host.pid),
  )
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // it has ended
  }
}
