import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect } from 'node:net'

/** How long one address has to accept a connection. */
const CONNECT_MS = 5000

export interface Address {
  readonly host: string
  readonly port: number
}

/** `HOST:PORT`, or `[IPv6]:PORT`. */
export function splitAddress(address: string): Address {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) }
}

/** Why an address cannot be reached, with the cure. */
export interface Unreachable {
  readonly why: string
  readonly cure: string
}

/** Resolves a name and connects to its port. Returns the IP addresses of the name, or why that fails. */
export async function reach(address: string, signal: AbortSignal): Promise<readonly string[] | Unreachable> {
  const { host, port } = splitAddress(address)
  let ips: string[]
  try {
    ips = (await lookup(host, { all: true })).map(found => found.address)
  } catch (error) {
    const why = `the name ${host} has no address (${(error as NodeJS.ErrnoException).code})`
    return { why, cure: 'correct the name, or add it to DNS or /etc/hosts' }
  }
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]) })
    return ips
  } catch (error) {
    return describe(error as NodeJS.ErrnoException, ips)
  } finally {
    socket.destroy()
  }
}

function describe({ name, code = '', message }: NodeJS.ErrnoException, ips: readonly string[]): Unreachable {
  const at = ips.join(', ')
  if (name === 'AbortError')
    return { why: `${at} does not answer`, cure: 'look for a firewall or a security group on the way' }
  if (code === 'ECONNREFUSED')
    return { why: `nothing listens there (${at})`, cure: 'start the broker, or correct the port' }
  return { why: `${at}: ${message}`, cure: 'look at the network between this machine and the broker' }
}
