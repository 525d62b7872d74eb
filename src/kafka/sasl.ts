import type { Mechanism } from 'kafkajs'
import SaslAuthenticator from 'kafkajs/src/broker/saslAuthenticator/index.js'
import plain from 'kafkajs/src/broker/saslAuthenticator/plain.js'
import scram256 from 'kafkajs/src/broker/saslAuthenticator/scram256.js'
import scram512 from 'kafkajs/src/broker/saslAuthenticator/scram512.js'
import Connection from 'kafkajs/src/network/connection.js'
import { RowmillError } from '../errors.ts'
import { maskKnown } from '../support/credentials.ts'
import { printable } from '../support/printable.ts'
import { contactOf } from './contact.ts'
import { refusalOf } from './refusal.ts'
import type { SaslSettings } from './security.ts'
import { type TokenLimits, tokenFetcher } from './tokens.ts'

/** A session is renewed after this part of its life. Java waits for 85 to 95 %. */
const RENEWED_AFTER = 0.85

const PASSWORD_LOGINS = { PLAIN: plain, 'SCRAM-SHA-256': scram256, 'SCRAM-SHA-512': scram512 }

/** A mechanism of KafkaJS, and what we do before each login. */
type PreparedMechanism = Mechanism & { prepare?(): Promise<void> }

/** How KafkaJS logs in. All connections of a process share the tokens. */
export function saslOptions(settings: SaslSettings, limits: TokenLimits = {}): PreparedMechanism {
  if (settings.mechanism !== 'OAUTHBEARER') {
    const { mechanism, username, password } = settings
    return {
      mechanism,
      authenticationProvider: saidByBroker(PASSWORD_LOGINS[mechanism]({ username, password }), { username, password }),
    }
  }
  const { token, extensions = {} } = settings
  const fetchToken = tokenFetcher(token, limits)
  let prepared = ''
  return {
    mechanism: settings.mechanism,
    prepare: async () => {
      prepared = await fetchToken()
    },
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const request = bearerRequest(prepared, extensions)
        const answer = await saslAuthenticate({ request, response: AS_TEXT }).catch(error => {
          throw withMessage(error, message => maskKnown(message, [prepared]))
        })
        if (answer) throw refusedToken(maskKnown(answer, [prepared]))
      },
    }),
  }
}

/**
 * A login of KafkaJS that throws what the request threw. KafkaJS itself would say for each error that the login failed. So
 * a broker that restarts during a login would look like one that refuses it. The message does not repeat the password.
 */
function saidByBroker(
  provider: Mechanism['authenticationProvider'],
  login: { username: string; password: string },
): Mechanism['authenticationProvider'] {
  return given => {
    let thrown: unknown = null
    const saslAuthenticate: typeof given.saslAuthenticate = async call => {
      try {
        return await given.saslAuthenticate(call)
      } catch (error) {
        thrown = withMessage(
          error,
          message => maskKnown(message, [login.password]) + (refusalOf(error) ? probableMistake(login) : ''),
        )
        throw thrown
      }
    }
    const authenticator = provider({ ...given, saslAuthenticate })
    return {
      authenticate: () =>
        authenticator.authenticate().catch(error => {
          throw thrown ?? error
        }),
    }
  }
}

function withMessage(error: unknown, change: (message: string) => string): Error {
  const changed = error as Error
  changed.message = change(changed.message)
  return changed
}

/** What a file of properties takes as a part of the value, and its author perhaps does not. */
function probableMistake(login: Readonly<Record<string, string>>): string {
  for (const [name, value] of Object.entries(login)) {
    if (/^(["']).*\1$/s.test(value)) return `. The ${name} has quotes around it, which count as a part of it`
    if (/^\s|\s$/.test(value)) return `. The ${name} begins or ends with a blank, which counts as a part of it`
    if (/\s#/.test(value)) return `. The ${name} has a #, which begins no comment after a value`
  }
  return ''
}

/** KafkaJS puts their size before the bytes of a mechanism, and wants it there. */
const SIZE_BYTES = 4
const AS_TEXT = { decode: (bytes: Buffer) => bytes.subarray(SIZE_BYTES), parse: (bytes: Buffer) => bytes.toString() }

/** The first and only message of the client (RFC 7628, section 3.1). */
function bearerRequest(token: string, extensions: Readonly<Record<string, string>>): { encode(): Buffer } {
  const more = Object.entries(extensions).map(([name, value]) => `${name}=${value}\x01`)
  const message = Buffer.from(`n,,\x01auth=Bearer ${token}\x01${more.join('')}\x01`)
  const size = Buffer.alloc(SIZE_BYTES)
  size.writeInt32BE(message.length)
  return { encode: () => Buffer.concat([size, message]) }
}

/** A broker says in JSON that it refuses a token, and then hangs up. KafkaJS's own mechanism does not read this answer. */
function refusedToken(answer: string): RowmillError {
  const message = `the broker refuses the login: it refuses the token (${printable(answer)}). Is it still valid, and for this cluster?`
  return new RowmillError('AUTHENTICATION_FAILED', message)
}

let isMended = false

/** Changes to how KafkaJS logs in. To be called before the first connection. May be called more than once. */
export function mendLogins(): void {
  if (isMended) return
  isMended = true
  renewSessionsInTime()
  prepareLogins()
}

/**
 * KafkaJS begins a login before it asks for a token. Without a token it would begin another login on the same connection, and
 * the broker refuses that for good.
 */
function prepareLogins(): void {
  const authenticate = SaslAuthenticator.prototype.authenticate
  SaslAuthenticator.prototype.authenticate = async function (this: SaslAuthenticator) {
    const prepare = () => Promise.resolve((this.connection.sasl as PreparedMechanism).prepare?.())
    await (contactOf(this.connection)?.connecting(prepare) ?? prepare())
    await authenticate.call(this)
  }
}

/**
 * KafkaJS logs in again 10 s before a session ends. With sessions of less than that it logs in before each request, and the
 * broker refuses that, because it takes one login a second. We go by a part of the session's life.
 */
function renewSessionsInTime(): void {
  Connection.prototype.isAuthenticated = function (this: Connection) {
    if (this.authenticatedAt === null) return false
    const lifeMs = Number(this.sessionLifetime)
    if (lifeMs === 0) return true
    const [seconds, nanoseconds] = process.hrtime(this.authenticatedAt)
    return seconds * 1000 + nanoseconds / 1e6 < lifeMs * RENEWED_AFTER
  }
}
