import net, { type Socket } from 'node:net'
import type { ISocketFactory, logCreator as LogCreator } from 'kafkajs'
import type Cluster from 'kafkajs/src/cluster/index.js'
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'
import { printable } from '../support/printable.ts'

export function openSocket({ host, port, onConnect }: Parameters<ISocketFactory>[0]): Socket {
  const socket = net.connect({ host, port, noDelay: true }, onConnect)
  socket.setKeepAlive(true, 60_000)
  socket.setMaxListeners(0) // while it connects, each waiting request of KafkaJS adds a listener
  return socket
}

/** Ends the connections at once, with an error. KafkaJS alone would wait for the answer to a long fetch. */
export async function hangUp(cluster: Cluster, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy(new Error('the connection was closed'))
  await cluster.disconnect()
}

/** KafkaJS also logs errors that it retries, so it is silent unless KAFKAJS_LOG_LEVEL is set. */
export const logCreator: LogCreator = () => {
  if (!process.env['KAFKAJS_LOG_LEVEL']) return () => {}
  return ({ label, namespace, log }) =>
    process.stderr.write(printable(`kafkajs ${label} ${namespace} ${log.message}\n`))
}

let idleTimersStopped = false

/**
 * KafkaJS sets a timer after every answer, even if no request waits. An idle client then sets one each millisecond, with a
 * negative time that Node 24 warns about. We set none unless a request waits.
 */
export function stopIdleTimers(): void {
  if (idleTimersStopped) return
  idleTimersStopped = true
  const schedule = RequestQueue.prototype.scheduleCheckPendingRequests
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}
