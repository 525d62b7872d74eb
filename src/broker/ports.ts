import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { RowmillError } from '../errors.ts'
import type { BrokerPorts } from './jvm/broker-files.ts'

/**
 * Our range is below the ports that systems give to outgoing connections (Linux from 32768, macOS from 49152). Such a
 * connection could take our port before Kafka does, and a client that polls an unused port could connect to itself.
 */
const LOWEST_PORT = 20_000
const HIGHEST_PORT = 32_000
const TRIES = 100

/** Chooses free ports of 127.0.0.1. Throws BROKER_FAILED if the wanted one is not free. */
export async function choosePorts(wanted: number | undefined): Promise<BrokerPorts> {
  if (wanted !== undefined) await checkWanted(wanted)
  const broker = wanted ?? (await chooseFree([]))
  return { broker, controller: await chooseFree([broker]) }
}

async function checkWanted(port: number): Promise<void> {
  try {
    await listenOnce(port)
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'it is taken' : (cause as Error).message
    const message = `the local Kafka cannot listen on port ${port} of 127.0.0.1: ${why}. Choose another port, or omit it to get a free one`
    throw new RowmillError('BROKER_FAILED', message, { port }, { cause })
  }
}

async function chooseFree(taken: readonly number[]): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT)
    try {
      if (taken.includes(port)) continue
      await listenOnce(port)
      return port
    } catch (cause) {
      if (tries < TRIES) continue
      const message = `found no free port on 127.0.0.1 in ${TRIES} tries: ${(cause as Error).message}. Name one`
      throw new RowmillError('BROKER_FAILED', message, {}, { cause })
    }
  }
}

/**
 * Whether `address` belongs to this machine: we try to listen on it. Node's list of interfaces is not enough, since it
 * omits interfaces without a carrier, and Docker's bridge has no carrier while no container runs.
 */
export function isThisMachine(address: string): Promise<boolean> {
  return listenOnce(0, address).then(
    () => true,
    () => false,
  )
}

function listenOnce(port: number, host = '127.0.0.1'): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve()))
  })
}
