import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { COMPRESSIONS } from '../../src/options.ts'
import { type Listener, PASSWORD, type SecuredBroker, USER } from '../../test/helpers/secured-broker.ts'
import { propertiesText } from '../../test/helpers/ways-in.ts'

/** A way for rows to reach the broker and come back. */
export interface Way {
  readonly name: string
  readonly brokers: string
  /** Options of `rowmill run`. */
  readonly options: readonly string[]
}

/** What every other way is compared with: plaintext, and every option at its default. */
export function plaintext({ broker }: SecuredBroker): Way {
  return { name: 'plaintext', brokers: broker.address, options: [] }
}

/** Every codec over plaintext, and TLS without a codec. `none` is the same as plaintext: its spread is the noise. */
export function otherWays(secured: SecuredBroker): Way[] {
  const { authority, client } = secured
  const encrypted = (name: string, listener: Listener, properties: Record<string, string>): Way => {
    const file = join(authority.folder, `${listener}.properties`)
    writeFileSync(file, propertiesText({ 'ssl.ca.location': authority.ca, ...properties }), { mode: 0o600 })
    return { name, brokers: secured.address(listener), options: ['--command-config', file] }
  }
  return [
    ...COMPRESSIONS.map(codec => ({ ...plaintext(secured), name: codec, options: ['--compression', codec] })),
    encrypted('SASL_SSL', 'LOGIN', {
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.username': USER,
      'sasl.password': PASSWORD,
    }),
    encrypted('mTLS', 'MUTUAL', {
      'security.protocol': 'SSL',
      'ssl.certificate.location': client.cert,
      'ssl.key.location': client.key,
    }),
  ]
}
