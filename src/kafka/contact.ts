import type { Socket } from 'node:net'
import type { ISocketFactory } from 'kafkajs'
import { unlessAborted } from '../support/abort.ts'
import { type Clock, monotonicMs } from '../support/clock.ts'
import { isTokenUnavailable } from './tokens.ts'

/** A request gets at least this long, because a busy broker may take seconds. */
const SHORTEST_LIMIT_MS = 5000
/** How long a command that was told to end waits for a broker that does not answer. */
const CLEAN_UP_MS = 5000
/** After so long without a request, the next silence is a new one. */
const FORGOTTEN_MS = 10_000
const STOPPED = 'RowmillStopped'

/** The longest that one request, login or token may take: half the broker timeout, so that there is a second attempt. */
export function longestRequestMs(brokerTimeoutMs: number): number {
  return Math.max(SHORTEST_LIMIT_MS, brokerTimeoutMs / 2)
}

/**
 * Whether the brokers of one client answer, and what ends all its waits. KafkaJS repeats connections and requests on many
 * levels, and knows no limit for all of them together. So after `timeoutMs` of silence the next failure is final.
 *
 * When `stop` aborts, the connections and logins that are being made fail at once. Clean-up may still ask the broker. But
 * if no answer comes for 5 s, all connections are ended and there are no new ones.
 */
export class Contact {
  readonly sockets = new Set<Socket>()
  readonly #timeoutMs: number
  readonly #stop: AbortSignal
  readonly #now: Clock
  #asking = 0
  #silentSince: number | null = null
  #failedAt = 0
  #answers = 0
  #isCleaningUp = false
  #isOver = false

  constructor({ timeoutMs, stop, now = monotonicMs }: { timeoutMs: number; stop: AbortSignal; now?: Clock }) {
    this.#timeoutMs = timeoutMs
    this.#stop = stop
    this.#now = now
  }

  /** Takes a new connection. Only while there are any does it listen to `stop`, which may outlive many clients. */
  add(socket: Socket): Socket {
    this.sockets.add(socket)
    if (this.#stop.aborted) this.#beginCleanUp()
    else this.#stop.addEventListener('abort', this.#beginCleanUp)
    return socket.once('close', () => {
      this.sockets.delete(socket)
      if (this.sockets.size === 0) this.#stop.removeEventListener('abort', this.#beginCleanUp)
    })
  }

  /** Makes a connection, or gets a token. */
  async connecting<T>(connect: () => Promise<T>): Promise<T> {
    if (this.#stop.aborted) return await this.asking(connect, { isAnswer: false })
    return await this.asking(() => unlessAborted(connect(), this.#stop).catch(finalIf(this.#stop)), { isAnswer: false })
  }

  /** Sends a request. `isAnswer`: whether its result shows that the broker serves us. */
  async asking<T>(ask: () => Promise<T>, { isAnswer }: { isAnswer: boolean }): Promise<T> {
    if (this.#isOver) throw stopped()
    const now = this.#now()
    if (this.#asking === 0 && now - this.#failedAt > FORGOTTEN_MS) this.#silentSince = null
    this.#silentSince ??= now
    this.#asking++
    try {
      const result = await ask()
      if (isAnswer) this.#heard()
      return result
    } catch (error) {
      if (isSilence(error)) throw this.#failed(error as Error)
      if ((error as Error).name !== STOPPED) this.#heard()
      throw error
    } finally {
      this.#asking--
    }
  }

  #heard(): void {
    this.#silentSince = null
    this.#answers++
  }

  #failed(error: Error): Error {
    this.#failedAt = this.#now()
    const silentMs = this.#failedAt - (this.#silentSince ?? this.#failedAt)
    const isFinal = this.#isOver || silentMs >= this.#timeoutMs
    return Object.assign(error, { silentMs, ...(isFinal ? { retriable: false } : {}) })
  }

  readonly #beginCleanUp = (): void => {
    if (!this.#isCleaningUp) this.#watchCleanUp()
    this.#isCleaningUp = true
  }

  #watchCleanUp(): void {
    const before = this.#answers
    const look = () => (before === this.#answers ? this.#end() : this.#watchCleanUp())
    setTimeout(look, CLEAN_UP_MS).unref()
  }

  #end(): void {
    this.#isOver = true
    for (const socket of this.sockets) socket.destroy(stopped())
  }
}

/** For how long nobody had answered when this error was thrown. KafkaJS wraps errors. */
export function silentMsOf(error: unknown): number {
  const { silentMs, cause } = (error ?? {}) as { silentMs?: number; cause?: unknown }
  return silentMs ?? (cause && cause !== error ? silentMsOf(cause) : 0)
}

function isSilence(error: unknown): boolean {
  return /^KafkaJS(Connection|RequestTimeout)/.test((error as Error).name) || isTokenUnavailable(error)
}

/** KafkaJS repeats it no more. */
function stopped(): Error {
  return Object.assign(new Error('the command was told to end'), { name: STOPPED, retriable: false })
}

/** Whether a request failed only because the command was told to end. KafkaJS wraps errors. */
export function isStopped(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as { name?: string; cause?: unknown }
  return name === STOPPED || (cause !== undefined && cause !== error && isStopped(cause))
}

function finalIf(stop: AbortSignal): (error: unknown) => never {
  return error => {
    throw stop.aborted ? stopped() : error
  }
}

const contacts = new WeakMap<ISocketFactory, Contact>()

/** The socket factory of a cluster, by which its connections find their contact. */
export function withContact<F extends ISocketFactory>(contact: Contact, factory: F): F {
  contacts.set(factory, contact)
  return factory
}

export function contactOf({ socketFactory }: { readonly socketFactory: ISocketFactory }): Contact | undefined {
  return contacts.get(socketFactory)
}
