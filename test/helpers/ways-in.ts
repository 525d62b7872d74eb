/** Every way into a secured broker: where to connect, and the properties of the client. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inProperty, KEY_PASSWORD, STORE_PASSWORD } from './certificates.ts'
import { type Listener, PASSWORD, type SecuredBroker, USER } from './secured-broker.ts'
import { tokenEndpoint } from './token-endpoint.ts'
import { unsecuredToken } from './unsecured-token.ts'

export interface WayIn {
  readonly name: string
  readonly brokers: string
  readonly properties: Readonly<Record<string, string>>
}

/** The secret of the client of the token endpoint. It needs escapes in a URL. */
const CLIENT_SECRET = 'client & secret: +%'

export async function waysIn(secured: SecuredBroker, closing: (close: () => void) => void): Promise<WayIn[]> {
  const { authority, client } = secured
  const { ca, folder } = authority
  const way = (name: string, listener: Listener, properties: Record<string, string>): WayIn => ({
    name,
    brokers: secured.address(listener),
    properties,
  })
  const tls = { 'security.protocol': 'SSL', 'ssl.ca.location': ca }
  const login = (mechanism: string) => ({ ...tls, 'security.protocol': 'SASL_SSL', 'sasl.mechanism': mechanism })
  const password = { 'sasl.username': USER, 'sasl.password': PASSWORD }
  const pem = { 'ssl.certificate.location': client.cert, 'ssl.key.location': client.key }
  const tokens = join(folder, 'token')
  writeFileSync(tokens, unsecuredToken(USER, 3600))
  const credentials = { clientId: 'rowmill', clientSecret: CLIENT_SECRET }
  const endpoint = await tokenEndpoint(closing, { ...credentials, token: () => unsecuredToken(USER, 3600) })
  return [
    way('TLS with an authority in a file', 'TLS', tls),
    way('TLS with PEM in the properties', 'MUTUAL', {
      'security.protocol': 'SSL',
      'ssl.truststore.certificates': inProperty(ca),
      'ssl.keystore.certificate.chain': inProperty(client.cert),
      'ssl.keystore.key': inProperty(client.key),
    }),
    way('mutual TLS with PEM files', 'MUTUAL', { ...tls, ...pem }),
    way('mutual TLS with an encrypted key', 'MUTUAL', {
      ...{ ...tls, ...pem, 'ssl.key.location': authority.encrypted(client.key) },
      'ssl.key.password': KEY_PASSWORD,
    }),
    way('mutual TLS with PKCS#12', 'MUTUAL', {
      ...tls,
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.location': client.store,
      'ssl.keystore.password': STORE_PASSWORD,
    }),
    ...['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'].map(mechanism =>
      way(mechanism, 'LOGIN', { ...login(mechanism), ...password }),
    ),
    way('OAUTHBEARER from a file', 'LOGIN', {
      ...login('OAUTHBEARER'),
      'sasl.oauthbearer.token.endpoint.url': `file://${tokens}`,
    }),
    way('OAUTHBEARER from a command', 'LOGIN', {
      ...login('OAUTHBEARER'),
      'rowmill.token.command': `cat '${tokens}'`,
    }),
    way('OAUTHBEARER from an endpoint', 'LOGIN', {
      ...login('OAUTHBEARER'),
      'sasl.oauthbearer.token.endpoint.url': endpoint,
      'sasl.oauthbearer.client.id': credentials.clientId,
      'sasl.oauthbearer.client.secret': credentials.clientSecret,
    }),
  ]
}

/** Properties as a file for --command-config holds them. */
export function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')
}
