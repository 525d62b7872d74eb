import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { RowmillError } from '../errors.ts'
import type { Pem, TlsPlaces, TlsSettings } from './security.ts'
import { cureOfStore } from './store-cure.ts'

/** The first bytes of a store of Java. */
const JKS_MAGIC = '\xfe\xed\xfe\xed'

/** Loaded where it is needed: it takes 15 ms of CPU time, as much as all of a worker's own modules. */
export function nodeTls(): typeof import('node:tls') {
  return process.getBuiltinModule('node:tls')
}

/** Node's options for one connection. Reads the files of certificates and keys. Throws if one cannot be read or used. */
export function tlsOptions(host: string, settings: TlsSettings): ConnectionOptions {
  const { checkCertificate = true, checkHostName = true } = settings
  return {
    host,
    ...(isIP(host) ? {} : { servername: host }), // the name for SNI, which cannot be an address
    ...materialOf(settings),
    rejectUnauthorized: checkCertificate,
    ...(checkHostName ? {} : { checkServerIdentity: () => undefined }),
  }
}

/**
 * Throws USAGE if a file of certificates or keys is missing, has other content, or needs another passphrase. The message has the place
 * where the user gave it, if the settings know that.
 */
export function checkTls(settings: TlsSettings): void {
  try {
    nodeTls().createSecureContext(materialOf(settings))
  } catch (error) {
    if (error instanceof RowmillError) throw error
    const { part, cure } = flawOf(error as Error, settings)
    const message = `${placeOf(settings, part)}the TLS settings cannot be used: ${(error as Error).message}${cure}`
    throw new RowmillError('USAGE', message, {}, { cause: error })
  }
}

function materialOf(settings: TlsSettings) {
  const { ca, cert, key, keystore, passphrase, ciphers, minVersion, maxVersion } = settings
  const at = (part: keyof TlsPlaces) => placeOf(settings, part)
  return {
    ...(ca ? { ca: read(ca, 'CERTIFICATE', at('ca')) } : {}),
    ...(cert ? { cert: read(cert, 'CERTIFICATE', at('cert')) } : {}),
    ...(key ? { key: read(key, 'PRIVATE KEY', at('key')) } : {}),
    ...(keystore ? { pfx: readFile(keystore, at('keystore')) } : {}),
    ...(passphrase ? { passphrase } : {}),
    ...(ciphers ? { ciphers } : {}),
    ...(minVersion ? { minVersion } : {}),
    ...(maxVersion ? { maxVersion } : {}),
  }
}

function placeOf({ places }: TlsSettings, part: keyof TlsPlaces | null): string {
  const place = part === null ? undefined : places?.[part]
  return place === undefined ? '' : `${place}: `
}

function read(pem: Pem, what: string, place: string): string {
  if ('text' in pem) return pem.text
  const text = pemOf(pem, place)
  if (text.includes(what)) return text
  const message = text.startsWith(JKS_MAGIC)
    ? `${place}${pem.file} is a JKS store: ${cureOfStore('JKS', pem.file)}`
    : `${place}${pem.file} holds no ${what.toLowerCase()} in PEM`
  throw new RowmillError('USAGE', message, { file: pem.file })
}

/** The text. Throws USAGE if its file cannot be read. */
export function pemOf(pem: Pem, place = ''): string {
  return 'text' in pem ? pem.text : readFile(pem.file, place).toString('latin1')
}

function readFile(file: string, place: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    const message = `${place}${file} cannot be read, but the connection to Kafka needs it: ${(cause as Error).message}`
    throw new RowmillError('USAGE', message, { file }, { cause })
  }
}

/** Which of the settings OpenSSL refuses, and what to do. Node gives no code for a wrong password of PKCS#12. */
function flawOf(
  error: Error & { code?: string },
  settings: TlsSettings,
): { part: keyof TlsPlaces | null; cure: string } {
  const { code = '', message } = error
  const { keystore, passphrase } = settings
  if (
    /BAD_DECRYPT|BAD_PASSWORD|INTERRUPTED_OR_CANCELLED|CRYPTO_OPERATION_FAILED/.test(code) ||
    /^mac verify/.test(message)
  ) {
    const [part, name] = keystore
      ? (['keystore', 'ssl.keystore.password'] as const)
      : (['key', 'ssl.key.password'] as const)
    if (passphrase) return { part: 'passphrase', cure: `. Is ${name} right?` }
    return { part, cure: `. It is encrypted: give its password as ${name}` }
  }
  if (code.includes('KEY_VALUES_MISMATCH')) return { part: 'key', cure: '. The key does not belong to the certificate' }
  if (code.includes('NO_CIPHER_MATCH')) return { part: 'ciphers', cure: '. Give names of OpenSSL' }
  return {
    part: PEM_PARTS.find(part => isRefused({ [part]: settings[part], passphrase: passphrase ?? null })) ?? null,
    cure: '',
  }
}

const PEM_PARTS = ['ca', 'cert', 'key', 'keystore'] as const

function isRefused(settings: TlsSettings): boolean {
  try {
    nodeTls().createSecureContext(materialOf(settings))
    return false
  } catch {
    return true
  }
}
