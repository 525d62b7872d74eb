import { RowmillError } from '../../src/errors.ts'

export interface TcpAddress {
  readonly host: string
  readonly port: number
}

const SCHEME = 'tcp://'
const ADDRESS = /^tcp:\/\/(\[[0-9A-Fa-f:.%]+\]|[^:/[\]]*):(\d{1,5})$/

/**
 * Host and port of `tcp://HOST:PORT`, or null for text that does not begin so. Without HOST it is 127.0.0.1. Throws USAGE
 * for an address that nobody can use.
 */
export function tcpAddress(text: string): TcpAddress | null {
  if (!text.startsWith(SCHEME)) return null
  const [, host, port] = ADDRESS.exec(text) ?? []
  if (host === undefined || Number(port) > 65_535) {
    const message = `${text}: give tcp://HOST:PORT with a port up to 65535, such as tcp://127.0.0.1:5001`
    throw new RowmillError('USAGE', message, { address: text })
  }
  return { host: host.replace(/^\[|\]$/g, '') || '127.0.0.1', port: Number(port) }
}

export function describeAddress({ host, port }: TcpAddress): string {
  return `${SCHEME}${host.includes(':') ? `[${host}]` : host}:${port}`
}
