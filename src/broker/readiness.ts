import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type BrokerLogin, MECHANISM } from './broker-login.ts'

const POLL_MS = 10
const ANSWER_MS = 5_000
/** API keys and versions of the Kafka protocol guide. Every Kafka since 2.1 serves both versions. */
const METADATA = { key: 3, version: 4 }
const FIND_COORDINATOR = { key: 10, version: 1 }
const SASL_HANDSHAKE = { key: 17, version: 1 }
const SASL_AUTHENTICATE = { key: 36, version: 0 }
const CLIENT_ID = 'rowmill-broker'

/** A broker that is starting on a port of 127.0.0.1. */
export interface StartingBroker {
  readonly port: number
  readonly clusterId: string
  /** Null: it is open to all. */
  readonly login: BrokerLogin | null
}

/**
 * Resolves when the broker on this port says that it is a member of the cluster `clusterId`: then topics can
 * be created and written. An open port alone proves less, since it may belong to another program.
 *
 * Then it asks once for a group coordinator, so that Kafka creates its offsets topic before the first member comes.
 * Rejects only with the reason of `signal`.
 */
export async function untilReady({ port, clusterId, login }: StartingBroker, signal: AbortSignal): Promise<void> {
  const ask = (message: Buffer) => exchange(port, [...loginRequests(login), message], signal).catch(() => null)
  for (;;) {
    signal.throwIfAborted()
    const answer = await ask(request(METADATA, metadataBody()))
    if (answer !== null && isMember(answer, clusterId)) break
    await delay(POLL_MS, undefined, { signal })
  }
  await ask(request(FIND_COORDINATOR, coordinatorBody()))
}

/** A cluster id in Kafka's format: 16 random bytes in URL-safe base64 that do not begin with a dash. */
export function newClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}

function request(api: { key: number; version: number }, body: Buffer): Buffer {
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
  const length = Buffer.alloc(4)
  length.writeInt32BE(token.length)
  return [request(SASL_HANDSHAKE, text(MECHANISM)), request(SASL_AUTHENTICATE, Buffer.concat([length, token]))]
}

/** The body of a request for no topics, which creates none. */
function metadataBody(): Buffer {
  return Buffer.alloc(5)
}

/** The coordinator of a group (type 0). */
function coordinatorBody(): Buffer {
  return Buffer.concat([text(CLIENT_ID), Buffer.alloc(1)])
}

function text(value: string): Buffer {
  const body = Buffer.from(value)
  const length = Buffer.alloc(2)
  length.writeInt16BE(body.length)
  return Buffer.concat([length, body])
}

/**
 * Sends the requests on a new connection, all at once: the broker answers them in order, and hangs up if it refuses a
 * login. Returns the last answer without its size and correlation id.
 */
function exchange(port: number, requests: readonly Buffer[], signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', signal }, () => socket.write(Buffer.concat(requests)))
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

/** Reads a metadata response, version 4: throttle time, brokers that are not fenced, cluster id, ... */
function isMember(answer: Buffer, clusterId: string): boolean {
  let at = 4
  const string = (): string | null => {
    const length = answer.readInt16BE(at)
    at += 2
    if (length < 0) return null
    at += length
    return answer.toString('utf8', at - length, at)
  }
  try {
    const brokers = answer.readInt32BE(at)
    at += 4
    for (let index = 0; index < brokers; index++) {
      at += 4
      string()
      at += 4
      string()
    }
    return brokers > 0 && string() === clusterId
  } catch {
    // The program that answered is not Kafka.
    return false
  }
}
