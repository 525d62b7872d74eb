import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { RowmillError } from '../errors.ts'
import type { BrokerPorts } from './jvm/broker-files.ts'

/**
 * Below the ports that systems give to outgoing connections (Linux from 32768, macOS from 49152): one of those may
 * take a port between our choice and Kafka's use, and a client that polls such a port before anyone listens there can
 * be connected to itself.
 */
const LOWEST_PORT = 20_000
const HIGHEST_PORT = 32_000
const TRIES = 100

/** Ports of 127.0.0.1 that are free now. Throws BROKER_FAILED when the wanted one is not. */
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
    const message = `the local Kafka cannot listen on port ${port} of 127.0.0.1: ${why}. Choose another, or none for a free one`
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
      const message = `no free port found on 127.0.0.1 in ${TRIES} tries: ${(cause as Error).message}. Name one`
      throw new RowmillError('BROKER_FAILED', message, {}, { cause })
    }
  }
}

/**
 * Whether `address` is one of this machine: only those can be listened on. Node's list of interfaces would not do, since
 * it leaves out those without a carrier, and Docker's bridge has none while no container runs.
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
