import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import { type AddressInfo, isIPv6, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { RowmillError } from '../errors.ts'
import type { Say } from '../support/say.ts'
import { type Caller, Doorkeeper } from './doorkeeper.ts'

/** An import of node:http would also load its WebSocket, with a whole HTTP client: 30 ms of CPU time and 14 MB instead of 4 and 3. */
const { createServer } = process.getBuiltinModule('node:http')

/** A request has at most this many bytes of headers. It needs no more, and a stranger can send them. */
const MOST_HEADER_BYTES = 8 * 1024
const MOST_CONNECTIONS = 64
/** A client that has not sent its request after this long is cut off. */
const REQUEST_MS = 10_000
/** Node looks for such clients this often. */
const CHECK_MS = 1_000
/** A connection on which nothing moves for this long is ended. A stream of events sends something more often. */
const IDLE_MS = 60_000
/** What still runs when the server closes has this long to end. */
const CLOSING_MS = 300

/** Nothing is kept by a browser or a proxy, guessed to be of another type, or read by the page of another site. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
}

/** What one path answers. HEAD is answered too, without the body. */
export interface Route {
  readonly method: 'GET'
  /** The whole path, such as `/metrics`. */
  readonly path: string
  /** Whether it is also answered without the token. Then `isTrusted` says how much it may tell. Default: no. */
  readonly isOpen?: boolean
  /** Throws nothing that a client could cause: an error is logged, and answered with 500. */
  answer(request: MonitorRequest): RouteAnswer | Promise<RouteAnswer>
}

export interface MonitorRequest extends Caller {
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Aborts when the client is gone, and when the server closes. */
  readonly signal: AbortSignal
}

export interface RouteAnswer {
  /** Default: 200. */
  readonly status?: number
  /** A list has a line for each. Default: plain text in UTF-8, and nothing is cached. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /**
   * The pieces of a stream are sent as they come, and no faster than the client takes them. It must end when the signal of
   * its request aborts, and send a piece at least every 30 s.
   */
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>
}

export interface ServerOptions {
  /** A name or an IP address of this machine. */
  readonly address: string
  /** 0: any free one. */
  readonly port: number
  /** What a client has to know. Null: nothing. */
  readonly token: string | null
  /** Names by which clients may call this machine, besides `localhost` and its IP addresses. */
  readonly names: readonly string[]
  readonly routes: readonly Route[]
  readonly say: Say
}

/** Answers requests over HTTP until it is closed. It only shows, so there is no other method than GET and HEAD. */
export interface MonitorServer {
  /** Such as `http://127.0.0.1:7696`. */
  readonly url: string
  readonly port: number
  /** From now on these are answered too. */
  add(routes: readonly Route[]): void
  /** Ends every stream and every connection. Resolves within a moment. */
  close(): Promise<void>
}

/** Listens. Throws PORT_UNUSABLE. */
export async function openServer({ address, port, token, names, routes, say }: ServerOptions): Promise<MonitorServer> {
  const table = new Map(routes.map(route => [route.path, route]))
  const stop = new AbortController()
  const doorkeeper = new Doorkeeper({ token, names: [address, ...names] })
  const limits = {
    maxHeaderSize: MOST_HEADER_BYTES,
    headersTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: CHECK_MS,
  }
  const server = createServer(limits, (request, response) => {
    const gone = new AbortController()
    response.on('error', () => {}) // the client is gone
    response.on('close', () => gone.abort())
    const signal = AbortSignal.any([stop.signal, gone.signal])
    void answerTo(request, { table, doorkeeper, signal })
      .catch(error => {
        say(`cannot answer ${request.method} ${request.url}: ${error.message}`)
        return plain(500, 'rowmill cannot answer this: its log says why')
      })
      .then(answer => send(response, answer))
  })
  boundConnections(server)
  server.timeout = IDLE_MS
  await listen(server, address, port)
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://${isIPv6(address) ? `[${address}]` : address}:${bound}`,
    port: bound,
    add: more => {
      for (const route of more) table.set(route.path, route)
    },
    close: async () => {
      if (!server.listening) return
      stop.abort()
      const closed = once(server, 'close')
      server.close()
      const timer = setTimeout(() => server.closeAllConnections(), CLOSING_MS)
      await closed.finally(() => clearTimeout(timer))
    },
  }
}

