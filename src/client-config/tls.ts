import type { Pem, TlsSettings } from '../kafka/security.ts'
import { type ClientProperties, type Property, refused } from './client-properties.ts'

const STORE_TYPES = ['JKS', 'JCEKS', 'PKCS12', 'PEM'] as const
type StoreType = (typeof STORE_TYPES)[number]

/** The TLS properties of Java (`ssl.truststore.location`) and of librdkafka (`ssl.ca.location`). Throws USAGE. */
export function tlsSettings(given: ClientProperties): TlsSettings {
  const checkCertificate = given.flag('enable.ssl.certificate.verification') ?? true
  return {
    ca: trusted(given),
    ...identity(given),
    checkCertificate,
    checkHostName: checkCertificate && checksHostName(given),
    ciphers: given.text('ssl.cipher.suites')?.replaceAll(/\s*,\s*/g, ':') ?? null,
    ...versions(given),
  }
}

function trusted(given: ClientProperties): Pem | null {
  const inline = given.find('ssl.truststore.certificates', 'ssl.ca.pem')
  if (inline) return pemText(inline)
  const file = given.find('ssl.truststore.location', 'ssl.ca.location')
  if (!file) return null
  if (file.name === 'ssl.ca.location') return file.value.trim() === 'probe' ? null : { file: file.value.trim() }
  const type = storeType(given, 'ssl.truststore.type', file)
  if (type !== 'PEM') throw refused(file, cureOfStore(type, file.value.trim()))
  return { file: file.value.trim() }
}

function identity(given: ClientProperties): Pick<TlsSettings, 'cert' | 'key' | 'keystore' | 'passphrase'> {
  const passphrase = given.text('ssl.key.password') ?? given.text('ssl.keystore.password')
  const chain = given.find('ssl.keystore.certificate.chain', 'ssl.certificate.pem', 'ssl.certificate.location')
  const key = given.find('ssl.keystore.key', 'ssl.key.pem', 'ssl.key.location')
  const store = given.find('ssl.keystore.location')
  if (chain && key) return { cert: pem(chain), key: pem(key), passphrase }
  if (chain || key) throw refused((chain ?? key)!, `there is no ${chain ? 'key' : 'certificate'} with it`)
  if (!store) return {}
  const file = store.value.trim()
  const type = storeType(given, 'ssl.keystore.type', store)
  if (type === 'PEM') return { cert: { file }, key: { file }, passphrase }
  if (type === 'PKCS12') return { keystore: file, passphrase }
  throw refused(store, cureOfStore(type, file))
}

const pem = (property: Property): Pem =>
  property.name.endsWith('.location') ? { file: property.value.trim() } : pemText(property)

const BLOCK = /(-----BEGIN [A-Z0-9 ]+-----)(.*?)(-----END [A-Z0-9 ]+-----)\s*/gs
/** A body with headers, which an old format of encrypted keys has, keeps its lines. */
const linesOf = (body: string) => (body.includes(':') ? body.trim() : body.trim().replaceAll(/\s+/g, '\n'))

/** PEM in a single line is usual where a line is all that a tool takes. */
function pemText(property: Property): Pem {
  const text = property.value.trim().replaceAll('\\n', '\n') // as JSON and shells write a line break
  if (!text.startsWith('-----BEGIN ')) throw refused(property, 'it must be PEM, which begins with -----BEGIN')
  return { text: text.replaceAll(BLOCK, (_, begin, body, end) => `${begin}\n${linesOf(body)}\n${end}\n`).trim() }
}

/** Java's default type is JKS. Nobody notices, because Java looks into the file. So does the name of the file for us. */
function storeType(given: ClientProperties, name: string, store: Property): StoreType {
  const type = given.parsed([name], text => {
    const found = STORE_TYPES.find(known => known === text.toUpperCase())
    if (!found) throw new Error(`it must be PEM or PKCS12, or JKS for Java alone`)
    return found
  })
  if (type) return type
  const ending = store.value.trim().toLowerCase()
  if (/\.(pem|crt|cer)$/.test(ending)) return 'PEM'
  return /\.(p12|pfx|pkcs12)$/.test(ending) ? 'PKCS12' : 'JKS'
}

function cureOfStore(type: StoreType, file: string): string {
  const path = `'${file.replaceAll("'", "'\\''")}'`
  if (type === 'PKCS12') {
    return (
      'a truststore must be PEM. Convert it with: ' +
      `openssl pkcs12 -in ${path} -nokeys -out ca.pem, and give ssl.ca.location=ca.pem`
    )
  }
  return (
    `only Java reads ${type}. Convert it with: keytool -importkeystore -srckeystore ${path} -destkeystore store.p12 ` +
    '-deststoretype PKCS12. Give a keystore as ssl.keystore.location=store.p12 with ssl.keystore.type=PKCS12. ' +
    'For a truststore, go on with: openssl pkcs12 -in store.p12 -nokeys -out ca.pem, and give ssl.ca.location=ca.pem'
  )
}

/** Java checks the host name if the value is https, which is the default, and does not if it is empty. */
function checksHostName(given: ClientProperties): boolean {
  const name = 'ssl.endpoint.identification.algorithm'
  const property = [...given].findLast(found => found.name === name)
  if (!property) return true
  const value = property.value.trim().toLowerCase()
  if (!['', 'none', 'https'].includes(value)) throw refused(property, 'it must be https, or none for no check')
  return value === 'https'
}

function versions(given: ClientProperties): Pick<TlsSettings, 'minVersion' | 'maxVersion'> {
  const known = ['TLSv1.2', 'TLSv1.3'] as const
  const enabled = given.parsed(['ssl.enabled.protocols'], text => {
    const names = text.split(',').map(name => name.trim())
    const found = known.filter(version => names.includes(version))
    if (found.length === 0) throw new Error('it must name TLSv1.2, TLSv1.3 or both')
    return found
  })
  return enabled ? { minVersion: enabled[0]!, maxVersion: enabled.at(-1)! } : {}
}
