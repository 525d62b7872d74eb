import { type ChildProcess, spawn } from 'node:child_process'
import { type Contender, partOf } from './contenders.ts'
import { ProcessTree, type Usage } from './process-tree.ts'

/** What one run cost, from the start of its first process to the end of it. */
export interface Cost {
  readonly seconds: number
  readonly usage: readonly Usage[]
}

/** Runs a command to its end. Throws if it fails. */
export async function measure(
  name: string,
  command: readonly string[],
  environment: Contender['environment'] = {},
): Promise<Cost> {
  const tree = new ProcessTree(process.pid, partOf)
  const started = performance.now()
  await ended(start(command, environment), name)
  const seconds = (performance.now() - started) / 1000
  return { seconds, usage: tree.stop() }
}

export function start(command: readonly string[], environment: Contender['environment'] = {}): ChildProcess {
  const env = { ...process.env, ...environment }
  return spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'], env })
}

export async function ended(child: ChildProcess, name: string): Promise<void> {
  const exit = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve))
  const code = child.exitCode ?? (await exit)
  if (code !== 0) throw new Error(`${name} ended with exit code ${code}: ${child.spawnargs.join(' ')}`)
}
