import { spawn } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

const ENTRY = fileURLToPath(new URL(`./read-apart-process${extname(import.meta.filename)}`, import.meta.url))
/** A message that takes longer counts as one that hangs. A busy machine needs seconds to start a process. */
const PATIENCE_MS = 30_000

/**
 * Reads a message in a process of its own, and returns whether the process survived. That tells a message that kills its
 * reader from one that was being read when a worker was killed for another reason. Throws if no process can be started.
 */
export function survivesReading(value: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [ENTRY], { stdio: ['pipe', 'ignore', 'ignore'], timeout: PATIENCE_MS })
    child.once('error', reject)
    child.once('exit', code => resolve(code === 0))
    child.stdin.on('error', () => {}) // the process ended before it had read everything
    child.stdin.end(value)
  })
}
