import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

/** Who asks. */
export interface Caller {
  /** Whether it has the token, or none is needed. */
  readonly isTrusted: boolean
}

/**
 * Decides who gets an answer.
 *
 * A browser of this machine reaches loopback for every page that it shows. A page of evil.example cannot read what another
 * origin answers, unless it makes evil.example resolve to 127.0.0.1. Then `Host` names evil.example, so a name that we do not
 * know is refused. An IP address is not refused: nobody can make it resolve to another machine.
 */
export class Doorkeeper {
  readonly #token: Buffer | null
  readonly #names: ReadonlySet<string>

  /** `token`: what a caller has to know. Null: nothing. `names`: by which it may call us, besides IP addresses and localhost. */
  constructor({ token, names }: { readonly token: string | null; readonly names: readonly string[] }) {
    this.#token = token === null ? null : digest(token)
    this.#names = new Set(names.map(name => name.toLowerCase()))
  }

  /** Why nothing is told to this caller, whatever it knows. Null: there is no reason. */
  refusalOf({ host = '', origin }: IncomingHttpHeaders): string | null {
    const name = hostName(host)
    if (name === null || !this.#knows(name))
      return `rowmill is not known here as ${JSON.stringify(host)}. If it should be, give --metrics-allowed-host NAME`
    // The origin may be https where a proxy in front of us has a certificate.
    const isOwn = origin === undefined || originHost(origin) === originHost(`${schemeOf(origin)}//${host}`)
    return isOwn ? null : 'rowmill does not answer to the pages of other sites'
  }

  /** Whether these headers have the token: as a bearer (RFC 6750), or as the password of any user, which a browser asks for. */
  trusts({ authorization = '' }: IncomingHttpHeaders): boolean {
    if (this.#token === null) return true
    const [, scheme, value] = /^(Bearer|Basic) +(\S+) *$/i.exec(authorization) ?? []
    if (scheme === undefined) return false
    const given = /^basic$/i.test(scheme) ? passwordOf(value!) : value!
    return timingSafeEqual(digest(given), this.#token)
  }

  #knows(name: string): boolean {
    const isAddress = isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
    return isAddress || name === 'localhost' || name.endsWith('.localhost') || this.#names.has(name)
  }
}

/** All have the same length, and the time of a comparison says nothing about the token. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function passwordOf(userinfo: string): string {
  const text = Buffer.from(userinfo, 'base64').toString('utf8')
  return text.slice(text.indexOf(':') + 1)
}

/** The name in a Host header, without its port. Null: it is malformed. */
function hostName(host: string): string | null {
  return /^[^\s/?#@\\]+$/.test(host) ? (URL.parse(`http://${host}`)?.hostname ?? null) : null
}

function originHost(origin: string): string | null {
  return URL.parse(origin)?.host ?? null
}

function schemeOf(origin: string): string {
  return URL.parse(origin)?.protocol ?? 'http:'
}
