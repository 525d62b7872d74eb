import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { python } from './python.ts'

export const BIN = fileURLToPath(new URL('../../bin/rowmill.js', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly input?: string | Buffer
  /** Whether its standard input stays open after `input`. */
  readonly inputStays?: boolean
  /** The rowmill to run; the default is this clone. */
  readonly bin?: string
}

/** A rowmill command of this clone in its own process, with the Python of the tests. */
export function startRowmill(args: readonly string[], options: CliOptions = {}) {
  return startProgram(process.execPath, [options.bin ?? BIN, ...args], options)
}

export function startProgram(
  file: string,
  args: readonly string[],
  { env = {}, cwd, input, inputStays = false }: CliOptions = {},
) {
  const child = spawn(file, args, {
    ...(cwd ? { cwd } : {}),
    // What runs leave behind has tests of its own, with --keep. ROWMILL_TEST_KEEP=true tries all others with it too.
    env: { ...process.env, ROWMILL_PYTHON: python, ROWMILL_KEEP: process.env['ROWMILL_TEST_KEEP'] ?? 'false', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => {}) // a command that fails early does not read its input
  if (inputStays) child.stdin.write(input ?? '')
  else child.stdin.end(input ?? '')
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', said => {
    stderr += said
  })
  const finished: Promise<Finished> = Promise.all([
    text(child.stdout),
    once(child.stderr, 'close'),
    new Promise<[number | null, NodeJS.Signals | null]>(resolve => child.once('exit', (...how) => resolve(how))),
  ]).then(([stdout, , [code, signal]]) => ({ code, signal, stdout, stderr }))
  return { child, finished, args, said: () => stderr }
}

export function rowmill(args: readonly string[], options: CliOptions = {}): Promise<Finished> {
  return startRowmill(args, options).finished
}

/** A folder for this test alone, removed when the test ends. */
export function testFolder(t: { after(fn: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'rowmill-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
