import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { describeKafkaError } from '../../src/kafka/index.ts'
import { Outage } from '../../src/kafka/outage.ts'
import type { TokenSource } from '../../src/kafka/security.ts'
import { TokenNotices } from '../../src/kafka/token-notices.ts'
import { tokenFetcher } from '../../src/kafka/tokens.ts'
import { testFolder } from '../helpers/cli.ts'
import { freePort } from '../helpers/free-port.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { type EndpointFault, tokenEndpoint } from '../helpers/token-endpoint.ts'

const CREDENTIALS = { clientId: 'me', clientSecret: 'its secret' }

async function endpoint(t: TestContext, fault: () => EndpointFault | null, more: Partial<TokenSource> = {}) {
  const url = await tokenEndpoint(close => t.after(close), { ...CREDENTIALS, token: () => 'good', fault })
  return { from: 'endpoint', url, ...CREDENTIALS, scope: null, ca: null, ...more } as TokenSource
}

/** What the attempt to get a token throws, as those who use the connection see it. */
async function fault(source: TokenSource) {
  const error = await tokenFetcher(source)().then(
    token => assert.fail(`got ${token}`),
    thrown => thrown,
  )
  const { retriable, code, text } = describeKafkaError(error)
  return { code: retriable ? 'retry' : code, text }
}

const html = { status: 200, text: '<html>We will be back soon</html>' }
const CLIENT = /401, invalid_client\. Check sasl\.oauthbearer\.client\.id and sasl\.oauthbearer\.client\.secret/
const FAULTS: [what: string, fault: EndpointFault, code: string, text: RegExp][] = [
  ['is down for maintenance', { status: 503, text: '' }, 'retry', /: HTTP status 503$/],
  ['fails', { status: 500, text: '{"error":"server_error"}' }, 'retry', /: HTTP status 500, server_error$/],
  ['limits our requests', { status: 429, text: '{}' }, 'retry', /HTTP status 429/],
  ['hangs up', 'hang-up', 'retry', /socket hang up/],
  ['answers with a page', html, 'retry', /holds no access_token\. Is sasl\.oauthbearer\.token\.endpoint\.url the/],
  ['refuses us', { status: 401, text: '{"error":"invalid_client"}' }, 'AUTHENTICATION_FAILED', CLIENT],
  [
    'refuses the request',
    { status: 400, text: '{"error":"invalid_scope"}' },
    'AUTHENTICATION_FAILED',
    /invalid_scope\. Check sasl\.oauthbearer\.scope$/,
  ],
  ['forbids it', { status: 403, text: '' }, 'AUTHENTICATION_FAILED', /403\. Check sasl\.oauthbearer\.client\.id/],
  ['is no endpoint', { status: 404, text: '' }, 'AUTHENTICATION_FAILED', /404\. Check sasl.oauthbearer\.token\.endp/],
  [
    'redirects us',
    { status: 302, text: '' },
    'retry',
    /: HTTP status 302\. .*follows no redirect: give the final address as/,
  ],
]

for (const [what, how, code, text] of FAULTS)
  test(`an endpoint that ${what}: ${code}, and the next request may get a token`, async t => {
    let now: EndpointFault | null = how
    const source = await endpoint(t, () => now)
    const found = await fault(source)
    assert.equal(found.code, code)
    assert.match(found.text, text)
    const fetchToken = tokenFetcher(source)
    await assert.rejects(fetchToken())
    now = null
    assert.equal(await fetchToken(), 'good')
  })

test('an endpoint that repeats our secret is quoted without it', async t => {
  const text = JSON.stringify({
    error: 'invalid_client',
    error_description: `no client with ${CREDENTIALS.clientSecret}`,
  })
  const found = await fault(await endpoint(t, () => ({ status: 401, text })))
  assert.match(found.text, /HTTP status 401, invalid_client, no client with \*\*\*\. Check /)
})

