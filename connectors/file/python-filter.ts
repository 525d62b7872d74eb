import { execFile, spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'

export interface PythonFilter {
  readonly python: string
  /** Reads standard input and writes standard output, with nothing but the standard library. */
  readonly script: string
  readonly args: readonly string[]
  /** Ends the script with its reason. */
  readonly signal?: AbortSignal | undefined
}

/** Runs a script with the file at `from` as its input and `target` as its output. Throws an Error with its last line. */
export async function filterByPython(from: string, target: FileHandle, filter: PythonFilter): Promise<void> {
  const { python, script, args, signal } = filter
  // It reads a pipe of this process, so it ends when this process ends.
  const child = spawn(python, ['-I', '-c', script, ...args], {
    stdio: ['pipe', target.fd, 'pipe'],
    ...(signal && { signal, killSignal: 'SIGKILL' }),
  })
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', text => {
    said = (said + text).slice(-2000)
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const fed = pipeline(createReadStream(from), child.stdin!)
  fed.catch(() => {}) // a child that fails stops reading, and says why
  const code = await ended
  if (code === 0) return fed
  throw new Error(said.trimEnd().split('\n').at(-1) || `it ended with ${code}`)
}

/** Why this Python cannot run the script, in words. Null: it can. */
export async function pythonFlaw(python: string, script: string, args: readonly string[] = []): Promise<string | null> {
  try {
    await promisify(execFile)(python, ['-I', '-c', script, ...args])
    return null
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    return code === 'ENOENT' ? 'there is no such program' : message.trimEnd().split('\n').at(-1)!
  }
}
