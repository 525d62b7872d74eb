/** No line of the log shows a password, a key or a token, wherever the user gave it. docs/logs.md says where that may be. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { jsonLines } from '../helpers/json-lines.ts'

const CANARY = 'canary-8f3c2a9b7d'
/** Nobody listens there. */
const NOBODY = '127.0.0.1:1'
const PLAIN = { 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'PLAIN', 'sasl.username': 'me' }
const OAUTH = { 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'OAUTHBEARER' }
const ENDPOINT = { ...OAUTH, 'sasl.oauthbearer.token.endpoint.url': `http://${NOBODY}/token` }
const IAM = { 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'AWS_MSK_IAM' }
const SSL = { 'security.protocol': 'SSL' }
const REGISTRY = { 'schema.registry.url': `http://${NOBODY}`, 'basic.auth.credentials.source': 'USER_INFO' }
const PEM = `-----BEGIN PRIVATE KEY-----\\n${CANARY}\\n-----END PRIVATE KEY-----`

interface Given {
  readonly properties?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}

const PLACES: Readonly<Record<string, Given>> = {
  'sasl.password': { properties: { ...PLAIN, 'sasl.password': CANARY } },
  'sasl.jaas.config': {
    properties: { ...PLAIN, 'sasl.jaas.config': `o.PlainLoginModule required username="me" password="${CANARY}";` },
  },
  'sasl.jaas.config that cannot be read': { properties: { ...PLAIN, 'sasl.jaas.config': `password=${CANARY}` } },
  'sasl.password with a mistyped mechanism': {
    properties: { ...PLAIN, 'sasl.mechanism': 'PLAN', 'sasl.password': CANARY },
  },
  'sasl.oauthbearer.client.secret': {
    properties: { ...ENDPOINT, 'sasl.oauthbearer.client.id': 'me', 'sasl.oauthbearer.client.secret': CANARY },
  },
  'sasl.oauthbearer.client.credentials.client.secret': {
    properties: {
      ...ENDPOINT,
      'sasl.oauthbearer.client.credentials.client.id': 'me',
      'sasl.oauthbearer.client.credentials.client.secret': CANARY,
    },
  },
  'sasl.oauthbearer.config': { properties: { ...OAUTH, 'sasl.oauthbearer.config': `token=${CANARY}` } },
  'sasl.oauthbearer.assertion.private.key.passphrase': {
    properties: { ...ENDPOINT, 'sasl.oauthbearer.assertion.private.key.passphrase': CANARY },
  },
  'the URL of a token endpoint': {
    properties: { ...OAUTH, 'sasl.oauthbearer.token.endpoint.url': `http://me:${CANARY}@${NOBODY}/token` },
  },
  'rowmill.token.command': { properties: { ...OAUTH, 'rowmill.token.command': `: ${CANARY}; exit 1` } },
  'what a token command prints': { properties: { ...OAUTH, 'rowmill.token.command': `echo ${CANARY}` } },
  'the keys of AWS': {
    properties: IAM,
    env: {
      AWS_ACCESS_KEY_ID: 'AKIA',
      AWS_SECRET_ACCESS_KEY: CANARY,
      AWS_SESSION_TOKEN: CANARY,
      AWS_REGION: 'eu-west-1',
    },
  },
  'ssl.keystore.password': {
    properties: { ...SSL, 'ssl.keystore.location': '/nowhere.p12', 'ssl.keystore.password': CANARY },
  },
  'ssl.truststore.password': {
    properties: { ...SSL, 'ssl.truststore.location': '/nowhere.p12', 'ssl.truststore.password': CANARY },
  },
  'ssl.key.password': { properties: { ...SSL, 'ssl.key.location': '/nowhere.pem', 'ssl.key.password': CANARY } },
  'ssl.key.pem': { properties: { ...SSL, 'ssl.key.pem': PEM } },
  'ssl.keystore.key': { properties: { ...SSL, 'ssl.keystore.type': 'PEM', 'ssl.keystore.key': PEM } },
  'basic.auth.user.info': { properties: { ...REGISTRY, 'basic.auth.user.info': `me:${CANARY}` } },
  'schema.registry.basic.auth.user.info': {
    properties: { ...REGISTRY, 'schema.registry.basic.auth.user.info': `me:${CANARY}` },
  },
  'a secret property on the command line': { args: ['--property', `sasl.password=${CANARY}`] },
  'a secret property in the environment': { env: { ROWMILL_PROPERTY: `sasl.password=${CANARY}\nbogus` } },
  'the URL of a schema registry': { args: ['--schema-registry', `http://me:${CANARY}@${NOBODY}`] },
  'the URL of a schema registry in the environment': {
    env: { ROWMILL_SCHEMA_REGISTRY: `http://me:${CANARY}@${NOBODY}` },
  },
  'a token in the query of a URL': { args: ['--schema-registry', `http://${NOBODY}/?token=${CANARY}`] },
  'the user and password where their file belongs': { args: ['--schema-registry-userinfo-file', `me:${CANARY}`] },
  'a password in the address of a broker': { args: ['--brokers', `me:${CANARY}@${NOBODY}`] },
  'a password where no option expects one': { args: [`kafka://me:${CANARY}@${NOBODY}`] },
}

for (const [place, { properties, env = {}, args = [] }] of Object.entries(PLACES))
  test(`the log shows no secret of ${place}`, async t => {
    const file = join(testFolder(t), 'client.properties')
    const lines = Object.entries({ 'bootstrap.servers': NOBODY, ...properties })
    writeFileSync(file, lines.map(([name, value]) => `${name}=${value}\n`).join(''), { mode: 0o600 })
    const reach = properties ? ['--command-config', file] : args.includes('--brokers') ? [] : ['--brokers', NOBODY]
    const loud = { ROWMILL_LOG_LEVEL: 'debug', ROWMILL_LOG_FORMAT: 'json', ROWMILL_BROKER_TIMEOUT: '1' }
    const ended = await rowmill(['jobs', 'list', ...reach, ...args], { env: { ...loud, ...env } })
    const { log } = jsonLines(ended.stderr)
    assert.ok(
      log.some(({ level }) => level === 'error'),
      ended.stderr,
    )
    assert.doesNotMatch(`${ended.stdout}${ended.stderr}`, /canary|8f3c2a9b7d/)
  })

test('the token of --metrics-token-file is not in the log, also if the file is not as it should be', async t => {
  const file = join(testFolder(t), 'token')
  for (const text of [CANARY, `${CANARY}\n${CANARY}`, `${CANARY} ${CANARY}`]) {
    writeFileSync(file, text, { mode: 0o600 })
    const env = { ROWMILL_LOG_LEVEL: 'debug', ROWMILL_LOG_FORMAT: 'json' }
    const args = ['--brokers', NOBODY, '--port', '0', '--metrics-address', '192.0.2.1', '--metrics-token-file', file]
    const { code, stdout, stderr } = await rowmill(['monitor', ...args], { env })
    assert.equal(code, 2, stderr)
    assert.doesNotMatch(`${stdout}${stderr}`, /canary/)
  }
})
