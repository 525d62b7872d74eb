/** An authority and its certificates, made by the openssl of this machine. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Files in PEM. `store` is a PKCS#12 file of both, with the password of STORE_PASSWORD. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly store: string
}

export const STORE_PASSWORD = 'store secret'
export const KEY_PASSWORD = 'key secret'

export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), 'rowmill-certificates-'))
  /** The file of its own certificate, in PEM. */
  readonly ca = join(this.folder, 'ca.pem')
  readonly #key = join(this.folder, 'ca.key')
  #made = 0

  /** `closing` removes the files. With `above`, its certificate is one of that authority: an intermediate one. */
  constructor(closing: (close: () => void) => void, above?: Authority) {
    closing(() => rmSync(this.folder, { recursive: true, force: true }))
    const extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
    openssl([
      ...['req', '-x509', ...NEW_KEY, '-keyout', this.#key, '-out', this.ca, '-days', '3650'],
      ...(above ? ['-CA', above.ca, '-CAkey', above.#key] : []),
      ...['-subj', `/CN=${above ? 'intermediate' : 'authority'} of the tests`],
      ...extensions.flatMap(extension => ['-addext', extension]),
    ])
  }

  /** A certificate for these names, in the form of openssl: `DNS:localhost,IP:127.0.0.1`. */
  certify(names: string, { days = 365, commonName = 'test' } = {}): Certificate {
    const file = (ending: string) => join(this.folder, `${this.#made}.${ending}`)
    this.#made++
    const { cert, key, store } = { cert: file('pem'), key: file('key'), store: file('p12') }
    writeFileSync(file('ext'), `subjectAltName=${names}\n`)
    openssl(['req', ...NEW_KEY, '-keyout', key, '-out', file('csr'), '-subj', `/CN=${commonName}`])
    openssl([
      ...['x509', '-req', '-in', file('csr'), '-CA', this.ca, '-CAkey', this.#key, '-CAcreateserial'],
      ...['-days', String(days), '-extfile', file('ext'), '-out', cert],
    ])
    openssl(['pkcs12', '-export', '-in', cert, '-inkey', key, '-out', store, '-passout', `pass:${STORE_PASSWORD}`])
    return { cert, key, store }
  }

  /** The same key under a password. */
  encrypted(key: string, password = KEY_PASSWORD): string {
    const file = join(this.folder, `encrypted-${this.#made++}.key`)
    openssl(['pkcs8', '-topk8', '-in', key, '-out', file, '-passout', `pass:${password}`])
    return file
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** PEM as a property holds it: on one line. */
export function inProperty(file: string): string {
  return readFileSync(file, 'utf8').trim().replaceAll('\n', '\\n')
}
