import { once } from 'node:events'
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { noBroker } from '../kafka/errors.ts'
import { refusalOf } from '../kafka/refusal.ts'
import type { TlsSettings } from '../kafka/security.ts'
import { tlsOptions } from '../kafka/tls.ts'
import { type CheckFinding, type ClusterCheck, failure, failureOf, ok, skipped, warning } from './check.ts'
import { reach, splitAddress } from './reach.ts'

const LIMIT_MS = 12_000
const DAY_MS = 24 * 3600 * 1000
/** A certificate is renewed in time, if somebody begins now. */
const SOON_DAYS = 30

/** Whether each broker that the user named can be reached. */
const addresses: ClusterCheck = {
  name: 'addresses',
  needs: [],
  limitMs: LIMIT_MS,
  async run({ cluster }, signal) {
    const findings = await Promise.all(
      cluster.settings.brokers.map(async address => {
        const found = await reach(address, signal)
        if ('why' in found) return failure(`${address}: ${found.why}`, found.cure)
        return ok(`${address} accepts connections (${found.join(', ')})`)
      }),
    )
    // One address that answers is enough for every command.
    const isEnough = findings.some(({ status }) => status === 'ok')
    return findings.map(each => (isEnough && each.status === 'failure' ? { ...each, status: 'warning' } : each))
  },
}

/** The chain, the host name, the versions and the expiry of each address, and of our own certificate. */
const tls: ClusterCheck = {
  name: 'tls',
  needs: ['addresses'],
  limitMs: LIMIT_MS,
  async run({ cluster, machine }, signal) {
    const settings = cluster.settings.security?.tls
    if (!settings) return ok('not used: security.protocol is without SSL')
    const now = machine.wallClock()
    const examined = cluster.settings.brokers.map(async address => {
      if ('why' in (await reach(address, signal))) return [] // the line "addresses" says so
      return examineTls(address, settings, { now, signal })
    })
    const findings = (await Promise.all(examined)).flat()
    return findings.length > 0 ? findings : skipped('addresses must be ok first')
  },
}

async function examineTls(
  address: string,
  settings: TlsSettings,
  { now, signal }: { now: number; signal: AbortSignal },
): Promise<CheckFinding[]> {
  const { host, port } = splitAddress(address)
  const socket = connect({ ...tlsOptions(host, settings), port })
  try {
    await once(socket, 'secureConnect', { signal })
    return [
      describeServer(address, socket, { settings, now }),
      ...describeOwn(socket.getCertificate() as PeerCertificate | null, now),
    ]
  } catch (error) {
    signal.throwIfAborted()
    const refusal = refusalOf(error)
    const { text: fault, cure } = failureOf(
      refusal
        ? { code: refusal.code, message: `${address}: ${refusal.text}` }
        : noBroker(address, error, { tls: true }),
    )
    const look = `To see all: openssl s_client -connect ${address} -servername ${host} -showcerts </dev/null`
    return [failure([fault, ...(await certificatesOf(address, settings, signal))].join('\n'), `${cure}\n${look}`)]
  } finally {
    socket.destroy()
  }
}

/** The certificates of a broker and their authorities, also if we do not trust them. Empty: it shows none. */
async function certificatesOf(address: string, settings: TlsSettings, signal: AbortSignal): Promise<string[]> {
  const { host, port } = splitAddress(address)
  const unchecked = { ...settings, checkCertificate: false, checkHostName: false }
  const socket = connect({ ...tlsOptions(host, unchecked), port })
  try {
    await once(socket, 'secureConnect', { signal })
    return chainOf(socket.getPeerCertificate(true)).map(describeCertificate)
  } catch {
    return []
  } finally {
    socket.destroy()
  }
}

function describeCertificate(certificate: PeerCertificate): string {
  const { issuer, subjectaltname, valid_to } = certificate
  const names = subjectaltname === undefined ? '' : ` for ${subjectaltname}`
  return `certificate of ${nameOf(certificate)}${names}, by ${issuer?.CN ?? 'an unnamed issuer'}, until ${valid_to}`
}

function describeServer(
  address: string,
  socket: TLSSocket,
  { settings, now }: { settings: TlsSettings; now: number },
): CheckFinding {
  const { checkCertificate = true, checkHostName = true } = settings
  const chain = chainOf(socket.getPeerCertificate(true))
  const first = chain.reduce((a, b) => (Date.parse(a.valid_to) <= Date.parse(b.valid_to) ? a : b))
  const days = daysUntil(first, now)
  const lasts = days < 0 ? `which expired on ${first.valid_to}` : `valid for ${days} days more`
  const text = `${address}: ${socket.getProtocol()}, a chain of ${chain.length}, ${lasts}`
  if (!checkCertificate || !checkHostName)
    return warning(
      `${text}, but ${checkCertificate ? 'the host name' : 'the authority'} is not checked`,
      'leave ssl.endpoint.identification.algorithm and enable.ssl.certificate.verification at their defaults',
    )
  if (days >= SOON_DAYS) return ok(text)
  return warning(text, `renew the certificate of ${nameOf(first)} on the broker before ${first.valid_to}`)
}

/** The broker refuses an expired certificate of ours only after the handshake, so the login reports that too. */
function describeOwn(certificate: PeerCertificate | null, now: number): CheckFinding[] {
  if (!certificate?.valid_to) return []
  const days = daysUntil(certificate, now)
  const ours = `our certificate, ${nameOf(certificate)},`
  const renew = 'renew the certificate of ssl.certificate.location or the keystore'
  if (days < 0) return [failure(`${ours} expired on ${certificate.valid_to}`, renew)]
  const text = `${ours} is valid for ${days} days more`
  return [days >= SOON_DAYS ? ok(text) : warning(text, `${renew} before ${certificate.valid_to}`)]
}

function chainOf(certificate: ReturnType<TLSSocket['getPeerCertificate']>): PeerCertificate[] {
  const chain: PeerCertificate[] = []
  for (let at: PeerCertificate | undefined = certificate; at?.valid_to; ) {
    if (chain.some(({ fingerprint256 }) => fingerprint256 === at?.fingerprint256)) break // a root is its own issuer
    chain.push(at)
    at = 'issuerCertificate' in at ? (at.issuerCertificate as PeerCertificate) : undefined
  }
  return chain
}

function daysUntil({ valid_to }: PeerCertificate, now: number): number {
  return Math.floor((Date.parse(valid_to) - now) / DAY_MS)
}

function nameOf({ subject }: PeerCertificate): string {
  return String(subject?.CN ?? 'an unnamed subject')
}

/** The classic fault: the bootstrap address answers, and then names brokers at addresses that this machine cannot reach. */
const listeners: ClusterCheck = {
  name: 'listeners',
  needs: ['login'],
  limitMs: LIMIT_MS,
  async run({ cluster }, signal) {
    const { brokers } = await cluster.describe([])
    return Promise.all(
      brokers.map(async ({ nodeId, address }) => {
        const found = await reach(address, signal)
        if (!('why' in found)) return ok(`broker ${nodeId} is at ${address}, which accepts connections`)
        return failure(
          `${cluster.brokersText} answers, but says that broker ${nodeId} is at ${address}, and there ${found.why}`,
          `set advertised.listeners of broker ${nodeId} to an address that this machine reaches, or ${found.cure}`,
        )
      }),
    )
  },
}

export const NETWORK_CHECKS: readonly ClusterCheck[] = [addresses, tls]
export const LISTENER_CHECKS: readonly ClusterCheck[] = [listeners]
