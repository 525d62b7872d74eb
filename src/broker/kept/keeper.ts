import { type BigIntStats, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { errorToRecord, type RowmillError } from '../../errors.ts'
import { monotonicMs } from '../../support/clock.ts'
import type { FromKeeper, KeptState } from './door.ts'

/** How often the keeper looks whether somebody has removed its folder. */
const LOOK_MS = 5000

/** Why a broker is no longer kept. */
export type Ending = 'idle' | 'stopped' | 'replaced' | 'removed' | RowmillError

export interface KeeperOptions {
  /** The path of the socket. */
  readonly door: string
  readonly state: Omit<KeptState, 'runs' | 'endsInMs'>
  /** How long the broker stays after its last user. */
  readonly idleMs: number
  /** Called when a user has left, never twice at a time. Must not reject. */
  readonly onLeave: () => Promise<void>
}

/**
 * Decides how long a broker stays. One process has it, and only its single thread decides: a user whose `use` was answered
 * has the broker until its connection ends, and the kernel ends it with the user.
 */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #users = new Set<Socket>()
  readonly #over = Promise.withResolvers<Ending>()
  readonly #server: Server
  #idle: NodeJS.Timeout | null = null
  #idleSince = 0
  #look: NodeJS.Timeout | null = null
  #clearing: Promise<void> = Promise.resolve()
  #isStopping = false
  #isOver = false

  private constructor(options: KeeperOptions) {
    this.#options = options
    this.#server = createServer(socket => this.#welcome(socket))
  }

  /** Opens the door. Whoever calls this holds the lock of the folder, so a socket that is there has no keeper. */
  static async open(options: KeeperOptions): Promise<Keeper> {
    const keeper = new Keeper(options)
    const { door } = options
    await rm(door, { force: true })
    await new Promise<void>((resolve, reject) => {
      keeper.#server.once('error', reject).listen(door, resolve)
    })
    keeper.#watch(statSync(door, { bigint: true }))
    keeper.#rest()
    return keeper
  }

  /** Resolves when the broker is to end. Nobody can enter any more. */
  get over(): Promise<Ending> {
    return this.#over.promise
  }

  /** Ends it at once, and tells the users why. */
  end(why: Ending): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#idle ?? undefined)
    clearInterval(this.#look ?? undefined)
    // Closing removes the socket by its path, and a new keeper may have one there.
    if (why !== 'removed') this.#server.close()
    for (const user of this.#users) {
      if (why instanceof Error) user.end(line({ died: errorToRecord(why) }))
      else user.destroy()
    }
    this.#over.resolve(why)
  }

  #welcome(socket: Socket): void {
    if (this.#isOver) {
      socket.destroy()
      return
    }
    socket.on('error', () => {}) // `close` follows
    socket.on('close', () => this.#leave(socket))
    createInterface({ input: socket })
      .on('error', () => {}) // the socket reports it too
      .on('line', word => this.#hear(socket, word))
  }

  #hear(socket: Socket, word: string): void {
    if (this.#isOver) return
    if (word === 'replace') {
      // Others may have patience with a broker that was stopped, so only its last user may have it replaced.
      if (this.#users.size === 1 && this.#users.has(socket)) this.end('replaced')
      return
    }
    if (word === 'use') {
      if (this.#isStopping) {
        socket.destroy()
        return
      }
      this.#users.add(socket)
      clearTimeout(this.#idle ?? undefined)
    }
    if (word === 'stop') this.#isStopping = true
    socket.write(line({ state: this.#state() }))
    if (this.#isStopping && this.#users.size === 0) socket.end(() => this.end('stopped'))
  }

  #state(): KeptState {
    const { state, idleMs } = this.#options
    const isIdle = this.#users.size === 0 && !this.#isStopping
    const endsInMs = isIdle ? this.#idleSince + idleMs - monotonicMs() : null
    return { ...state, runs: this.#users.size, endsInMs }
  }

  #leave(socket: Socket): void {
    if (!this.#users.delete(socket) || this.#isOver) return
    this.#clearing = this.#clearing.then(this.#options.onLeave)
    if (this.#users.size > 0) return
    if (this.#isStopping) this.end('stopped')
    else this.#rest()
  }

  /** The timer is monotonic. While the machine sleeps it stands still. */
  #rest(): void {
    clearTimeout(this.#idle ?? undefined)
    this.#idleSince = monotonicMs()
    this.#idle = setTimeout(() => this.end('idle'), this.#options.idleMs)
  }

  #watch(own: BigIntStats): void {
    this.#look = setInterval(() => {
      const found = statSync(this.#options.door, { bigint: true, throwIfNoEntry: false })
      if (found?.ino !== own.ino || found.dev !== own.dev) this.end('removed')
    }, LOOK_MS)
  }
}

function line(said: FromKeeper): string {
  return `${JSON.stringify(said)}\n`
}
