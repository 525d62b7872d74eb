import type { Socket } from 'node:net'

/** Closes a connection so that the other side sees a reset, and does not take it for the end of the job. */
export function abandon(socket: Socket): void {
  // After `end` a reset is no longer possible, and Node would throw.
  if (socket.connecting || socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
