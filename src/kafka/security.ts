/**
 * How a client proves to a cluster who it is, and how it knows the cluster. Plain data: worker processes get it over their
 * channel. Files are read at each connect, so a renewed certificate or token needs no restart.
 */

/** Text in PEM, or the file that holds it. */
export type Pem = { readonly text: string } | { readonly file: string }

export interface TlsSettings {
  /** The authorities whose certificates we trust. Null: those of Node, or of the file NODE_EXTRA_CA_CERTS. */
  readonly ca?: Pem | null
  /** Our own certificate, followed by those between it and its authority. Null: we have none. */
  readonly cert?: Pem | null
  readonly key?: Pem | null
  /** A PKCS#12 file with our certificate and key, instead of both. */
  readonly keystore?: string | null
  /** Of the key or the keystore. */
  readonly passphrase?: string | null
  /** Whether the certificate must name the host that we connect to. Default: yes. */
  readonly checkHostName?: boolean
  /** Whether the certificate must be of an authority that we trust. Default: yes. */
  readonly checkCertificate?: boolean
  /** OpenSSL's list of ciphers. Null: that of Node. */
  readonly ciphers?: string | null
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | null
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3' | null
  /** For messages, where the user gave what: `client.properties, line 3: ssl.ca.location`. */
  readonly places?: TlsPlaces
}

export type TlsPlaces = Readonly<Partial<Record<'ca' | 'cert' | 'key' | 'keystore' | 'passphrase' | 'ciphers', string>>>

export const PASSWORD_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

export type SaslSettings =
  | {
      readonly mechanism: (typeof PASSWORD_MECHANISMS)[number]
      readonly username: string
      readonly password: string
    }
  | { readonly mechanism: 'OAUTHBEARER'; readonly token: TokenSource; readonly extensions?: Record<string, string> }

/** Where a token comes from. It is fetched for each connection, and again before its session ends. */
export type TokenSource =
  /** A file whose content is the token. */
  | { readonly from: 'file'; readonly file: string }
  /** The standard output of a command, which a shell runs. */
  | { readonly from: 'command'; readonly command: string }
  /** An OpenID Connect endpoint, by client credentials (RFC 6749, section 4.4). */
  | {
      readonly from: 'endpoint'
      readonly url: string
      readonly clientId: string
      readonly clientSecret: string
      readonly scope: string | null
      /** The authorities that may certify the endpoint. Null: those of Node. */
      readonly ca: Pem | null
    }
  /** The credentials that the AWS SDK finds, signed for MSK. */
  | {
      readonly from: 'aws'
      readonly region: string | null
      readonly profile: string | null
      readonly role: string | null
    }

/** A cluster that everybody may use. */
export const OPEN: ClusterSecurity = { tls: null, sasl: null }

/** How a client and its cluster recognise each other. */
export interface ClusterSecurity {
  /** Null: no TLS. */
  readonly tls: TlsSettings | null
  /** Null: no login. */
  readonly sasl: SaslSettings | null
  /** Whether to log in without TLS at hosts other than this one. Default: no. */
  readonly allowSaslWithoutTls?: boolean
}
