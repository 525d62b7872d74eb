import net, { type Socket } from 'node:net'
import type { ISocketFactory, logCreator as LogCreator } from 'kafkajs'
import type Cluster from 'kafkajs/src/cluster/index.js'
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'
import { printable } from '../support/printable.ts'

export function openSocket({ host, port, onConnect }: Parameters<ISocketFactory>[0]): Socket {
  const socket = net.connect({ host, port, noDelay: true }, onConnect)
  socket.setKeepAlive(true, 60_000)
  socket.setMaxListeners(0) // while it connects, each request that KafkaJS has for it waits as a listener
  return socket
}

/** Ends the connections at once, with an error: else KafkaJS waits for the answer of a fetch that waits for messages. */
export async function hangUp(cluster: Cluster, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy(new Error('the connection was closed'))
  await cluster.disconnect()
}

/** KafkaJS logs errors that it then retries: silent unless KAFKAJS_LOG_LEVEL asks. */
export const logCreator: LogCreator = () => {
  if (!process.env['KAFKAJS_LOG_LEVEL']) return () => {}
  return ({ label, namespace, log }) =>
    process.stderr.write(printable(`kafkajs ${label} ${namespace} ${log.message}\n`))
}

let idleTimersStopped = false

/**
 * KafkaJS sets a timer after every answer, also when no request waits: on an idle client one a millisecond, and with a
 * negative time, of which Node 24 warns. Without a waiting request there is nothing to look after.
 */
export function stopIdleTimers(): void {
  if (idleTimersStopped) return
  idleTimersStopped = true
  const schedule = RequestQueue.prototype.scheduleCheckPendingRequests
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}
