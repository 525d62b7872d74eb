/**
 * There is no token for a moment, in the middle of a job with sessions of 6 s. The job waits, logs that once, and ends with the
 * same bytes. A refusal ends the job.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openJob } from '../../src/index.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { serialJob } from '../helpers/serial.ts'
import { type EndpointFault, tokenEndpoint } from '../helpers/token-endpoint.ts'
import { unsecuredToken } from '../helpers/unsecured-token.ts'
import { until } from '../helpers/until.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'
import { propertiesText } from '../helpers/ways-in.ts'

const ROWS = 300
/** That of the listener SHORT. The broker ends each connection without a new login after this time. */
const SESSION_MS = 6000
const CREDENTIALS = { clientId: 'rowmill', clientSecret: 'secret' }

const closes: (() => Promise<void> | void)[] = []
const closing = (close: () => Promise<void> | void) => closes.unshift(close)
let secured: SecuredBroker
let input: string
before(async () => {
  secured = await SecuredBroker.start(closing)
  input = join(testFolder({ after: closing }), 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: ROWS }, (_, i) => `${i},x${i % 7}\n`).join('')}`)
})
after(async () => {
  for (const close of closes) await close()
})

/** Where the tokens of a job come from, and how they fail. */
interface Tokens {
  readonly properties: Readonly<Record<string, string>>
  breaks(): void
  mends(): void
}

const token = () => unsecuredToken(USER, 3600)

async function fromEndpoint(t: TestContext, how: EndpointFault): Promise<Tokens> {
  let fault: EndpointFault | null = null
  const url = await tokenEndpoint(close => t.after(close), {
    ...CREDENTIALS,
    token,
    lifeSeconds: 5,
    fault: () => fault,
  })
  return {
    properties: {
      'sasl.oauthbearer.token.endpoint.url': url,
      'sasl.oauthbearer.client.id': CREDENTIALS.clientId,
      'sasl.oauthbearer.client.secret': CREDENTIALS.clientSecret,
    },
    breaks: () => {
      fault = how
    },
    mends: () => {
      fault = null
    },
  }
}

function fromFile(t: TestContext, breaks: (file: string) => void, command = false): Tokens {
  const file = join(testFolder(t), 'token')
  const mends = () => writeFileSync(file, token())
  mends()
  const properties: Record<string, string> = command
    ? { 'rowmill.token.command': `cat '${file}'` }
    : { 'sasl.oauthbearer.token.endpoint.url': `file://${file}` }
  return { properties, breaks: () => breaks(file), mends }
}

const SOURCES: Record<string, (t: TestContext) => Promise<Tokens> | Tokens> = {
  'an endpoint that answers 503': t => fromEndpoint(t, { status: 503, text: '' }),
  'an endpoint that hangs up': t => fromEndpoint(t, 'hang-up'),
  'an endpoint that does not answer': t => fromEndpoint(t, 'silence'),
  'a file that is missing': t => fromFile(t, file => rmSync(file)),
  'a file that is empty': t => fromFile(t, file => writeFileSync(file, '')),
  'a command that fails': t => fromFile(t, file => rmSync(file), true),
}

const NO_TOKEN = /no token from|the token from .* cannot be used/

/** A run that waits in the middle of its rows, and an event job, with these tokens. */
async function start(t: TestContext, { properties }: Tokens) {
  const folder = testFolder(t)
  const [config, output] = [join(folder, 'client.properties'), join(folder, 'out.csv')]
  const all = {
    'bootstrap.servers': secured.address('SHORT'),
    'security.protocol': 'SASL_SSL',
    'ssl.ca.location': secured.authority.ca,
    'sasl.mechanism': 'OAUTHBEARER',
    ...properties,
  }
  writeFileSync(config, propertiesText(all))
  const classifier = waitingClassifier(folder)
  const classify = ['--classifier', classifier.file, '--workers', '1', '--batch-rows', '20']
  const { child, finished } = startRowmill(['run', input, output, ...classify, '--command-config', config])
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', chunk => {
    said += chunk
  })
  await until('the classifier waits', () => existsSync(classifier.waits))
  return { output, kafka: { properties: all }, finished, classifier, said: () => said }
}

for (const [what, source] of Object.entries(SOURCES))
  test(`${what} for a moment: the job waits, logs it, and ends with the same bytes`, async t => {
    const tokens = await source(t)
    const { output, kafka, finished, classifier, said } = await start(t, tokens)
    const events = await openJob({ kafka, pipeline: `events-${what.replaceAll(' ', '-')}`, id: 'e', columns: ['A'] })
    await events.send(['x'])
    tokens.breaks()
    const sent = events.send(['y'])
    await Promise.all([sleep(SESSION_MS), until('the run logs it', () => NO_TOKEN.test(said()))])
    tokens.mends()
    writeFileSync(classifier.go, '')
    const { code, stderr } = await finished
    assert.equal(code, 0, stderr)
    assert.equal(readFileSync(output, 'utf8'), await serialJob(input, classifier.file))
    const lines = stderr.split('\n').filter(line => NO_TOKEN.test(line))
    assert.equal(lines.length, new Set(lines).size, stderr)
    assert.equal(await sent, 1)
    await events.close()
  })

test('an endpoint that refuses us in the middle of a job ends it at once, and it resumes', async t => {
  const tokens = await fromEndpoint(t, { status: 401, text: '{"error":"invalid_client"}' })
  const { output, finished, classifier } = await start(t, tokens)
  tokens.breaks()
  const { code, stderr } = await finished
  assert.equal(code, 3, stderr)
  assert.match(stderr, /no token from http\S+: HTTP status 401, invalid_client\. Check .* \[AUTHENTICATION_FAILED\]$/m)
  const [, words] = /^rowmill: to resume: rowmill (run --resume .*)$/m.exec(stderr)!
  tokens.mends()
  writeFileSync(classifier.go, '')
  const resumed = await rowmill(words!.split(' '))
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal(readFileSync(output, 'utf8'), await serialJob(input, classifier.file))
})
