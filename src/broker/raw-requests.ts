import { connect, type Socket } from 'node:net'
import { type BrokerLogin, MECHANISM } from './broker-login.ts'

const ANSWER_MS = 5_000
export const CLIENT_ID = 'rowmill-broker'

/** An API of the Kafka protocol guide, in a version without tagged fields. */
export interface Api {
  readonly key: number
  readonly version: number
}

const SASL_HANDSHAKE: Api = { key: 17, version: 1 }
const SASL_AUTHENTICATE: Api = { key: 36, version: 0 }

/** A broker on a port of 127.0.0.1. */
export interface BrokerDoor {
  readonly port: number
  /** Null: it is open to all. */
  readonly login: BrokerLogin | null
}

/**
 * Logs in on a new connection, and sends one request, without the client of Kafka, which takes longer to load than this takes.
 * Returns the answer without its size and correlation id. Rejects if none comes.
 */
export function ask({ port, login }: BrokerDoor, api: Api, body: Buffer, signal?: AbortSignal): Promise<Buffer> {
  return exchange(port, [...loginRequests(login), request(api, body)], signal)
}

/** A string of the Kafka protocol. */
export function text(value: string): Buffer {
  const body = Buffer.from(value)
  const length = Buffer.alloc(2)
  length.writeInt16BE(body.length)
  return Buffer.concat([length, body])
}

/** A number of four bytes. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function request(api: Api, body: Buffer): Buffer {
  const client = text(CLIENT_ID)
  const head = Buffer.alloc(12)
  head.writeInt32BE(8 + client.length + body.length, 0)
  head.writeInt16BE(api.key, 4)
  head.writeInt16BE(api.version, 6)
  return Buffer.concat([head, client, body])
}

/** What a connection sends first: the mechanism, then user and password (RFC 4616). */
function loginRequests(login: BrokerLogin | null): Buffer[] {
  if (login === null) return []
  const token = Buffer.from(`\0${login.username}\0${login.password}`)
  const body = Buffer.concat([int32(token.length), token])
  return [request(SASL_HANDSHAKE, text(MECHANISM)), request(SASL_AUTHENTICATE, body)]
}

/**
 * Sends the requests on a new connection, all at once: the broker answers them in order, and hangs up if it refuses a
 * login. Returns the last answer without its size and correlation id.
 */
function exchange(port: number, requests: readonly Buffer[], signal: AbortSignal | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', ...(signal && { signal }) }, () =>
      socket.write(Buffer.concat(requests)),
    )
    let unread = Buffer.alloc(0)
    let waiting = requests.length
    const settle = (done: () => void) => {
      socket.destroy()
      done()
    }
    socket.setTimeout(ANSWER_MS, () => settle(() => reject(new Error('no answer'))))
    socket.on('error', error => settle(() => reject(error)))
    socket.on('close', () => reject(new Error('closed')))
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk])
      while (unread.length >= 4 && unread.length >= 4 + unread.readInt32BE(0)) {
        const end = 4 + unread.readInt32BE(0)
        const answer = unread.subarray(8, end)
        unread = unread.subarray(end)
        if (--waiting === 0) return settle(() => resolve(answer))
      }
    })
  })
}
