/** A broker with a listener for each way to secure one. */

import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { choosePorts } from '../../src/broker/ports.ts'
import type { LocalBroker } from '../../src/broker/running-broker.ts'
import { Authority, type Certificate, STORE_PASSWORD } from './certificates.ts'
import { scramUser } from './scram-user.ts'

/** The protocol of each listener. `SHORT` is SASL_SSL with sessions of 6 s. */
const LISTENERS = {
  TLS: 'SSL',
  MUTUAL: 'SSL',
  EXPIRED: 'SSL',
  ELSEWHERE: 'SSL',
  LOGIN: 'SASL_SSL',
  SHORT: 'SASL_SSL',
  OPENLOGIN: 'SASL_PLAINTEXT',
} as const
export type Listener = keyof typeof LISTENERS

export const USER = 'alice'
export const PASSWORD = 'p4ss "word" = \\ $x;'
export const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const
const SHORT_SESSION_MS = 6000

export class SecuredBroker {
  readonly #ports: ReadonlyMap<Listener, number>
  readonly broker: LocalBroker
  readonly authority: Authority
  /** What a client needs for the listener MUTUAL. */
  readonly client: Certificate

  private constructor(
    broker: LocalBroker,
    ports: ReadonlyMap<Listener, number>,
    { authority, client }: { authority: Authority; client: Certificate },
  ) {
    this.broker = broker
    this.#ports = ports
    this.authority = authority
    this.client = client
  }

  static async start(closing: (close: () => Promise<void> | void) => void, more: Record<string, string> = {}) {
    const authority = new Authority(closing)
    const here = authority.certify('DNS:localhost,IP:127.0.0.1')
    const port = (await choosePorts(undefined)).broker
    const ports = new Map<Listener, number>()
    for (const name of Object.keys(LISTENERS) as Listener[]) ports.set(name, (await choosePorts(undefined)).broker)
    const certificates: Partial<Record<Listener, Certificate>> = {
      EXPIRED: authority.certify('DNS:localhost,IP:127.0.0.1', { days: -1 }),
      ELSEWHERE: authority.certify('DNS:kafka.example'),
    }
    const all = [['PLAINTEXT', port], ...ports] as const
    const properties: Record<string, string> = {
      listeners: `${all.map(([name, port]) => `${name}://127.0.0.1:${port}`)},CONTROLLER://127.0.0.1:${(await choosePorts(undefined)).controller}`,
      'advertised.listeners': `${all.map(([name, port]) => `${name}://localhost:${port}`)}`,
      'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,${Object.entries(LISTENERS).map(([name, protocol]) => `${name}:${protocol}`)}`,
      'sasl.enabled.mechanisms': MECHANISMS.join(','),
    }
    properties['controller.quorum.voters'] = `1@${/CONTROLLER:\/\/(.*)/.exec(properties['listeners']!)![1]}`
    for (const [name, protocol] of Object.entries(LISTENERS) as [Listener, string][]) {
      const prefix = `listener.name.${name.toLowerCase()}`
      if (protocol.endsWith('SSL')) {
        const { store } = certificates[name] ?? here
        properties[`${prefix}.ssl.keystore.type`] = 'PKCS12'
        properties[`${prefix}.ssl.keystore.location`] = store
        properties[`${prefix}.ssl.keystore.password`] = STORE_PASSWORD
        properties[`${prefix}.ssl.truststore.type`] = 'PEM'
        properties[`${prefix}.ssl.truststore.location`] = authority.ca
        properties[`${prefix}.ssl.client.auth`] = name === 'MUTUAL' ? 'required' : 'none'
      }
      if (protocol.startsWith('SASL')) Object.assign(properties, saslProperties(prefix, name === 'SHORT'))
    }
    const broker = await startLocalBroker({ port, properties: { ...properties, ...more } })
    closing(() => broker.close())
    await scramUser(broker.address, USER, PASSWORD)
    return new SecuredBroker(broker, ports, { authority, client: authority.certify('DNS:client') })
  }

  /** `localhost:PORT` */
  address(listener: Listener): string {
    return `localhost:${this.#ports.get(listener)}`
  }
}

function saslProperties(prefix: string, isShort: boolean): Record<string, string> {
  const quoted = PASSWORD.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  const module = 'org.apache.kafka.common.security'
  const properties: Record<string, string> = {
    [`${prefix}.plain.sasl.jaas.config`]: `${module}.plain.PlainLoginModule required user_${USER}="${quoted}";`,
    [`${prefix}.oauthbearer.sasl.jaas.config`]: `${module}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
  }
  for (const mechanism of ['scram-sha-256', 'scram-sha-512'])
    properties[`${prefix}.${mechanism}.sasl.jaas.config`] = `${module}.scram.ScramLoginModule required;`
  if (isShort)
    for (const mechanism of MECHANISMS)
      properties[`${prefix}.${mechanism.toLowerCase()}.connections.max.reauth.ms`] = String(SHORT_SESSION_MS)
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, value.replaceAll('\\', '\\\\')]))
}
