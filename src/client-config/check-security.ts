/** Checks what a program gives as `ssl` and `sasl`. TypeScript refuses most of it, and JavaScript does not. */
import { RowmillError } from '../errors.ts'
import { PASSWORD_MECHANISMS, type SaslSettings, type TlsSettings, type TokenSource } from '../kafka/security.ts'
import { nearest } from '../support/nearest.ts'

const PEM_KEYS = ['ca', 'cert', 'key'] as const
const TLS_KEYS: readonly (keyof TlsSettings)[] = [
  ...PEM_KEYS,
  ...(['keystore', 'passphrase', 'checkHostName', 'checkCertificate', 'ciphers'] as const),
  ...(['minVersion', 'maxVersion', 'places'] as const),
]
const TOKEN_SOURCES: readonly TokenSource['from'][] = ['file', 'command', 'endpoint', 'aws']
const MECHANISMS = [...PASSWORD_MECHANISMS, 'OAUTHBEARER'] as const

/** Throws USAGE for a value that TLS cannot use. It shows no value. */
export function checkSsl(ssl: boolean | TlsSettings): boolean | TlsSettings {
  if (typeof ssl === 'boolean') return ssl
  checkKeys('ssl', ssl, TLS_KEYS)
  for (const key of PEM_KEYS) {
    const pem: unknown = ssl[key] ?? null
    if (pem !== null && !isTextOf(pem, 'file') && !isTextOf(pem, 'text'))
      throw usage(`ssl.${key} must be { file: PATH } or { text: PEM }`)
  }
  return ssl
}

/** Throws USAGE for a login that cannot be. It shows no value. Returns it with the name of its mechanism as Kafka spells it. */
export function checkSasl(sasl: SaslSettings): SaslSettings {
  const given = String(sasl.mechanism).toUpperCase()
  const mechanism = MECHANISMS.find(known => known === given)
  if (!mechanism)
    throw usage(`sasl.mechanism must be one of ${MECHANISMS.join(', ')}. For AWS give a token { from: 'aws' }`)
  if (mechanism === 'OAUTHBEARER') {
    checkKeys('sasl', sasl, ['mechanism', 'token', 'extensions'])
    const { token } = sasl as { token?: { from?: unknown } }
    if (!TOKEN_SOURCES.some(source => source === token?.from))
      throw usage(`sasl.token must be { from: ... } with one of ${TOKEN_SOURCES.join(', ')}`)
  } else {
    checkKeys('sasl', sasl, ['mechanism', 'username', 'password'])
    for (const key of ['username', 'password'])
      if (!isTextOf(sasl, key)) throw usage(`sasl.${key} must be a text, for ${mechanism}`)
  }
  return { ...sasl, mechanism } as SaslSettings
}

/** Throws USAGE for a key that is not among `known`. */
export function checkKeys(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find(key => !known.includes(key))
  if (unknown === undefined) return
  const near = nearest(unknown, known)
  throw usage(`${what} has no ${unknown}${near ? `. Did you mean ${near}?` : `. It has ${known.join(', ')}`}`)
}

function isTextOf(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[key] === 'string'
}

function usage(message: string): RowmillError {
  return new RowmillError('USAGE', `kafka: ${message}`)
}