/** Where too many connections are open, the one without a request for longest is ended, so that a probe gets through. */
function boundConnections(server: Server): void {
  const idle = new Set<Socket>()
  let open = 0
  server.on('connection', (socket: Socket) => {
    open++
    idle.add(socket)
    socket.once('close', () => {
      open--
      idle.delete(socket)
    })
    if (open > MOST_CONNECTIONS) idle.values().next().value?.destroy()
  })
  server.on('request', ({ socket }, response) => {
    idle.delete(socket)
    response.once('close', () => {
      if (!socket.destroyed) idle.add(socket)
    })
  })
}

async function listen(server: Server, address: string, port: number): Promise<void> {
  server.listen({ host: address, port, exclusive: true })
  try {
    await once(server, 'listening')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new RowmillError(
      'PORT_UNUSABLE',
      `cannot listen on port ${port} of ${address}: ${WHY[code ?? ''] ?? `${message}. Choose another address or port`}`,
      { address, port },
      { cause },
    )
  }
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there. Choose another port, or 0 for any free one',
  EACCES: 'this user may not. Choose a port above 1023, or 0 for any free one',
  EADDRNOTAVAIL: 'this machine does not have the address. Choose one that it has, or 0.0.0.0 for all of them',
  ENOTFOUND: 'nobody knows the name. Choose an address of this machine, or 0.0.0.0 for all of them',
}

interface Parts {
  readonly table: ReadonlyMap<string, Route>
  readonly doorkeeper: Doorkeeper
  readonly signal: AbortSignal
}

async function answerTo(request: IncomingMessage, { table, doorkeeper, signal }: Parts): Promise<RouteAnswer> {
  const { method = '', url = '', headers } = request
  const refusal = doorkeeper.refusalOf(headers)
  if (refusal !== null) return plain(403, refusal)
  const [path, search = ''] = url.split('?', 2) as [string, string?]
  const route = table.get(path)
  const isTrusted = doorkeeper.trusts(headers)
  if (!isTrusted && !route?.isOpen) return unauthorized()
  if (!route) return plain(404, `nothing is at ${path}. There is ${[...table.keys()].join(', ')}`)
  if (method !== 'GET' && method !== 'HEAD') return plain(405, `${path} takes GET and HEAD`, { Allow: 'GET, HEAD' })
  return await route.answer({ isTrusted, query: new URLSearchParams(search), headers, signal })
}

function unauthorized(): RouteAnswer {
  const text =
    'this takes the token of --metrics-token-file, as Authorization: Bearer TOKEN or as the password of any user'
  // Chromium reads one way to log in from each line, and asks the person only if it finds Basic.
  const ways = ['Basic realm="rowmill", charset="UTF-8"', 'Bearer realm="rowmill"']
  return plain(401, text, { 'WWW-Authenticate': ways })
}

/** An answer of one line of text. */
export function plain(status: number, text: string, headers: NonNullable<RouteAnswer['headers']> = {}): RouteAnswer {
  return { status, headers, body: `${text}\n` }
}

async function send(response: ServerResponse, { status = 200, headers = {}, body }: RouteAnswer): Promise<void> {
  const isWhole = typeof body === 'string' || body instanceof Uint8Array
  const length = isWhole ? { 'Content-Length': Buffer.byteLength(body) } : {}
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...HEADERS, ...headers, ...length })
  if (isWhole || response.req.method === 'HEAD') {
    response.end(isWhole ? body : undefined)
    return
  }
  response.flushHeaders() // the first piece may come much later
  await pipeline(Readable.from(body), response).catch(() => {}) // the client is gone
}
