import { spawn } from 'node:child_process'
import { partOf } from './contenders.ts'
import { ProcessTree } from './process-tree.ts'
import type { Measured } from './report.ts'

/** Runs a command to its end. Throws if it fails. */
export async function measure(name: string, command: readonly string[]): Promise<Pick<Measured, 'seconds' | 'usage'>> {
  const tree = new ProcessTree(process.pid, partOf)
  const started = performance.now()
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] })
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve))
  const seconds = (performance.now() - started) / 1000
  const usage = tree.stop()
  if (code !== 0) throw new Error(`${name} ended with exit code ${code}: ${command.join(' ')}`)
  return { seconds, usage }
}
