import { readFile } from 'node:fs/promises'
import { RowmillError } from '../errors.ts'
import { unlessAborted } from '../support/abort.ts'
import { type Clock, monotonicMs } from '../support/clock.ts'
import { maskKnown, maskUrl } from '../support/credentials.ts'
import { runInOwnGroup } from '../support/own-group.ts'
import { printable, printableLine } from '../support/printable.ts'
import { refusalOf } from './refusal.ts'
import type { TokenSource } from './security.ts'
import { pemOf } from './tls.ts'
import type { TokenNotices } from './token-notices.ts'

const LONGEST_MS = { file: 30_000, command: 30_000, endpoint: 10_000, aws: 30_000 }
/** What others say is cut to this many characters. */
const LONGEST_SAID = 300
/** Statuses of HTTP that a retry may cure, although they blame the client. */
const BUSY = [408, 425, 429]
/** A token with a known life is used for this part of it, as Java does. */
const USED_PART = 0.8
const ENDPOINT = 'sasl.oauthbearer.token.endpoint.url'
const AWS_SIGNER = 'aws-msk-iam-sasl-signer-js'

interface Token {
  readonly value: string
  /** How long it is valid, in ms. Null: not known, so it serves one login. */
  readonly lifeMs: number | null
}

/**
 * There is no token now, but a retry may get one: nobody answers, or somebody is just replacing the file. KafkaJS retries it,
 * and so do we, as a connection that fails. It has no cause, because KafkaJS would throw the cause instead.
 */
export class TokenUnavailable extends Error {
  override readonly name = 'TokenUnavailable'
  readonly retriable = true
}

/** The endpoint refuses to give us a token. */
class TokenRefused extends Error {}

/** Whether a login failed for lack of a token. KafkaJS wraps what the login threw. */
export function isTokenUnavailable(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as Error
  return name === 'TokenUnavailable' || (cause !== undefined && cause !== error && isTokenUnavailable(cause))
}

/** What ends the wait for a token. */
export interface TokenLimits {
  readonly stop?: AbortSignal
  /** The longest that one token may take. Each source has a limit of its own too. */
  readonly longestMs?: number
  /** Who tells the user that there is no token for a while. */
  readonly notices?: TokenNotices
}

/**
 * Fetches tokens: a new one for each login, or the last one while it is known to be valid. Throws TokenUnavailable, or
 * AUTHENTICATION_FAILED if a retry cannot help. No error shows a token.
 */
export function tokenFetcher(
  source: TokenSource,
  limits: TokenLimits = {},
  now: Clock = monotonicMs,
): () => Promise<string> {
  let last: { token: Promise<Token>; until: number } | null = null
  return async () => {
    if (last === null || now() >= last.until) {
      const asked = { token: fetchToken(source, limits), until: Number.POSITIVE_INFINITY } // those that ask meanwhile share it
      last = asked
      const askedAt = now()
      try {
        const { lifeMs } = await asked.token
        limits.notices?.got()
        asked.until = lifeMs === null ? Number.NEGATIVE_INFINITY : now() + lifeMs * USED_PART
      } catch (error) {
        if (last === asked) last = null
        if (isTokenUnavailable(error) && !limits.stop?.aborted) limits.notices?.failed(error as Error, askedAt)
        throw error
      }
    }
    return (await last.token).value
  }
}

async function fetchToken(source: TokenSource, { stop, longestMs = LONGEST_MS.file }: TokenLimits): Promise<Token> {
  const ms = Math.min(LONGEST_MS[source.from], longestMs)
  const late = AbortSignal.timeout(ms)
  const limit = stop ? AbortSignal.any([stop, late]) : late
  const { what, fetch } = readings(source, limit)
  const token = await unlessAborted(fetch(), limit).catch(error => {
    const slow = source.from === 'command' ? 'it did not end' : 'no answer'
    throw noToken(what, late.aborted ? new Error(`${slow} within ${ms / 1000} s`) : error)
  })
  if (/^[\x21-\x7e]+$/.test(token.value)) return token
  const flaw = token.value === '' ? 'it is empty' : 'it must be one word of ASCII characters'
  throw new TokenUnavailable(`the token from ${what} cannot be used: ${flaw}`)
}

function noToken(what: string, error: Error): Error {
  if (error instanceof RowmillError) return error
  const message = `no token from ${what}: ${error.message}`
  const isFinal = error instanceof TokenRefused || refusalOf(error) !== null
  return isFinal ? new RowmillError('AUTHENTICATION_FAILED', message) : new TokenUnavailable(message)
}

function readings(source: TokenSource, limit: AbortSignal): { what: string; fetch: () => Promise<Token> } {
  switch (source.from) {
    case 'file':
      return {
        what: `the file ${source.file}`,
        fetch: async () => ({ value: (await readFile(source.file, 'utf8')).trim(), lifeMs: null }),
      }
    case 'command':
      return { what: 'rowmill.token.command', fetch: () => fromCommand(source.command, limit) }
    case 'endpoint':
      return { what: maskUrl(source.url), fetch: () => fromEndpoint(source, limit) }
    case 'aws':
      return { what: 'the AWS credentials', fetch: () => fromAws(source) }
  }
}

/** The shell reads the command from its standard input, because all users can read a command line. */
const RUN_INPUT = 'command=$(cat); exec </dev/null; eval "$command"'

async function fromCommand(command: string, limit: AbortSignal): Promise<Token> {
  const shell = { input: command, limit }
  const { stdout, stderr, code, signal } = await runInOwnGroup('/bin/sh', ['-c', RUN_INPUT], shell)
  if (code === 0) return { value: stdout.trim(), lifeMs: null }
  const how = signal ? `it was ended by ${signal}` : `it ended with exit code ${code}`
  throw new Error(`${how}. ${lastWords(stderr, command)}`)
}

