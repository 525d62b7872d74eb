import type { ClientLimits } from '../kafka/index.ts'
import { mainThreadCpuMs } from '../support/main-thread-cpu.ts'
import type { Say } from '../support/say.ts'
import { Heartbeats } from './heartbeats.ts'
import type { ProcessOfWorkers } from './process-of-workers.ts'
import { RunPartitions } from './run-partitions.ts'
import type { FromSharer, ToSharer } from './worker-messages.ts'

/** As long as a group on this machine waits for a member. */
const PATIENCE_MS = 6000

interface SharingWorker {
  readonly home: ProcessOfWorkers
  /** Whether it can be given partitions. */
  isThere: boolean
}

/**
 * Gives the worker processes of one run their partitions. Those of a process that ends go to the others at once. A process
 * that stands still is killed first: its rows would wait for as long as it does.
 */
export class ProcessShares {
  readonly #say: Say
  readonly #sharers = new Map<string, SharingWorker>()
  #partitions: RunPartitions | null = null
  #heartbeats: Heartbeats | null = null

  constructor(say: Say) {
    this.#say = say
  }

  started(name: string, home: ProcessOfWorkers): void {
    this.#sharers.set(name, { home, isThere: false })
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
          this.#say(`worker ${name} has not answered for ${patienceMs / 1000} s and is killed`, {
            level: 'warn',
            worker: name,
          })
          this.#sharers.get(name)?.home.kill()
        },
        cpuMs: name => mainThreadCpuMs(this.#sharers.get(name)?.home.pid),
      },
    )
    for (const [name, { isThere }] of this.#sharers)
      if (isThere) this.#came(name)
      else this.#tell(name, { type: 'ping' })
  }

  /** Any message of a worker says that its event loop runs. */
  heard(name: string, message: FromSharer | { readonly type: string }): void {
    const sharer = this.#sharers.get(name)
    if (!sharer) return
    // A worker that was started again gets rows when it can classify them: until then the others do.
    if (message.type === 'ready' || !sharer.home.again) sharer.isThere = true
    if (sharer.isThere) this.#came(name)
    if ('turn' in message) this.#partitions?.released(name, message.turn)
  }

  ended(name: string): void {
    this.#sharers.delete(name)
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
    this.#sharers.get(name)!.home.tell(name, message)
  }
}
