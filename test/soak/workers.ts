import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ProcessInfo, startedBy } from '../helpers/processes.ts'
import type { FrailBroker } from './frail-broker.ts'
import { type Part, type Parts, sendIfSame } from './parts.ts'
import { until, within } from './waits.ts'

/** The `work` command of the run, restarted whenever it ends; and another one that comes and goes. */
export class Workers {
  readonly #parts: Parts
  readonly #broker: FrailBroker
  readonly #args: readonly string[]
  readonly #signal: AbortSignal
  #main: Part | null = null
  #stopped = false
  #closing = false
  /** How often a command ended with 3 because of an outage, and was restarted. */
  unreachable = 0

  /** `args` are those of `work`, except the number of workers. */
  constructor(parts: Parts, broker: FrailBroker, { args, signal }: { args: readonly string[]; signal: AbortSignal }) {
    this.#parts = parts
    this.#broker = broker
    this.#args = args
    this.#signal = signal
  }

  /** Until `close`. */
  async run(): Promise<void> {
    while (!this.#closing) {
      const part = this.#start('work', 2)
      this.#main = part
      this.#stopped = false
      const { code } = await part.exit
      if (!part.killed && !(this.#stopped && code === 0)) this.#judge(part, code)
    }
  }

  async close(): Promise<void> {
    this.#closing = true
    if (this.#main) await this.stop()
  }

  /** As a user does it. */
  async stop(): Promise<void> {
    const part = this.#main!
    this.#stopped = true
    part.child.kill('SIGTERM')
    await within('work ends after SIGTERM', part.exit)
  }

  kill(): string {
    this.#main!.kill()
    return `process ${this.#main!.pid}`
  }

  async killWorker(pick: number): Promise<string> {
    const worker = choose(await this.#found('worker-process'), pick)
    sendIfSame(worker, 'SIGKILL')
    return `process ${worker.pid}`
  }

  async killPython(pick: number): Promise<string> {
    const python = choose(await this.#found('host.py'), pick)
    sendIfSame(python, 'SIGKILL')
    return `process ${python.pid}`
  }

  /** Resolves when it is frozen, with a function that wakes it. */
  async freezeWorker(pick: number): Promise<{ who: string; wake: () => void }> {
    const worker = choose(await this.#found('worker-process'), pick)
    const python = startedBy(worker.pid)
    const frozen = [worker, ...python]
    for (const info of frozen) sendIfSame(info, 'SIGSTOP')
    const wake = () => {
      for (const info of frozen) sendIfSame(info, 'SIGCONT')
    }
    return { who: `process ${worker.pid}`, wake }
  }

  /** Another worker, until it has classified something, and `stayMs` longer. */
  async joinAndLeave(stayMs: number, hasClassified: (pid: number) => boolean): Promise<void> {
    const part = this.#start('second work', 1)
    const over = part.exit.then(() => true)
    const worked = () => this.#parts.below(part).some(({ pid }) => hasClassified(pid))
    let ended = false
    void over.then(() => {
      ended = true
    })
    await until('the second work classifies something', this.#signal, () => ended || worked())
    await Promise.race([over, sleep(stayMs)])
    part.child.kill('SIGTERM')
    const { code } = await within('the second work ends after SIGTERM', part.exit)
    if (code !== 0) this.#judge(part, code)
  }

  #start(name: string, workers: number): Part {
    return this.#parts.start(name, [...this.#args, '--workers', String(workers)])
  }

  /** If the broker does not answer when a worker starts, its command ends with 3, as documented. */
  #judge(part: Part, code: number | null): void {
    if (code !== 3 || !this.#broker.troubledSince(part.startedAt))
      throw new Error(`${part.lastWords}It ended with ${code}`)
    this.unreachable++
  }

  async #found(what: string): Promise<ProcessInfo[]> {
    let found: ProcessInfo[] = []
    await until(`there is a ${what}`, this.#signal, () => {
      found = this.#parts.below(this.#main!).filter(({ pid }) => commandLine(pid).includes(what))
      return found.length > 0
    })
    return found
  }
}

function choose<T>(among: readonly T[], pick: number): T {
  return among[Math.floor(pick * among.length)]!
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // it ended meanwhile
  }
}
