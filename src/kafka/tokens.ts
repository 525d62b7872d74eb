import { exec } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { request as requestPlain } from 'node:http'
import { request } from 'node:https'
import { promisify } from 'node:util'
import { RowmillError } from '../errors.ts'
import { type Clock, monotonicMs } from '../support/clock.ts'
import type { TokenSource } from './security.ts'
import { pemOf } from './tls.ts'

/** How long a command or an endpoint has for a token. */
const ANSWER_MS = 30_000
/** A token with a known life is used for this part of it, as Java does. */
const USED_PART = 0.8
const AWS_SIGNER = 'aws-msk-iam-sasl-signer-js'

interface Token {
  readonly value: string
  /** How long it is valid, in ms. Null: not known, so it serves one login. */
  readonly lifeMs: number | null
}

/**
 * Fetches tokens: a new one for each login, or the last one while it is known to be valid. Throws AUTHENTICATION_FAILED,
 * which never shows a token.
 */
export function tokenFetcher(source: TokenSource, now: Clock = monotonicMs): () => Promise<string> {
  let last: { token: Promise<Token>; until: number } | null = null
  return async () => {
    if (last === null || now() >= last.until) {
      const asked = { token: fetchToken(source), until: Number.POSITIVE_INFINITY } // those that ask meanwhile share it
      last = asked
      try {
        const { lifeMs } = await asked.token
        asked.until = lifeMs === null ? Number.NEGATIVE_INFINITY : now() + lifeMs * USED_PART
      } catch (error) {
        if (last === asked) last = null
        throw error
      }
    }
    return (await last.token).value
  }
}

async function fetchToken(source: TokenSource): Promise<Token> {
  const { what, fetch } = readings(source)
  let token: Token
  try {
    token = await fetch()
  } catch (cause) {
    if (cause instanceof RowmillError) throw cause
    throw new RowmillError('AUTHENTICATION_FAILED', `no token from ${what}: ${(cause as Error).message}`, {}, { cause })
  }
  if (/^[\x21-\x7e]+$/.test(token.value)) return token
  const flaw = token.value === '' ? 'it is empty' : 'it must be one word of ASCII characters'
  throw new RowmillError('AUTHENTICATION_FAILED', `the token from ${what} cannot be used: ${flaw}`)
}

function readings(source: TokenSource): { what: string; fetch: () => Promise<Token> } {
  switch (source.from) {
    case 'file':
      return {
        what: `the file ${source.file}`,
        fetch: async () => ({ value: (await readFile(source.file, 'utf8')).trim(), lifeMs: null }),
      }
    case 'command':
      return { what: 'rowmill.token.command', fetch: () => fromCommand(source.command) }
    case 'endpoint':
      return { what: source.url, fetch: () => fromEndpoint(source) }
    case 'aws':
      return { what: 'the AWS credentials', fetch: () => fromAws(source) }
  }
}

async function fromCommand(command: string): Promise<Token> {
  try {
    const { stdout } = await promisify(exec)(command, { timeout: ANSWER_MS })
    return { value: stdout.trim(), lifeMs: null }
  } catch (error) {
    // What exec says holds the command, which may hold a secret.
    const { code, signal, stderr = '' } = error as { code?: number; signal?: string; stderr?: string }
    const how = signal ? `it was ended by ${signal} after ${ANSWER_MS / 1000} s` : `it ended with exit code ${code}`
    throw new Error(`${how}. It said: ${stderr.trim().slice(0, 300) || 'nothing'}`)
  }
}

async function fromEndpoint(source: Extract<TokenSource, { from: 'endpoint' }>): Promise<Token> {
  const { clientId, clientSecret, scope } = source
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope ? { scope } : {}) })
  const login = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
  const { status, text } = await post(source, `Basic ${Buffer.from(login).toString('base64')}`, body.toString())
  const answer = parseAnswer(text)
  if (status !== 200) {
    const { error, error_description: description } = answer
    throw new Error([`HTTP status ${status}`, error, description].filter(said => typeof said === 'string').join(', '))
  }
  const { access_token: value, expires_in: seconds } = answer
  if (typeof value !== 'string') throw new Error('its answer holds no access_token')
  return { value, lifeMs: Number(seconds) > 0 ? Number(seconds) * 1000 : null }
}

function parseAnswer(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return {}
  }
}

type Endpoint = Extract<TokenSource, { from: 'endpoint' }>

/** fetch cannot be given an authority to trust, so this is node:https. */
function post({ url, ca }: Endpoint, authorization: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('http:') ? requestPlain : request
    const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
    const trusted = ca ? { ca: pemOf(ca) } : {}
    const asked = send(url, { method: 'POST', headers, timeout: ANSWER_MS, ...trusted }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', chunk => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)))
    asked.on('error', reject)
    asked.end(body)
  })
}

/** The optional package that signs for MSK. It is loaded where it is used and nowhere else. */
async function fromAws({ region, profile, role }: Extract<TokenSource, { from: 'aws' }>): Promise<Token> {
  const signer = await loadSigner()
  const where = region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION']
  if (!where) throw new Error('which region? Give rowmill.aws.region, or set AWS_REGION')
  const { token, expiryTime } = profile
    ? await signer.generateAuthTokenFromProfile({ region: where, awsProfileName: profile })
    : role
      ? await signer.generateAuthTokenFromRole({ region: where, awsRoleArn: role })
      : await signer.generateAuthToken({ region: where })
  return { value: token, lifeMs: Math.max(0, expiryTime - Date.now()) }
}

/** What we call of it. `expiryTime` is in ms since 1970. */
interface AwsSigner {
  generateAuthToken(options: { region: string }): Promise<SignedToken>
  generateAuthTokenFromProfile(options: { region: string; awsProfileName: string }): Promise<SignedToken>
  generateAuthTokenFromRole(options: { region: string; awsRoleArn: string }): Promise<SignedToken>
}

interface SignedToken {
  readonly token: string
  readonly expiryTime: number
}

async function loadSigner(): Promise<AwsSigner> {
  try {
    return (await import(AWS_SIGNER)) as AwsSigner
  } catch (cause) {
    const message = `AWS_MSK_IAM needs the package ${AWS_SIGNER}. Install it beside rowmill: npm install ${AWS_SIGNER}`
    throw new RowmillError('USAGE', message, { package: AWS_SIGNER }, { cause })
  }
}
