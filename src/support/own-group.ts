import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** The leaders of the groups that run now. */
const running = new Set<number>()
let isWatching = false

/** How a program ended, and what it wrote. */
export interface Ended {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * Runs a program in a process group of its own, with `input` as its standard input. Resolves when it has ended and nobody
 * can write its output any more. The whole group is killed when `limit` aborts, and when this process exits.
 */
export async function runInOwnGroup(
  file: string,
  args: readonly string[],
  { input, limit }: { input: string; limit: AbortSignal },
): Promise<Ended> {
  endGroupsAtExit()
  limit.throwIfAborted()
  const child = spawn(file, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const { pid } = child
  const kill = () => void (pid !== undefined && killGroup(pid))
  limit.addEventListener('abort', kill, { once: true })
  if (pid !== undefined) running.add(pid)
  child.stdin.on('error', () => {}) // the program may end before it has read everything
  child.stdin.end(input)
  try {
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
    ])
    return { stdout, stderr, code, signal }
  } finally {
    limit.removeEventListener('abort', kill)
    if (pid !== undefined) running.delete(pid)
  }
}

function endGroupsAtExit(): void {
  if (isWatching) return
  isWatching = true
  process.on('exit', () => {
    for (const pid of running) killGroup(pid)
  })
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // it has just ended
  }
}
