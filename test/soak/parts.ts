import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { descendants, type ProcessInfo, untilGone } from '../helpers/processes.ts'
import { python } from '../helpers/python.ts'

const BIN = join(import.meta.dirname, '../../bin/rowmill.js')
const SAID_CHARS = 1500

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** One process of Node, whose output goes to a file. */
export class Part {
  readonly name: string
  readonly child: ChildProcess
  readonly startedAt = performance.now()
  readonly exit: Promise<Exit>
  /** Whether it was killed on purpose. */
  killed = false
  readonly #log: string

  /** `args` begin with the script of Node. */
  constructor(name: string, args: readonly string[], { env, log }: { env: NodeJS.ProcessEnv; log: string }) {
    this.name = name
    this.#log = log
    const words = openSync(log, 'a')
    this.child = spawn(process.execPath, args, { env, stdio: ['ignore', words, words] })
    closeSync(words)
    this.exit = new Promise((resolve, reject) => {
      this.child.once('error', reject).once('exit', (code, signal) => resolve({ code, signal }))
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  kill(): void {
    this.killed = true
    this.child.kill('SIGKILL')
  }

  get said(): string {
    return readFileSync(this.#log, 'utf8')
  }

  get lastWords(): string {
    return `${this.name} (process ${this.pid}) said last:\n${this.said.slice(-SAID_CHARS) || '(nothing)\n'}`
  }
}

/** Every command that was started. */
export class Parts {
  readonly #folder: string
  readonly #env: NodeJS.ProcessEnv
  readonly #signal: AbortSignal
  readonly #running = new Set<Part>()
  /** The processes below a command at the last look. */
  readonly #below = new Map<string, ProcessInfo>()
  #started = 0

  /** Their output goes to `folder`. None is started after `signal` aborts. */
  constructor(folder: string, signal: AbortSignal, env: NodeJS.ProcessEnv) {
    this.#folder = folder
    this.#signal = signal
    this.#env = { ...process.env, ROWMILL_PYTHON: python, ...env }
  }

  /** A command of rowmill. */
  start(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Part {
    return this.startScript(name, BIN, args, env)
  }

  startScript(name: string, script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Part {
    this.#signal.throwIfAborted()
    const log = join(this.#folder, `${String(++this.#started).padStart(4, '0')}-${name.replaceAll(' ', '-')}.log`)
    const part = new Part(name, [script, ...args], { env: { ...this.#env, ...env }, log })
    this.#running.add(part)
    const over = () => this.#running.delete(part)
    part.exit.then(over, over)
    return part
  }

  /** Records the processes below a command, to look for them at the end. */
  below(part: Part): ProcessInfo[] {
    const infos = descendants(part.pid)
    for (const info of infos) this.#below.set(`${info.pid}@${info.startTime}`, info)
    return infos
  }

  describe(): string {
    return [...this.#running].map(({ lastWords }) => lastWords).join('\n')
  }

  /** Ends all commands; throws if a process below them survives. */
  async killAll(): Promise<void> {
    const running = [...this.#running]
    for (const part of running) {
      for (const info of this.below(part)) sendIfSame(info, 'SIGCONT')
      part.kill()
    }
    await Promise.all(running.map(({ exit }) => exit))
    await untilGone([...this.#below.values()])
  }
}

/** Signals a process unless it has ended or its pid was reused. */
export function sendIfSame(info: ProcessInfo, signal: NodeJS.Signals): void {
  try {
    const stat = readFileSync(`/proc/${info.pid}/stat`, 'utf8')
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    if (startTime === info.startTime) process.kill(info.pid, signal)
  } catch {
    // it has ended
  }
}
