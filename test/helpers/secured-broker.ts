/** A broker with a listener for each way to secure one. */

import { startLocalBroker } from '../../src/broker/local-broker.ts'
import type { LocalBroker } from '../../src/broker/running-broker.ts'
import { Authority, type Certificate, STORE_PASSWORD } from './certificates.ts'
import { freePort } from './free-port.ts'
import { scramUser } from './scram-user.ts'

/**
 * The protocol of each listener. `SHORT` is SASL_SSL with sessions of 6 s. The certificate of `SOON` expires in 19 days, and
 * `CHAINLESS` does not send the intermediate certificate.
 */
const LISTENERS = {
  TLS: 'SSL',
  MUTUAL: 'SSL',
  EXPIRED: 'SSL',
  ELSEWHERE: 'SSL',
  SOON: 'SSL',
  CHAINLESS: 'SSL',
  LOGIN: 'SASL_SSL',
  SHORT: 'SASL_SSL',
  OPENLOGIN: 'SASL_PLAINTEXT',
} as const
export type Listener = keyof typeof LISTENERS

export const USER = 'alice'
export const PASSWORD = 'p4ss "word" = \\ $x;'
export const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const
const SHORT_SESSION_MS = 6000

/** The ports of all listeners, which stay the same when the broker starts again. */
type Ports = ReadonlyMap<Listener | 'PLAINTEXT' | 'CONTROLLER', number>

interface SecuredBrokerOptions {
  /** More properties of the broker. */
  readonly properties?: Readonly<Record<string, string>>
  /** Where topics outlive a restart. Default: they do not. */
  readonly dataDir?: string
  /** How to start it. Default: as rowmill does. */
  readonly start?: typeof startLocalBroker
}

type Closing = (close: () => Promise<void> | void) => void

export class SecuredBroker {
  readonly #ports: Ports
  readonly #options: SecuredBrokerOptions
  #broker: LocalBroker | null = null
  #authority: Authority
  readonly #closing: Closing
  #client: Certificate

  private constructor(ports: Ports, closing: Closing, options: SecuredBrokerOptions) {
    const authority = new Authority(closing)
    this.#closing = closing
    this.#ports = ports
    this.#options = options
    this.#authority = authority
    this.#client = authority.certify('DNS:client')
  }

  static async start(closing: Closing, options: SecuredBrokerOptions = {}) {
    const ports = new Map<Listener | 'PLAINTEXT' | 'CONTROLLER', number>()
    for (const name of ['PLAINTEXT', 'CONTROLLER', ...Object.keys(LISTENERS)] as const)
      ports.set(name as Listener, await freePort())
    const secured = new SecuredBroker(ports, closing, options)
    closing(() => secured.#broker?.close())
    await secured.#launch()
    await scramUser(secured.broker.address, USER, PASSWORD)
    return secured
  }

  get broker(): LocalBroker {
    return this.#broker!
  }

  get authority(): Authority {
    return this.#authority
  }

  /** What a client needs for the listener MUTUAL. */
  get client(): Certificate {
    return this.#client
  }

  /** `localhost:PORT` */
  address(listener: Listener): string {
    return `localhost:${this.#ports.get(listener)}`
  }

  /** Starts the broker again, at the same addresses, with certificates of another authority. Needs `dataDir`. */
  async rotate(authority: Authority): Promise<void> {
    await this.#broker?.close()
    this.#authority = authority
    this.#client = authority.certify('DNS:client')
    await this.#launch()
  }

  async #launch(): Promise<void> {
    const { properties, dataDir, start = startLocalBroker } = this.#options
    this.#broker = await start({
      port: this.#ports.get('PLAINTEXT')!,
      ...(dataDir === undefined ? {} : { dataDir }),
      properties: { ...this.#listeners(), ...this.#certificates(), ...logins(), ...properties },
    })
  }

  #listeners(): Record<string, string> {
    const { CONTROLLER: controller, ...open } = Object.fromEntries(this.#ports)
    const at = (host: string) => Object.entries(open).map(([name, port]) => `${name}://${host}:${port}`)
    const protocols = { PLAINTEXT: 'PLAINTEXT', CONTROLLER: 'PLAINTEXT', ...LISTENERS }
    return {
      listeners: [...at('127.0.0.1'), `CONTROLLER://127.0.0.1:${controller}`].join(','),
      'advertised.listeners': at('localhost').join(','),
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      'listener.security.protocol.map': Object.entries(protocols)
        .map(([name, protocol]) => `${name}:${protocol}`)
        .join(','),
      'sasl.enabled.mechanisms': MECHANISMS.join(','),
    }
  }

  #certificates(): Record<string, string> {
    const here = this.#authority.certify('DNS:localhost,IP:127.0.0.1')
    const others: Partial<Record<string, Certificate>> = {
      EXPIRED: this.#authority.certify('DNS:localhost,IP:127.0.0.1', { days: -1 }),
      ELSEWHERE: this.#authority.certify('DNS:kafka.example'),
      SOON: this.#authority.certify('DNS:localhost,IP:127.0.0.1', { days: 20 }),
      CHAINLESS: new Authority(this.#closing, this.#authority).certify('DNS:localhost,IP:127.0.0.1'),
    }
    const encrypted = Object.entries(LISTENERS).filter(([, protocol]) => protocol.endsWith('SSL'))
    return Object.assign(
      {},
      ...encrypted.map(([name]) =>
        tlsProperties(name, { certificate: others[name] ?? here, ca: this.#authority.ca, mutual: name === 'MUTUAL' }),
      ),
    )
  }
}

/** What a broker needs for a listener at `localhost` with TLS and every login. */
export function securedListener(name: string, authority: Authority): Record<string, string> {
  return {
    'sasl.enabled.mechanisms': MECHANISMS.join(','),
    ...tlsProperties(name, { certificate: authority.certify('DNS:localhost'), ca: authority.ca }),
    ...saslProperties(name),
  }
}

/** `mutual`: the broker asks for a certificate of the client. */
function tlsProperties(
  listener: string,
  { certificate, ca, mutual = false }: { certificate: Certificate; ca: string; mutual?: boolean },
): Record<string, string> {
  return prefixed(`listener.name.${listener.toLowerCase()}.ssl`, {
    'keystore.type': 'PKCS12',
    'keystore.location': certificate.store,
    'keystore.password': STORE_PASSWORD,
    'truststore.type': 'PEM',
    'truststore.location': ca,
    'client.auth': mutual ? 'required' : 'none',
  })
}

function prefixed(prefix: string, properties: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [`${prefix}.${name}`, value]))
}

function logins(): Record<string, string> {
  const withLogin = Object.entries(LISTENERS).filter(([, protocol]) => protocol.startsWith('SASL'))
  return Object.assign({}, ...withLogin.map(([name]) => saslProperties(name, { isShort: name === 'SHORT' })))
}

/** `isShort`: sessions last 6 s. */
function saslProperties(listener: string, { isShort = false } = {}): Record<string, string> {
  const prefix = `listener.name.${listener.toLowerCase()}`
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
