import { PASSWORD_MECHANISMS, type SaslSettings, type TokenSource } from '../kafka/security.ts'
import { type ClientProperties, refused } from './client-properties.ts'
import { type JaasEntry, parseJaas } from './jaas.ts'
import { tlsSettings } from './tls.ts'

const MECHANISMS = [...PASSWORD_MECHANISMS, 'OAUTHBEARER', 'AWS_MSK_IAM'] as const
const MECHANISM = ['sasl.mechanism', 'sasl.mechanisms'] as const

/**
 * How to log in: the properties of Java (`sasl.jaas.config`) and of librdkafka (`sasl.username`), and our own for what
 * neither has. Throws USAGE.
 */
export function saslSettings(given: ClientProperties): SaslSettings {
  const mechanism = given.parsed(MECHANISM, text => {
    const found = MECHANISMS.find(known => known === text.toUpperCase())
    // GSSAPI is worth naming. Anything longer may be the rest of a line that was pasted wrongly, with a secret.
    if (!found)
      throw new Error(
        `${/^[\w-]{1,20}$/.test(text) ? text : 'this'} is not supported. It must be one of ${MECHANISMS.join(', ')}`,
      )
    return found
  })
  if (mechanism === null) {
    const protocol = given.find('security.protocol')!
    throw refused(protocol, `it also needs sasl.mechanism: one of ${MECHANISMS.join(', ')}`)
  }
  const jaas = given.parsed(['sasl.jaas.config'], parseJaas)
  if (mechanism === 'AWS_MSK_IAM') return { mechanism: 'OAUTHBEARER', token: awsToken(given, jaas) }
  if (mechanism === 'OAUTHBEARER') return { mechanism, ...bearer(given, jaas) }
  const username = ofLogin('username', given, jaas)
  const password = ofLogin('password', given, jaas)
  if (username === undefined || password === undefined) {
    const lacks = username === undefined ? 'user name' : 'password'
    const how =
      'Give sasl.username and sasl.password, or both in sasl.jaas.config. If they were in ROWMILL_PROPERTY, set it again'
    throw refused(given.find(...MECHANISM)!, `${mechanism} needs a ${lacks}. ${how}`)
  }
  return { mechanism, username, password }
}

/** From the dialect of Java or of librdkafka. If both have it, the later one wins. */
function ofLogin(name: string, given: ClientProperties, jaas: JaasEntry | null): string | undefined {
  const own = given.find(`sasl.${name}`)
  const inJaas = jaas?.options[name]
  const isLater = given.find(`sasl.${name}`, 'sasl.jaas.config') === own
  return isLater ? (own?.value ?? inJaas) : (inJaas ?? own?.value)
}

function awsToken(given: ClientProperties, jaas: JaasEntry | null): TokenSource {
  return {
    from: 'aws',
    region: given.text('rowmill.aws.region'),
    profile: jaas?.options['awsProfileName'] ?? null,
    role: jaas?.options['awsRoleArn'] ?? null,
  }
}

function bearer(
  given: ClientProperties,
  jaas: JaasEntry | null,
): { token: TokenSource; extensions?: Record<string, string> } {
  const extensions = extensionsOf(given, jaas)
  return { token: tokenSource(given, jaas), ...(Object.keys(extensions).length > 0 ? { extensions } : {}) }
}

function tokenSource(given: ClientProperties, jaas: JaasEntry | null): TokenSource {
  const command = given.text('rowmill.token.command')
  if (command !== null) return { from: 'command', command }
  const endpoint = given.find('sasl.oauthbearer.token.endpoint.url')
  if (!endpoint) {
    const how =
      'Give sasl.oauthbearer.token.endpoint.url (https://..., or file:///PATH for a file that holds the token), ' +
      'or rowmill.token.command'
    throw refused(given.find(...MECHANISM)!, `OAUTHBEARER needs a token. ${how}`)
  }
  const url = given.parsed([endpoint.name], parseEndpoint)!
  if (url.protocol === 'file:') return { from: 'file', file: decodeURIComponent(url.pathname) }
  const clientId = given.text('sasl.oauthbearer.client.credentials.client.id', 'sasl.oauthbearer.client.id')
  const clientSecret = given.text('sasl.oauthbearer.client.credentials.client.secret', 'sasl.oauthbearer.client.secret')
  const id = clientId ?? jaas?.options['clientId']
  const secret = clientSecret ?? jaas?.options['clientSecret']
  if (!id || !secret) {
    const names = 'sasl.oauthbearer.client.id and sasl.oauthbearer.client.secret'
    throw refused(endpoint, `the endpoint asks for client credentials. Give ${names}, or both in sasl.jaas.config`)
  }
  const scope = given.text('sasl.oauthbearer.scope') ?? jaas?.options['scope'] ?? null
  return {
    from: 'endpoint',
    url: url.href,
    clientId: id,
    clientSecret: secret,
    scope,
    ca: tlsSettings(given).ca ?? null,
  }
}

function parseEndpoint(text: string): URL {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:', 'file:'].includes(url.protocol))
    throw new Error('it must be an https:// address, or file:///PATH for a file that holds the token')
  return url
}

/** What the login sends beside the token, such as the logical cluster of Confluent Cloud. */
function extensionsOf(given: ClientProperties, jaas: JaasEntry | null): Record<string, string> {
  const fromJaas = Object.entries(jaas?.options ?? {})
    .filter(([name]) => name.startsWith('extension_'))
    .map(([name, value]) => [name.slice('extension_'.length), value] as const)
  const listed = given.parsed(['sasl.oauthbearer.extensions'], text =>
    text.split(',').map(pair => {
      const equals = pair.indexOf('=')
      if (equals < 1) throw new Error('it must be NAME=VALUE, with commas between')
      return [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()] as const
    }),
  )
  return Object.fromEntries([...fromJaas, ...(listed ?? [])])
}
