import type { ChildProcess } from 'node:child_process'
import type { ClientLimits } from '../kafka/index.ts'
import { mainThreadCpuMs } from '../support/main-thread-cpu.ts'
import type { Say } from '../support/say.ts'
import { Heartbeats } from './heartbeats.ts'
import { RunPartitions, type Share } from './run-partitions.ts'

/** What a worker is told, and what it answers, about its share of the partitions. */
export type ToSharer = { type: 'ping' } | ({ type: 'share' } & Share)
export type FromSharer = { type: 'alive' } | { type: 'released'; turn: number }

/** As long as a group on this machine waits for a member. */
const PATIENCE_MS = 6000

interface Process {
  readonly child: ChildProcess
  /** A worker that was started again gets rows when it can classify them: until then the others do. */
  readonly again: boolean
  /** Whether it can be given partitions. */
  isThere: boolean
}

/**
 * Gives the worker processes of one run their partitions. Those of a process that ends go to the others at once. A process
 * that stands still is killed first: its rows would wait for as long as it does.
 */
export class ProcessShares {
  readonly #say: Say
  readonly #processes = new Map<string, Process>()
  #partitions: RunPartitions | null = null
  #heartbeats: Heartbeats | null = null

  constructor(say: Say) {
    this.#say = say
  }

  started(name: string, child: ChildProcess, again: boolean): void {
    this.#processes.set(name, { child, again, isThere: false })
    if (this.#partitions) this.#tell(name, { type: 'ping' }) // its first answer says that it runs
  }

  /** Deals so many partitions among the processes, from now on. */
  deal(count: number, { sessionTimeoutMs: patienceMs = PATIENCE_MS }: ClientLimits = {}): void {
    this.#partitions = new RunPartitions(count, (name, share) => this.#tell(name, { type: 'share', ...share }))
    this.#heartbeats = new Heartbeats(
      { patienceMs },
      {
        ask: name => this.#tell(name, { type: 'ping' }),
        silent: name => {
          this.#say(`worker ${name} has not answered for ${patienceMs / 1000} s and is killed`)
          this.#processes.get(name)?.child.kill('SIGKILL')
        },
        cpuMs: name => mainThreadCpuMs(this.#processes.get(name)?.child.pid),
      },
    )
    for (const [name, { isThere }] of this.#processes)
      if (isThere) this.#came(name)
      else this.#tell(name, { type: 'ping' })
  }

  /** Any message of a worker says that its event loop runs. */
  heard(name: string, message: FromSharer | { readonly type: string }): void {
    const process = this.#processes.get(name)
    if (!process) return
    if (message.type === 'ready' || !process.again) process.isThere = true
    if (process.isThere) this.#came(name)
    if ('turn' in message) this.#partitions?.released(name, message.turn)
  }

  ended(name: string): void {
    this.#processes.delete(name)
    this.#heartbeats?.forget(name)
    this.#partitions?.gone(name)
  }

  /** The workers leave: nothing moves any more. */
  close(): void {
    this.#heartbeats?.close()
    this.#heartbeats = null
    this.#partitions = null
  }

  #came(name: string): void {
    this.#heartbeats?.answered(name)
    this.#partitions?.came(name)
  }

  #tell(name: string, message: ToSharer): void {
    const { child } = this.#processes.get(name)!
    if (child.connected) child.send(message, () => {}) // if it has ended, its end says so
  }
}
