/** A network between clients and a broker on this machine that is slow, goes down, or loses single answers. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Numbers of requests, from the guide to the Kafka protocol. */
export const API = { produce: 0, fetch: 1, offsetCommit: 8, joinGroup: 11, heartbeat: 12 } as const

/** A request on its way to the broker. */
export interface Request {
  readonly api: number
  readonly client: string
  /** All of it, after its length. */
  readonly bytes: Buffer
}

type Matches = (request: Request) => boolean

/** What happens to a request that matches. */
interface Fault {
  readonly matches: Matches
  /** If its answer is lost: after how long the connection is cut; null: never. */
  readonly cutAfterMs?: number | null
  /** If the request itself is held back: a promise that releases it. */
  readonly released?: Promise<void>
  readonly met: () => void
}

export interface ProxyOptions {
  /** Where it listens, which the broker must tell its clients (advertised.listeners). */
  readonly port: number
  /** Where the broker listens. */
  readonly to: number
  /** The delay of each request, and of each answer. */
  readonly delayMs?: number
}

export class BrokerProxy {
  readonly #options: ProxyOptions
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  #faults: Fault[] = []
  readonly #answered: { matches: Matches; met: () => void }[] = []

  private constructor(options: ProxyOptions) {
    this.#options = options
  }

  static async open(t: { after(fn: () => Promise<void>): void }, options: ProxyOptions): Promise<BrokerProxy> {
    const proxy = new BrokerProxy(options)
    await proxy.accept()
    t.after(() => proxy.refuse())
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${this.#options.port}`
  }

  /** How many connections there are now. */
  get connections(): number {
    return this.#sockets.size / 2
  }

  /** Accepts connections, again after `refuse`. */
  async accept(): Promise<void> {
    const server = createServer({ noDelay: true }, client => this.#join(client))
    server.listen(this.#options.port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
  }

  /** Cuts every connection and accepts no more. */
  async refuse(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (!server) return
    const closed = once(server, 'close')
    server.close()
    this.cut()
    await closed
  }

  /** Cuts every present connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Loses the answer to the next request that matches; resolves when it is lost. */
  loseAnswer(matches: Matches, cutAfterMs: number | null): Promise<void> {
    return new Promise(met => this.#faults.push({ matches, cutAfterMs, met }))
  }

  /** Holds back the next request that matches until `released`; resolves when it has it. */
  keepBack(matches: Matches, released: Promise<void>): Promise<void> {
    return new Promise(met => this.#faults.push({ matches, released, met }))
  }

  /** Resolves when the broker has answered the next request that matches. */
  answer(matches: Matches): Promise<void> {
    return new Promise(met => this.#answered.push({ matches, met }))
  }

  #join(client: Socket): void {
    const broker = connect({ port: this.#options.to, host: '127.0.0.1', noDelay: true })
    const pair = [client, broker]
    const cut = () => {
      for (const socket of pair) socket.destroy()
    }
    for (const socket of pair) {
      this.#sockets.add(socket)
      socket.on('error', () => {}) // and `close` comes next
      socket.on('close', () => {
        this.#sockets.delete(socket)
        cut()
      })
    }
    const answers = new Map<number, () => boolean>()
    const { delayMs = 0 } = this.#options
    // A broker answers the requests of a connection in order: a held back one holds back those after it.
    const toBroker = inOrder(delayMs, frame => broker.write(frame))
    const toClient = inOrder(delayMs, frame => client.write(frame))
    client.on(
      'data',
      frames(frame => {
        const request = requestOf(frame)
        const correlation = frame.readInt32BE(8)
        const fault = this.#takeFault(request)
        answers.set(correlation, () => this.#noteAnswer(request, fault, cut))
        toBroker(frame, fault?.released)
        if (fault?.released) fault.met()
      }),
    )
    broker.on(
      'data',
      frames(frame => {
        const correlation = frame.readInt32BE(4)
        const passes = answers.get(correlation)?.() ?? true
        answers.delete(correlation)
        if (passes) toClient(frame)
      }),
    )
  }

  #takeFault(request: Request): Fault | undefined {
    const fault = this.#faults.find(({ matches }) => matches(request))
    this.#faults = this.#faults.filter(other => other !== fault)
    return fault
  }

  /** Whether the answer is forwarded to the client. */
  #noteAnswer(request: Request, fault: Fault | undefined, cut: () => void): boolean {
    for (const waiting of this.#answered.filter(({ matches }) => matches(request))) {
      this.#answered.splice(this.#answered.indexOf(waiting), 1)
      waiting.met()
    }
    if (fault?.cutAfterMs === undefined) return true
    if (fault.cutAfterMs !== null) setTimeout(cut, fault.cutAfterMs)
    fault.met()
    return false
  }
}

/** Splits a stream into messages, each with the four bytes of its length in front. */
function frames(take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  return chunk => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      take(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
  }
}

/** Forwards frames in order, each `delayMs` after it came, and not before `released`. */
function inOrder(delayMs: number, write: (frame: Buffer) => void) {
  let before = Promise.resolve()
  return (frame: Buffer, released = Promise.resolve()) => {
    const due = delayMs > 0 ? new Promise<void>(resolve => setTimeout(resolve, delayMs)) : null
    before = Promise.all([before, released, due]).then(() => write(frame))
  }
}

/** Request header, version 1: API key, API version, correlation id, client id. */
function requestOf(frame: Buffer): Request {
  const length = frame.readInt16BE(12)
  return { api: frame.readInt16BE(4), client: frame.toString('utf8', 14, 14 + length), bytes: frame.subarray(4) }
}
