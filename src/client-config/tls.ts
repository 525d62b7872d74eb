import type { Pem, TlsPlaces, TlsSettings } from '../kafka/security.ts'
import { cureOfStore } from '../kafka/store-cure.ts'
import { type ClientProperties, type Property, refused } from './client-properties.ts'

const STORE_TYPES = ['JKS', 'JCEKS', 'PKCS12', 'PEM'] as const
type StoreType = (typeof STORE_TYPES)[number]

/** The TLS properties of Java (`ssl.truststore.location`) and of librdkafka (`ssl.ca.location`). Throws USAGE. */
export function tlsSettings(given: ClientProperties): TlsSettings {
  const checkCertificate = given.flag('enable.ssl.certificate.verification') ?? true
  return {
    places: placesOf(given),
    ca: trusted(given),
    ...identity(given),
    checkCertificate,
    checkHostName: checkCertificate && checksHostName(given),
    ciphers: given.text(...NAMES.ciphers)?.replaceAll(/\s*,\s*/g, ':') ?? null,
    ...versions(given),
  }
}

const NAMES = {
  caText: ['ssl.truststore.certificates', 'ssl.ca.pem'],
  caFile: ['ssl.truststore.location', 'ssl.ca.location'],
  cert: ['ssl.keystore.certificate.chain', 'ssl.certificate.pem', 'ssl.certificate.location'],
  key: ['ssl.keystore.key', 'ssl.key.pem', 'ssl.key.location'],
  keystore: ['ssl.keystore.location'],
  ciphers: ['ssl.cipher.suites'],
} as const

/** Where the user gave each. A PEM keystore holds certificate and key. */
function placesOf(given: ClientProperties): TlsPlaces {
  const [store, key, cert] = [given.find(...NAMES.keystore), given.find(...NAMES.key), given.find(...NAMES.cert)]
  const found = {
    ca: given.find(...NAMES.caText) ?? given.find(...NAMES.caFile),
    cert: cert ?? store,
    key: key ?? store,
    keystore: store,
    passphrase: given.find('ssl.key.password') ?? given.find('ssl.keystore.password'),
    ciphers: given.find(...NAMES.ciphers),
  }
  return Object.fromEntries(
    Object.entries(found).flatMap(([part, property]) =>
      property ? [[part, `${property.where}: ${property.name}`]] : [],
    ),
  )
}

function trusted(given: ClientProperties): Pem | null {
  const inline = given.find(...NAMES.caText)
  if (inline) return pemText(inline)
  const file = given.find(...NAMES.caFile)
  if (!file) return null
  if (file.name === 'ssl.ca.location') return file.value.trim() === 'probe' ? null : { file: file.value.trim() }
  const type = storeType(given, 'ssl.truststore.type', file)
  if (type !== 'PEM') throw refused(file, cureOfStore(type, file.value.trim()))
  return { file: file.value.trim() }
}

function identity(given: ClientProperties): Pick<TlsSettings, 'cert' | 'key' | 'keystore' | 'passphrase'> {
  const passphrase = given.text('ssl.key.password') ?? given.text('ssl.keystore.password')
  const chain = given.find(...NAMES.cert)
  const key = given.find(...NAMES.key)
  const store = given.find(...NAMES.keystore)
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
  if (!text.includes('-----END ')) throw refused(property, 'its PEM has no -----END line. Give all of its lines')
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
