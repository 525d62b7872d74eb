import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * The URL of an OpenID Connect endpoint that gives the answer of `token` to this client alone (client credentials, RFC 6749,
 * section 4.4).
 */
export async function tokenEndpoint(
  closing: (close: () => void) => void,
  { clientId, clientSecret, token }: { clientId: string; clientSecret: string; token: () => string },
): Promise<string> {
  const login = [clientId, clientSecret].map(encodeURIComponent).join(':')
  const authorized = `Basic ${Buffer.from(login).toString('base64')}`
  const server = createServer(({ headers }, answer) => {
    const isKnown = headers.authorization === authorized
    answer.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
    answer.end(JSON.stringify(isKnown ? { access_token: token(), expires_in: 300 } : { error: 'invalid_client' }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  closing(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
}
