import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below the ports that rowmill chooses, so below those that systems give to outgoing connections too. */
const LOWEST_PORT = 10_000
const HIGHEST_PORT = 20_000

/**
 * A free port of 127.0.0.1 for a listener that comes later, or never. Many test files run at once, so this process keeps
 * the UDP port of the same number until it ends. Another process that asks for a port cannot get that one too.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT)
    if ((await keepUdp(port)) && (await isFree(port))) return port
  }
}

function keepUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4').unref()
  socket.bind({ port, address: '127.0.0.1', exclusive: true })
  return once(socket, 'listening').then(
    () => true,
    () => false,
  )
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  server.listen({ port, host: '127.0.0.1', exclusive: true })
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
