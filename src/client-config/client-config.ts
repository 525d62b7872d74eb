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
  const protocol = given.parsed(['security.protocol'], text => {
    const found = PROTOCOLS.find(known => known === text.toUpperCase())
    if (!found) throw new Error(`it must be one of ${PROTOCOLS.join(', ')}`)
    return found
  })
  if (protocol === null) requireProtocol(given)
  return {
    brokers: given.parsed(BROKERS, text => text.split(',').map(address => checkAddress(withoutScheme(address.trim())))),
    tls: protocol?.endsWith('SSL') ? tlsSettings(given) : null,
    sasl: protocol?.startsWith('SASL') ? saslSettings(given) : null,
    limits: limitsOf(given),
    compression: given.parsed(['compression.type', 'compression.codec'], parseCodec),
    registry: registryOf(given),
  }
}

/** The names that no Kafka client knows, each with what was probably meant. */
export function unknownProperties(given: ClientProperties): { property: Property; near: string | null }[] {
  return [...given]
    .filter(({ name }) => !KNOWN_NAMES.has(name))
    .map(property => ({ property, near: nearest(property.name, KNOWN_NAMES) }))
}

/** Without security.protocol a client uses neither TLS nor SASL, which is hardly what somebody with a password wants. */
function requireProtocol(given: ClientProperties): void {
  const secure = given.find('sasl.mechanism', 'sasl.mechanisms', 'sasl.jaas.config', 'sasl.username')
  if (secure) throw refused(secure, 'it has no effect without security.protocol=SASL_SSL (or SASL_PLAINTEXT)')
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
