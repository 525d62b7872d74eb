import { isIPv4, isIPv6 } from 'node:net'

/**
 * Whether data for this host never leave this machine: `localhost`, or an address of the loopback interface. An IPv6 address may be
 * in brackets. A name such as `127.example.com` is not one of them: it can have any address.
 */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, '$1')
  if (isIPv4(plain)) return plain.startsWith('127.')
  return plain === 'localhost' || (isIPv6(plain) && /^(0*:)*:?0*1$/.test(plain))
}