/**
 * The last line that a command wrote to its standard error, without each longer argument of the command, which may be a
 * secret that a shell or program repeats. Nothing if the command traced itself (`set -x`): a trace holds each secret it uses.
 * We cannot know a secret that only the programs of the command know.
 */
function lastWords(stderr: string, command: string): string {
  const lines = printable(stderr).trim().split('\n')
  if (lines.some(line => /^\++ /.test(line))) return 'What it said is not shown, because it is a trace (set -x)'
  const words = command.split(/[\s"'`=|;&<>()]+/).slice(1)
  const last = lines
    .at(-1)!
    .trim()
    .replace(SECRET_WORD, (_, name = '') => `${name}***`)
  return `It said: ${
    maskKnown(
      last,
      words.filter(word => word.length >= 6),
    ).slice(0, LONGEST_SAID) || 'nothing'
  }`
}

/** A header or an assignment with a secret, or a token that is a JWT. */
const SECRET_WORD = /(\b(?:Bearer|Basic)\s+|(?:token|passw(?:or)?d|secret|key)"?\s*[=:]\s*)\S+|\beyJ[\w-]+\.[\w.-]+/gi

async function fromEndpoint(source: Endpoint, limit: AbortSignal): Promise<Token> {
  const { clientId, clientSecret, scope } = source
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope ? { scope } : {}) })
  const login = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`
  const { status, text } = await post(source, { authorization, body: body.toString(), limit })
  const answer = parseAnswer(text)
  if (status !== 200) {
    const { error, error_description: description } = answer
    const parts = [`HTTP status ${status}`, error, description].filter(said => typeof said === 'string')
    const secrets = [clientSecret, login, `${clientId}:${clientSecret}`]
    const said = printableLine(maskKnown(parts.join(', '), secrets)).slice(0, LONGEST_SAID)
    if (status >= 300 && status < 400)
      throw new Error(`${said}. rowmill follows no redirect: give the final address as ${ENDPOINT}`)
    if (status < 400 || status >= 500 || BUSY.includes(status)) throw new Error(said)
    throw new TokenRefused(`${said}. ${cureOfRefusal(status, error)}`)
  }
  const { access_token: value, expires_in: seconds } = answer
  if (typeof value !== 'string')
    throw new Error(`its answer holds no access_token. Is ${ENDPOINT} the address that gives tokens?`)
  return { value, lifeMs: Number(seconds) > 0 ? Number(seconds) * 1000 : null }
}

/** The properties to look at, by the error of RFC 6749, section 5.2. */
function cureOfRefusal(status: number, error: unknown): string {
  if (error === 'invalid_scope') return 'Check sasl.oauthbearer.scope'
  if (error === undefined && status !== 401 && status !== 403) return `Check ${ENDPOINT}`
  return 'Check sasl.oauthbearer.client.id and sasl.oauthbearer.client.secret, and what the endpoint allows this client'
}

function parseAnswer(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return {}
  }
}

type Endpoint = Extract<TokenSource, { from: 'endpoint' }>

/**
 * fetch cannot be given an authority to trust, so this is node:https. It is loaded here, because its import takes 20 ms and
 * few logins have an endpoint.
 */
async function post(
  { url, ca }: Endpoint,
  { authorization, body, limit: signal }: { authorization: string; body: string; limit: AbortSignal },
): Promise<{ status: number; text: string }> {
  const { request } = url.startsWith('http:') ? await import('node:http') : await import('node:https')
  return new Promise((resolve, reject) => {
    const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
    const trusted = ca ? { ca: pemOf(ca) } : {}
    const asked = request(url, { method: 'POST', headers, signal, ...trusted }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', chunk => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

type AwsSource = Extract<TokenSource, { from: 'aws' }>

/**
 * Throws USAGE if this machine lacks what the source needs. Both are known before a broker is asked, and no retry or broker can
 * cure them, so this is no failed login.
 */
export function checkTokenSource(source: TokenSource): void {
  if (source.from !== 'aws') return
  try {
    import.meta.resolve(AWS_SIGNER)
  } catch (cause) {
    const message = `AWS_MSK_IAM needs the package ${AWS_SIGNER}. Install it beside rowmill: npm install ${AWS_SIGNER}`
    throw new RowmillError('USAGE', message, { package: AWS_SIGNER }, { cause })
  }
  regionOf(source)
}

function regionOf({ region }: AwsSource): string {
  const found = region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION']
  if (found) return found
  throw new RowmillError('USAGE', 'AWS_MSK_IAM needs a region. Give rowmill.aws.region, or set AWS_REGION')
}

/**
 * From the optional package that signs for MSK, which is loaded where it is used and nowhere else. Signing asks no server. So
 * each login gets a new token, and its session the whole life of that.
 */
async function fromAws(source: AwsSource): Promise<Token> {
  const { profile, role } = source
  const region = regionOf(source)
  const signer = (await import(AWS_SIGNER)) as AwsSigner
  const { token } = profile
    ? await signer.generateAuthTokenFromProfile({ region, awsProfileName: profile })
    : role
      ? await signer.generateAuthTokenFromRole({ region, awsRoleArn: role })
      : await signer.generateAuthToken({ region })
  return { value: token, lifeMs: null }
}

/** The part of the package that we use. */
interface AwsSigner {
  generateAuthToken(options: { region: string }): Promise<SignedToken>
  generateAuthTokenFromProfile(options: { region: string; awsProfileName: string }): Promise<SignedToken>
  generateAuthTokenFromRole(options: { region: string; awsRoleArn: string }): Promise<SignedToken>
}

interface SignedToken {
  readonly token: string
}
