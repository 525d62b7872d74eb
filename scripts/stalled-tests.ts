/**
 * Runs test files while their processes stall, as on a busy machine: every few seconds the brokers, two other processes or
 * all of them stop for about a second. No test may fail from that.
 * node scripts/stalled-tests.ts test/kafka/*.integration.ts
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { descendants, isStopped, type ProcessInfo } from '../test/helpers/processes.ts'

const ROOT = join(import.meta.dirname, '..')

const below = (end: number) => Math.floor(Math.random() * end)
const isJava = ({ name }: ProcessInfo) => name === 'java'

/** Which of these processes stop next. */
function chosen(all: readonly ProcessInfo[]): readonly ProcessInfo[] {
  const others = all.filter(info => !isJava(info))
  const first = below(others.length)
  return [all, all.filter(isJava), others.slice(first, first + 2)][below(3)]!
}

function signal(name: NodeJS.Signals, { pid }: ProcessInfo): void {
  try {
    process.kill(pid, name)
  } catch {
    // it has just ended
  }
}

const options = ['--test-timeout=300000', '--test-concurrency=2', '--test-global-setup=test/helpers/one-broker.ts']
const tests = spawn(process.execPath, ['--test', ...options, ...process.argv.slice(2)], { cwd: ROOT, stdio: 'inherit' })
const over = new AbortController()
tests.once('exit', code => {
  process.exitCode = code ?? 1
  over.abort()
})

// We end after the tests: whoever is stopped must go on first.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => tests.kill(name))

while (!over.signal.aborted) {
  await sleep(1000 + below(4000), undefined, { signal: over.signal }).catch(() => {})
  // What a test itself has stopped stays so.
  const running = descendants(tests.pid!).filter(({ pid }) => !isStopped(pid))
  const stalled = chosen(running)
  for (const info of stalled) signal('SIGSTOP', info)
  await sleep(700 + below(800))
  for (const info of stalled) signal('SIGCONT', info)
}
