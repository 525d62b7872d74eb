import { connect as connectPlain, type Socket } from 'node:net'
import type { ISocketFactory } from 'kafkajs'
import type Cluster from 'kafkajs/src/cluster/index.js'
import Connection from 'kafkajs/src/network/connection.js'
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'
import { RowmillError } from '../errors.ts'
import { isLoopback } from '../support/loopback.ts'
import { contactOf } from './contact.ts'
import { isFramed, sendFrame } from './framed-request.ts'
import { IncomingAnswers } from './incoming-answers.ts'
import { refusalOf } from './refusal.ts'
import { type ClusterSecurity, OPEN } from './security.ts'
import { nodeTls, tlsOptions } from './tls.ts'

const KEEP_ALIVE_MS = 60_000
/** How many bytes a socket reads at a time. */
const READ_BYTES = 64 * 1024

/** Opens a socket to one broker, with TLS if the cluster has it. */
export function openSocket(
  { host, port, onConnect }: Parameters<ISocketFactory>[0],
  { tls, sasl, allowSaslWithoutTls }: ClusterSecurity = OPEN,
): Socket {
  if (sasl && !tls && !allowSaslWithoutTls && !isLoopback(host)) throw saslWithoutTls(host)
  // Node would read into new memory each time. Listeners to 'data' copy what they keep.
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const callback = (bytes: number): boolean => {
    socket.emit('data', buffer.subarray(0, bytes))
    return true
  }
  const at = { port, onread: { buffer, callback } }
  const socket: Socket = tls
    ? nodeTls().connect({ ...tlsOptions(host, tls), ...at }, onConnect)
    : connectPlain({ host, ...at }, onConnect)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  socket.setMaxListeners(0) // while it connects, each waiting request of KafkaJS adds a listener
  return socket
}

/** USAGE: a login that everybody on the way could read. */
export function saslWithoutTls(host: string): RowmillError {
  const message =
    `a login at ${host} without TLS shows the password and all rows to everybody on the way. ` +
    'Give security.protocol=SASL_SSL. If the network is trusted, give --allow-sasl-without-tls (in the SDK allowSaslWithoutTls)'
  return new RowmillError('USAGE', message, { host })
}

/** Ends the connections at once, with an error. KafkaJS alone would wait for the answer to a long fetch. */
export async function hangUp(cluster: Cluster, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy(new Error('the connection was closed'))
  await cluster.disconnect()
}

let isMended = false

/** Changes to how KafkaJS connects. To be called before the first connection. May be called more than once. */
export function mendConnections(): void {
  if (isMended) return
  isMended = true
  stopIdleTimers()
  explainRefusedConnections()
  writeFrames()
  readAnswers()
  endSilentConnections()
}

/**
 * KafkaJS sets a timer after every answer, even if no request waits. An idle client then sets one each millisecond, with a
 * negative time that Node 24 warns about. We set none unless a request waits.
 */
function stopIdleTimers(): void {
  const schedule = RequestQueue.prototype.scheduleCheckPendingRequests
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}

/**
 * KafkaJS retries a connection that TLS refuses, although no retry can help. Of an address that the cluster advertised, it
 * does not say where that is from. And it knows no limit for all attempts together, so the contact does.
 */
function explainRefusedConnections(): void {
  const connect = Connection.prototype.connect
  Connection.prototype.connect = async function (this: Connection) {
    if (this.isConnected()) return true
    try {
      const connecting = () => connect.call(this)
      return await (contactOf(this)?.connecting(connecting) ?? connecting())
    } catch (error) {
      if (refusalOf(error)) throw Object.assign(error as Error, { retriable: false })
      const said = (error as Error).message.replace(/^Connection error: /, '')
      const message = this.socketFactory.describe(this, said) ?? (error as Error).message
      throw Object.assign(error as Error, { message })
    }
  }
}

/** KafkaJS would copy a request of ours twice. */
function writeFrames(): void {
  const send = Connection.prototype.send
  Connection.prototype.send = function (this: Connection, call) {
    return isFramed(call) ? sendFrame(this, call) : send.call(this, call)
  }
}

/** By the socket, what came of the next answer. */
const incoming = new WeakMap<Socket, IncomingAnswers>()

/** KafkaJS keeps the pieces of an answer until it can join them. Ours lie in memory that the next piece overwrites. */
function readAnswers(): void {
  const processData = Connection.prototype.processData
  Connection.prototype.processData = function (this: Connection, data) {
    if (this.authHandlers) return processData.call(this, Buffer.from(data)) // a login at an old broker
    const socket = this.socket!
    const answers = incoming.get(socket) ?? new IncomingAnswers()
    incoming.set(socket, answers)
    try {
      for (const answer of answers.take(data)) this.requestQueue.fulfillRequest(answer)
    } catch (error) {
      socket.destroy(error as Error)
    }
  }
}

/** JoinGroup and SyncGroup: the broker answers when the whole group is there. Fetch: when there are messages. */
const LONG_POLLS = [1, 11, 14]

/**
 * KafkaJS keeps a connection on which a request timed out, and sends the next request there too. The broker may be gone
 * without a word, as after a firewall dropped the connection. So we end it, and the next request opens another one. Some
 * requests of KafkaJS, such as Produce, have a limit of their own. Ours wins if it is shorter.
 */
function endSilentConnections(): void {
  const send = Connection.prototype.send
  Connection.prototype.send = async function (this: Connection, call) {
    const mostMs = LONG_POLLS.includes(call.request.apiKey) ? Number.POSITIVE_INFINITY : this.requestTimeout
    const requestTimeout = Math.min(call.requestTimeout ?? this.requestTimeout, mostMs)
    const ask = () => send.call(this, { ...call, requestTimeout })
    // Before the login any broker answers, so such an answer does not end a silence.
    const isAnswer = !this.sasl || this.authenticatedAt !== null
    try {
      return await (contactOf(this)?.asking(ask, { isAnswer }) ?? ask())
    } catch (error) {
      if ((error as Error).name === 'KafkaJSRequestTimeoutError') this.socket?.destroy(error as Error)
      throw error
    }
  }
}
