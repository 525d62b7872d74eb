import type { ClientLimits } from '../kafka/limits.ts'
import type { ClusterSecurity } from '../kafka/security.ts'
import { COMPRESSIONS, type Compression } from '../options.ts'
import { nearest } from '../support/nearest.ts'
import { checkAddress } from '../support/parse-value.ts'
import { type ClientProperties, type Property, refused } from './client-properties.ts'
import { KNOWN_NAMES } from './known-names.ts'
import { saslSettings } from './sasl.ts'
import { tlsSettings } from './tls.ts'

/** What the properties of a Kafka client say, as far as it concerns us. */
export interface ClientConfig extends ClusterSecurity {
  /** `host:port` of each. Null: not said. */
  readonly brokers: readonly string[] | null
  /** Only what was said. */
  readonly limits: ClientLimits
  /** Null: not said. */
  readonly compression: Compression | null
  /** Where a schema registry is, and `USER:PASSWORD` for it. Null: not said. */
  readonly registry: { readonly url: string; readonly userinfo: string | null } | null
}

const PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
const BROKERS = ['bootstrap.servers', 'metadata.broker.list']

/** Reads the properties of a client, in the dialects of Java and of librdkafka. Throws USAGE, which shows no value. */
export function clientConfig(given: ClientProperties): ClientConfig {
  refuseProviders(given)
  refuseJoined(given)
  const protocol = given.parsed(['security.protocol'], text => {
    const found = PROTOCOLS.find(known => known === text.toUpperCase())
    if (!found) throw new Error(`it must be one of ${PROTOCOLS.join(', ')}`)
    return found
  })
  if (protocol === null) requireProtocol(given)
  return {
    brokers: given.parsed(BROKERS, parseBrokers),
    tls: protocol?.endsWith('SSL') ? tlsSettings(given) : null,
    sasl: protocol?.startsWith('SASL') ? saslSettings(given) : null,
    limits: limitsOf(given),
    compression: given.parsed(['compression.type', 'compression.codec'], parseCodec),
    registry: registryOf(given),
  }
}

/** What to say of each property that no Kafka client knows, with what was probably meant. */
export function unknownProperties(given: ClientProperties): { property: Property; message: string }[] {
  return [...given]
    .filter(({ name }) => !KNOWN_NAMES.has(name))
    .map(property => ({ property, message: `${property.where}: ${unknown(property.name)}` }))
}

/** The text of a line that is no property may be the rest of a secret, such as a line of a key. So we do not show it. */
function unknown(name: string): string {
  const near = name === '' ? null : nearest(name, KNOWN_NAMES)
  const isName = near !== null || (name.length < 80 && /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+$/.test(name))
  if (!isName)
    return 'this is not NAME=VALUE with the name of a property. If it belongs to the line before, end that with a backslash'
  return `no Kafka client has a property ${name}${near ? `. Did you mean ${near}?` : ''}`
}

/** What a provider of Java, such as FileConfigProvider, would replace. Only the known ones may be a part of a value. */
const PROVIDED = /^\$\{[a-z]\w*:.*\}$|\$\{(?:file|env|dir|directory):[^}]*\}/is

function refuseProviders(given: ClientProperties): void {
  for (const property of given)
    if (PROVIDED.test(property.value.trim()))
      throw refused(
        property,
        'a config provider of Java, such as file or env, is not supported. Give the value itself, in a file of mode 0600 or in ROWMILL_PROPERTY',
      )
}

/** Such as `PLAIN` and `sasl.password=secret` in one value, because a backslash ends a line. No message may show that value. */
function refuseJoined(given: ClientProperties): void {
  for (const property of given)
    for (const [name] of property.value.matchAll(/[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)+(?=\s*[=:])/gi)) {
      const other = [...KNOWN_NAMES].find(known => known.includes('.') && name.endsWith(known))
      if (other)
        throw refused(
          property,
          `its value also holds ${other}. Does a backslash join their lines? End the first line without one`,
        )
    }
}

/** Without security.protocol a client uses neither TLS nor SASL, which is hardly what somebody with a password wants. */
function requireProtocol(given: ClientProperties): void {
  const secure = given.find('sasl.mechanism', 'sasl.mechanisms', 'sasl.jaas.config', 'sasl.username')
  if (secure) throw refused(secure, 'it has no effect without security.protocol=SASL_SSL (or SASL_PLAINTEXT)')
}

/** Like Java, takes a comma at the end. */
function parseBrokers(text: string): string[] {
  const addresses = text.replace(/\s*,$/, '').split(',')
  return addresses.map(address => checkAddress(withoutScheme(address.trim())))
}

/** librdkafka also takes SSL://HOST:PORT. */
function withoutScheme(address: string): string {
  return address.replace(/^[A-Z_]+:\/\//i, '')
}

function parseCodec(text: string): Compression {
  const found = COMPRESSIONS.find(codec => codec === text.toLowerCase())
  if (!found) throw new Error(`it must be one of ${COMPRESSIONS.join(', ')}`)
  return found
}

function limitsOf(given: ClientProperties): ClientLimits {
  const ms = (...names: string[]) => given.whole(names, 1) ?? undefined
  return withoutUndefined({
    clientId: given.text('client.id') ?? undefined,
    rack: given.text('client.rack') ?? undefined,
    connectionTimeoutMs: ms('socket.connection.setup.timeout.ms'),
    requestTimeoutMs: ms('request.timeout.ms', 'socket.timeout.ms'),
    metadataMaxAgeMs: ms('metadata.max.age.ms', 'topic.metadata.refresh.interval.ms'),
    connectionsMaxIdleMs: ms('connections.max.idle.ms'),
    sessionTimeoutMs: ms('session.timeout.ms'),
    rebalanceTimeoutMs: ms('max.poll.interval.ms'),
    retryBackoffMs: ms('retry.backoff.ms'),
    retryBackoffMaxMs: ms('retry.backoff.max.ms'),
    maxRequestBytes: ms('max.request.size', 'message.max.bytes'),
    fetchMaxBytes: ms('fetch.max.bytes'),
    maxPartitionFetchBytes: ms('max.partition.fetch.bytes', 'fetch.message.max.bytes'),
    reconnectBackoffMs: ms('reconnect.backoff.ms'),
    reconnectBackoffMaxMs: ms('reconnect.backoff.max.ms'),
    retries: given.whole(['retries', 'message.send.max.retries'], 0) ?? undefined,
  })
}

function withoutUndefined<T extends object>(values: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T
}

function registryOf(given: ClientProperties): ClientConfig['registry'] {
  const url = given.text('schema.registry.url')
  if (url === null) return null
  const userinfo = given.text('basic.auth.user.info', 'schema.registry.basic.auth.user.info')
  return { url, userinfo }
}
