import { type ErrorCode, RowmillError } from '../errors.ts'

/** Why a connection is refused for good, with the cure. */
export interface Refusal {
  readonly code: Extract<ErrorCode, 'TLS_FAILED' | 'AUTHENTICATION_FAILED'>
  readonly text: string
}

/** What Node says of a certificate, or of an alert of the broker, and the cure. `$` is the broker. */
const TLS_CURES: readonly (readonly [codes: RegExp, cure: string])[] = [
  [
    /UNABLE_TO_(VERIFY|GET_ISSUER)/,
    'we do not trust the authority of its certificate. Give the certificate of the authority as ssl.ca.location=FILE.pem (in PEM), or check that this is the right cluster. If FILE.pem is right, the broker does not send its intermediate certificate: add that to the keystore of the broker, or to FILE.pem',
  ],
  [
    /SELF_SIGNED|INVALID_CA|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE/,
    'we do not trust the authority of its certificate. Give the certificate of the authority as ssl.ca.location=FILE.pem (in PEM), or check that this is the right cluster',
  ],
  [
    /CERT_HAS_EXPIRED/,
    "its certificate, or that of its authority, has expired. Renew it, or set this machine's clock right",
  ],
  [/CERT_NOT_YET_VALID/, "its certificate is not valid yet. Is this machine's clock right?"],
  [/CERT_REVOKED/, 'its certificate was revoked'],
  [
    /ALTNAME_INVALID/,
    'its certificate is for another host name. Give the name that is in the certificate as bootstrap.servers, or ssl.endpoint.identification.algorithm=none if the network is trusted',
  ],
  [
    /ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_|ACCESS_DENIED)/,
    'it asks for a certificate of ours, and refuses what it gets. Give ssl.certificate.location and ssl.key.location, or a keystore, with a certificate that has not expired, of an authority that the broker trusts',
  ],
  [
    /ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS/,
    'it speaks no version of TLS that we offer. Look at ssl.enabled.protocols',
  ],
  [
    /^EPROTO$|WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTP_REQUEST/,
    'it does not speak TLS. Give another port, or security.protocol=PLAINTEXT (with a login SASL_PLAINTEXT)',
  ],
  [/^ERR_SSL_|^ERR_TLS_|^CERT_/, 'TLS failed'],
]

/** Why the broker, or TLS, refuses the connection. Null if this is something else, which a retry may cure. */
export function refusalOf(error: unknown): Refusal | null {
  if (error instanceof RowmillError) {
    const { code, message } = error
    return code === 'TLS_FAILED' || code === 'AUTHENTICATION_FAILED' ? { code, text: message } : null
  }
  const { name = '', type = '', code, message = '', cause } = (error ?? {}) as KafkaJsError
  if (name === 'KafkaJSSASLAuthenticationError' || /SASL/.test(type)) {
    return { code: 'AUTHENTICATION_FAILED', text: `the broker refuses the login: ${cureOfLogin(type, message)}` }
  }
  const cure = typeof code === 'string' ? TLS_CURES.find(([codes]) => codes.test(code))?.[1] : undefined
  if (cure !== undefined) return { code: 'TLS_FAILED', text: `the connection to the broker fails: ${cure} [${code}]` }
  return cause === undefined || cause === error ? null : refusalOf(cause)
}

interface KafkaJsError {
  readonly name?: string
  readonly type?: string
  readonly code?: unknown
  readonly message?: string
  readonly cause?: unknown
}

function cureOfLogin(type: string, message: string): string {
  if (type === 'ILLEGAL_SASL_STATE')
    return `${message}. If this port takes no login, give security.protocol=SSL, or PLAINTEXT if it has no TLS either`
  if (type === 'UNSUPPORTED_SASL_MECHANISM' || message.includes('mechanism is not supported'))
    return `${message}. Give one that it has as sasl.mechanism`
  return `${message}. Are user name and password, or the token, right and still valid, and is sasl.mechanism that of the user?`
}
