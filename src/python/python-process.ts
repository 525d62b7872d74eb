import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { markedEnvironment, newMark } from '../support/started-processes.ts'
import { openOutputPipes } from './output-pipes.ts'

/** How a process ended: one of both is null. */
export interface ProcessEnd {
  readonly exitCode: number | null
  readonly signal: string | null
}

/** A running Python, however it was started. It leads a process group. Its streams are undefined if it did not start. */
export interface PythonProcess {
  /** Undefined: it did not start. */
  readonly pid: number | undefined
  /** It and all that it starts have this mark (support/started-processes.ts). */
  readonly mark: string
  readonly stdout: Readable | undefined
  readonly stderr: Readable | undefined
  readonly requests: Writable | undefined
  readonly answers: Readable | undefined
  /** Resolves when it has ended. Rejects with the system's error if it did not start. */
  readonly ended: Promise<ProcessEnd>
  /** Resolves when its streams have ended too. Processes that it started may keep them open. */
  readonly closed: Promise<unknown>
  /** Kills it and its process group. Does nothing if it has ended. */
  kill(): void
  /** Closes our ends of everything between it and us. */
  release(): void
}

export interface SpawnOptions {
  /** The interpreter: a name on the PATH or a path, such as `python3` or `.venv/bin/python`. */
  readonly python: string
  /** The program, a file of rowmill. Its first argument is the pid of this process. */
  readonly script: string
  readonly args: readonly string[]
  /** The working directory of the user's code, the caller's unless given. */
  readonly cwd?: string | undefined
  /** Default: a new mark. */
  readonly mark?: string
}

/** Starts an interpreter. Descriptor 3 takes requests, 4 brings answers, 5 is the life-line. */
export function spawnPython({ python, script, args, cwd, mark = newMark() }: SpawnOptions): PythonProcess {
  const outputs = openOutputPipes()
  const printsTo = outputs ? [outputs.stdout.descriptor, outputs.stderr.descriptor] : (['pipe', 'pipe'] as const)
  const child = spawn(python, [script, String(process.pid), ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env: markedEnvironment(mark),
    detached: true, // leads a process group
    stdio: ['ignore', ...printsTo, 'pipe', 'pipe', 'pipe'],
  })
  outputs?.handOver()
  const streams = (child.stdio ?? []) as unknown as (Readable & Writable)[] // a process that did not start may have none
  const stdout = outputs?.stdout.readable ?? streams[1]
  const stderr = outputs?.stderr.readable ?? streams[2]
  const [, , , requests, answers] = streams
  // The end of the process tells what went wrong. A broken pipe only tells that something did.
  for (const stream of streams) stream?.on('error', () => {})
  const closed = [child, ...(outputs ? [outputs.stdout.readable, outputs.stderr.readable] : [])]
  return {
    ...{ pid: child.pid, mark, stdout, stderr, requests, answers },
    ended: endOf(child),
    closed: Promise.all(closed.map(each => new Promise(resolve => each.once('close', resolve)))),
    // After the child is gone, its pid may belong to another process.
    kill() {
      const { pid, exitCode, signalCode } = child
      if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL')
    },
    release() {
      for (const stream of [stdout, stderr, ...streams]) stream?.destroy()
    },
  }
}

function endOf(child: ChildProcess): Promise<ProcessEnd> {
  return new Promise((resolve, reject) => {
    child.on('error', cause => {
      if (child.pid === undefined) reject(cause)
    })
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }))
  })
}
