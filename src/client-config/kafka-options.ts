import { RowmillError } from '../errors.ts'
import type { ClusterSettings } from '../kafka/cluster-settings.ts'
import type { ClusterSecurity, SaslSettings, TlsSettings } from '../kafka/security.ts'
import { checkAddress } from '../support/parse-value.ts'
import { checkKeys, checkSasl, checkSsl } from './check-security.ts'
import { clientConfig, unknownProperties } from './client-config.ts'
import { ClientProperties } from './client-properties.ts'

/** Which cluster, and how to reach it. Programs of the SDK give it, and so do the options of the command line. */
export interface KafkaOptions {
  /** `host:port` of one or more brokers. Default: the property `bootstrap.servers`. */
  readonly brokers?: readonly string[] | null
  /** TLS. `true`: with the authorities of Node. Default: what the properties say. */
  readonly ssl?: boolean | TlsSettings
  /** The login. Default: what the properties say. */
  readonly sasl?: SaslSettings
  /** Properties as Java clients or librdkafka know them: `security.protocol`, `sasl.mechanism`, `request.timeout.ms`, ... */
  readonly properties?: Readonly<Record<string, string>>
  /** Whether to log in without TLS at hosts other than this one. Default: no. */
  readonly allowSaslWithoutTls?: boolean
}

const KEYS: readonly (keyof KafkaOptions)[] = ['brokers', 'ssl', 'sasl', 'properties', 'allowSaslWithoutTls']

/** The same, checked and complete. Throws USAGE, which shows no secret. */
export function clusterSettings(options: KafkaOptions): ClusterSettings {
  checkKeys('it', options, KEYS)
  const { properties = {}, ssl, sasl, allowSaslWithoutTls = false } = options
  const given = Object.entries(properties).map(([name, value]) => ({ name, value: String(value), where: 'properties' }))
  const client = new ClientProperties(given)
  const [unknown] = unknownProperties(client)
  if (unknown) throw new RowmillError('USAGE', unknown.message)
  const config = clientConfig(client)
  const brokers = options.brokers?.map(checkBroker) ?? config.brokers
  if (!brokers?.length) throw new RowmillError('USAGE', "which Kafka? Give brokers: ['HOST:PORT', ...]")
  const security: ClusterSecurity = {
    tls: ssl === undefined ? config.tls : tlsOf(checkSsl(ssl)),
    sasl: sasl ? checkSasl(sasl) : config.sasl,
    allowSaslWithoutTls,
  }
  return { brokers, security, limits: config.limits }
}

function tlsOf(ssl: boolean | TlsSettings): TlsSettings | null {
  return ssl === true ? {} : ssl || null
}

function checkBroker(address: string): string {
  try {
    return checkAddress(address)
  } catch (cause) {
    throw new RowmillError('USAGE', `brokers ${JSON.stringify(address)}: ${(cause as Error).message}`, {}, { cause })
  }
}
