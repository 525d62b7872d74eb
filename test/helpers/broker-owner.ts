import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ErrorRecord } from '../../src/errors.ts'

/** One line of a fixture of test/broker/fixtures. */
export interface Said {
  readonly address?: string
  readonly jars?: string
  readonly progress?: string
  readonly SIGINT?: true
  readonly SIGHUP?: true
  readonly error?: ErrorRecord
}

/** A running fixture in its own process group, like a foreground command of a terminal. */
export interface Fixture {
  readonly child: ChildProcess
  readonly pid: number
  /** The first line with this field, past or future. Rejects if the process ends without it. */
  says(field: keyof Said): Promise<Said>
  /** Its whole output, once it has ended. */
  readonly all: Promise<readonly Said[]>
  kill(): Promise<void>
}

/** Starts a fixture with `env` over the environment of this process. It is killed when the test ends. */
export function runFixture(t: TestContext, name: 'owner' | 'preparer', env: NodeJS.ProcessEnv = {}): Fixture {
  const script = fileURLToPath(new URL(`../broker/fixtures/${name}.ts`, import.meta.url))
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const lines: Said[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', line => lines.push(JSON.parse(line)))
  const ended = once(child, 'close')
  const says = async (field: keyof Said): Promise<Said> => {
    for (let at = 0; ; at++) {
      if (at >= lines.length) await Promise.race([once(reader, 'line'), ended])
      const line = lines[at]
      if (line === undefined) throw new Error(`${name} ended without ${field}: ${JSON.stringify(lines)}`)
      if (field in line) return line
    }
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  t.after(kill)
  return { child, pid: child.pid!, says, all: ended.then(() => lines), kill }
}