test('an endpoint that repeats our secret in a URL, a form or Base64 is quoted without it', async t => {
  const secret = 'a secret: +%&"/'
  const { clientId } = CREDENTIALS
  const login = `${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  for (const said of [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ secret }).toString(),
    JSON.stringify(secret),
    login,
    `Basic ${base64(login)}`,
    `Basic ${base64(`${clientId}:${secret}`)}`,
    base64(secret).replaceAll('=', ''),
  ]) {
    const text = JSON.stringify({ error: 'invalid_client', error_description: `no <${said}>\u001b[2J` })
    const source = await endpoint(t, () => ({ status: 401, text }), { clientSecret: secret } as Partial<TokenSource>)
    const found = await fault(source)
    assert.match(found.text, /invalid_client, no <.*\*\*\*.*>\\u001b\[2J\. Check /)
    for (const form of [secret, encodeURIComponent(secret), base64(login), base64(secret).slice(0, 12)])
      assert.ok(!found.text.includes(form), found.text)
  }
})

test('of what a command wrote only the last line is shown, without secrets, and nothing of a trace', async t => {
  const text = async (command: string) => (await fault({ from: 'command', command })).text
  assert.match(await text('set -x; T=canary; echo $T >&2; exit 22'), /code 22\. What it said is not shown.*set -x/)
  assert.match(await text("printf 'canary\\n403 from vault\\n' >&2; exit 1"), /It said: 403 from vault$/)
  const file = join(testFolder(t), 'said')
  for (const said of [
    'Bearer canary',
    'Authorization: Basic canary',
    'client_secret=canary',
    '"token": canary',
    'eyJh.canary.e30',
  ]) {
    writeFileSync(file, `no: ${said}\n`)
    assert.match(await text(`cat '${file}' >&2; exit 1`), /It said: no: (?!.*canary).*\*\*\*/)
  }
})

test('an endpoint that does not answer is given up after 10 s, and retried', { timeout: 30_000 }, async t => {
  assert.deepEqual(
    await fault(await endpoint(t, () => 'silence')).then(({ code, text }) => [code, /within 10 s/.test(text)]),
    ['retry', true],
  )
})

test('an endpoint that accepts no connection is retried, and the message shows no password of its URL', async () => {
  const url = `http://me:canary@127.0.0.1:${await freePort()}/token`
  const found = await fault({ from: 'endpoint', url, ...CREDENTIALS, scope: null, ca: null })
  assert.equal(found.code, 'retry')
  assert.match(found.text, /ECONNREFUSED/)
  assert.doesNotMatch(found.text, /canary/)
})

test('a file that is missing or empty while it is replaced is retried', async t => {
  const file = join(testFolder(t), 'token')
  const fetchToken = tokenFetcher({ from: 'file', file })
  assert.match((await fault({ from: 'file', file })).text, /^no token from the file .*ENOENT/)
  writeFileSync(file, '\n')
  assert.deepEqual(await fault({ from: 'file', file }), {
    code: 'retry',
    text: `the token from the file ${file} cannot be used: it is empty`,
  })
  await assert.rejects(fetchToken())
  writeFileSync(file, 'good\n')
  assert.equal(await fetchToken(), 'good')
  rmSync(file)
  assert.equal((await fault({ from: 'file', file })).code, 'retry')
})

test('a command that fails once is retried', async t => {
  const mark = join(testFolder(t), 'ran')
  const command = `test -e '${mark}' && echo good || { touch '${mark}'; echo no vault >&2; exit 3; }`
  const found = await fault({ from: 'command', command })
  assert.deepEqual(found, {
    code: 'retry',
    text: 'no token from rowmill.token.command: it ended with exit code 3. It said: no vault',
  })
  assert.ok(existsSync(mark))
  assert.equal(await tokenFetcher({ from: 'command', command })(), 'good')
})

test('a command that fails again and again is logged once, and so is the end of that', async t => {
  const file = join(testFolder(t), 'token')
  writeFileSync(file, 'good')
  const said: string[] = []
  let at = 5000
  const now = () => at
  const notices = new TokenNotices(text => said.push(text), { timeoutMs: 60_000, now })
  const fetchToken = tokenFetcher({ from: 'command', command: `cat '${file}' 2>/dev/null || exit 3` }, { notices }, now)
  const failFor = async (attempts: number, pauseMs: number) => {
    for (let i = 0; i < attempts; i++) {
      await assert.rejects(fetchToken())
      at += pauseMs
    }
  }
  rmSync(file)
  await failFor(3, 1000)
  assert.equal(said.length, 0, 'without a first token the command ends with the error')
  writeFileSync(file, 'good')
  await fetchToken()
  rmSync(file)
  await failFor(3, 300)
  assert.equal(said.length, 0, 'a moment is not logged')
  await failFor(18, 300)
  const line = 'no token from rowmill.token.command: it ended with exit code 3. It said: nothing'
  assert.deepEqual(said, [`${line}. Retrying for --broker-timeout 60 s.`])
  const time = new ManualTime()
  const outage = new Outage('read', text => said.push(text), { timeoutMs: 60_000, tokens: notices }, time)
  const error = await fetchToken().catch(error => error)
  for (let i = 0; i < 5; i++) await Promise.all([outage.failed(error, new AbortController().signal), time.pass(1000)])
  assert.equal(said.length, 1, 'no connection repeats it')
  writeFileSync(file, 'good')
  await fetchToken()
  assert.deepEqual(said.slice(1), ['there are tokens again'])
})

test('the command is not on the command line of its shell, and no message repeats its arguments', async () => {
  const shell = "tr -d '\\0\\n $()' </proc/$$/cmdline; : canary-of-the-command"
  const seen = await tokenFetcher({ from: 'command', command: shell })()
  assert.match(seen, /sh/)
  assert.doesNotMatch(seen, /canary/)
  for (const command of [
    "echo 'canary-1234 is wrong' >&2; false canary-1234",
    'vault read canary-1234 (',
    'canary "canary-1234',
  ]) {
    const { text } = await fault({ from: 'command', command })
    assert.doesNotMatch(text, /1234/, text)
  }
})

test('a command, an endpoint and a login end at their limit, and the next attempt may succeed', async t => {
  const { port } = (await listening(t)).address() as AddressInfo
  const silent = { from: 'endpoint', url: `http://127.0.0.1:${port}/`, ...CREDENTIALS, scope: null, ca: null } as const
  const limits = { longestMs: 200 }
  await assert.rejects(tokenFetcher(silent, limits)(), { name: 'TokenUnavailable', message: /no answer within 0.2 s$/ })
  const slow = tokenFetcher({ from: 'command', command: 'sleep 1000' }, limits)
  await assert.rejects(slow(), { name: 'TokenUnavailable', message: /it did not end within 0.2 s$/ })
})

/** A server that takes requests and answers none. */
async function listening(t: TestContext) {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return server
}
