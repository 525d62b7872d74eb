import { readFileSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { type ConnectionOptions, createSecureContext } from 'node:tls'
import { RowmillError } from '../errors.ts'
import type { Pem, TlsSettings } from './security.ts'

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

/** Throws USAGE if a file of certificates or keys is missing, is none, or needs another passphrase. */
export function checkTls(settings: TlsSettings): void {
  try {
    createSecureContext(materialOf(settings))
  } catch (error) {
    if (error instanceof RowmillError) throw error
    const message = `the TLS settings cannot be used: ${(error as Error).message}${hintOf(error as { code?: string })}`
    throw new RowmillError('USAGE', message, {}, { cause: error })
  }
}

function materialOf({ ca, cert, key, keystore, passphrase, ciphers, minVersion, maxVersion }: TlsSettings) {
  return {
    ...(ca ? { ca: read(ca, 'CERTIFICATE') } : {}),
    ...(cert ? { cert: read(cert, 'CERTIFICATE') } : {}),
    ...(key ? { key: read(key, 'PRIVATE KEY') } : {}),
    ...(keystore ? { pfx: readFile(keystore) } : {}),
    ...(passphrase ? { passphrase } : {}),
    ...(ciphers ? { ciphers } : {}),
    ...(minVersion ? { minVersion } : {}),
    ...(maxVersion ? { maxVersion } : {}),
  }
}

function read(pem: Pem, what: string): string {
  if ('text' in pem) return pem.text
  const text = pemOf(pem)
  if (text.includes(what)) return text
  throw new RowmillError('USAGE', `${pem.file} holds no ${what.toLowerCase()} in PEM`, { file: pem.file })
}

/** The text. Throws USAGE if its file cannot be read. */
export function pemOf(pem: Pem): string {
  return 'text' in pem ? pem.text : readFile(pem.file).toString('latin1')
}

function readFile(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    const message = `${file} cannot be read, but the connection to Kafka needs it: ${(cause as Error).message}`
    throw new RowmillError('USAGE', message, { file }, { cause })
  }
}

function hintOf({ code = '' }: { code?: string }): string {
  if (
    /BAD_DECRYPT|BAD_PASSWORD|INTERRUPTED_OR_CANCELLED|MAC_VERIFY/.test(code) ||
    code === 'ERR_CRYPTO_OPERATION_FAILED'
  )
    return '. Is ssl.key.password right?'
  if (code.includes('KEY_VALUES_MISMATCH')) return '. The key does not belong to the certificate'
  return ''
}

/** Whether data for this host never leave this machine. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, '$1')
  return plain === 'localhost' || /^127\./.test(plain) || (isIPv6(plain) && /^(0*:)*:?0*1$/.test(plain))
}
