import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What an endpoint does instead of giving a token: an answer, none at all, or the end of the connection. */
export type EndpointFault = { readonly status: number; readonly text: string } | 'silence' | 'hang-up'

interface EndpointOptions {
  readonly clientId: string
  readonly clientSecret: string
  readonly token: () => string
  /** Default: 300. */
  readonly lifeSeconds?: number
  /** Asked at each request. Null: all is well. */
  readonly fault?: () => EndpointFault | null
}

/**
 * The URL of an OpenID Connect endpoint that gives the answer of `token` to this client alone (client credentials, RFC 6749,
 * section 4.4).
 */
export async function tokenEndpoint(
  closing: (close: () => void) => void,
  { clientId, clientSecret, token, lifeSeconds = 300, fault = () => null }: EndpointOptions,
): Promise<string> {
  const login = [clientId, clientSecret].map(encodeURIComponent).join(':')
  const authorized = `Basic ${Buffer.from(login).toString('base64')}`
  const server = createServer(({ headers, socket }, answer) => {
    const wrong = fault()
    if (wrong === 'silence') return
    if (wrong === 'hang-up') {
      socket.destroy()
      return
    }
    const isKnown = headers.authorization === authorized
    answer.writeHead(wrong?.status ?? (isKnown ? 200 : 401), { 'content-type': 'application/json' })
    const given = isKnown ? { access_token: token(), expires_in: lifeSeconds } : { error: 'invalid_client' }
    answer.end(wrong?.text ?? JSON.stringify(given))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  closing(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
}
