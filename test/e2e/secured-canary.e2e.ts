/**
 * Five secrets that the user wrote into a file or a variable: a password, the passphrase of a key, a token, a client secret
 * and the password of a schema registry. They are in nothing that rowmill prints, writes or starts, also if KafkaJS logs all
 * it can.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { openJob } from '../../src/index.ts'
import { Canaries } from '../helpers/canaries.ts'
import { type CliOptions, rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { lockedRegistry, startRegistry } from '../helpers/registry.ts'
import { scramUser } from '../helpers/scram-user.ts'
import { type Listener, SecuredBroker } from '../helpers/secured-broker.ts'
import { tokenEndpoint } from '../helpers/token-endpoint.ts'
import { unsecuredToken } from '../helpers/unsecured-token.ts'
import { propertiesText } from '../helpers/ways-in.ts'

const CLASSIFIERS = join(import.meta.dirname, '../fixtures/classifiers.py')
const canary = (name: string) => `${name} & "canary" ${randomBytes(8).toString('hex')}`
const [PASSWORD, PASSPHRASE, CLIENT_SECRET] = [canary('password'), canary('passphrase'), canary('client')]
const REGISTRY_PASSWORD = `registry-canary-${randomBytes(8).toString('hex')}`
const TOKEN = unsecuredToken('canary', 3600)
const LATE_TOKEN = unsecuredToken('canary', -60)
const SECRETS = [
  PASSWORD,
  PASSPHRASE,
  CLIENT_SECRET,
  REGISTRY_PASSWORD,
  TOKEN.split('.')[1]!,
  LATE_TOKEN.split('.')[1]!,
]
const LOUD = { ROWMILL_LOG_LEVEL: 'debug', KAFKAJS_DEBUG_PROTOCOL_BUFFERS: '1' }
const USER = 'canary-user'

type Properties = Readonly<Record<string, string>>
interface Way {
  readonly name: string
  readonly listener: Listener
  readonly properties: Properties
  /** The same with another secret of the same name, which rowmill or the broker refuses with this exit code. */
  readonly wrong: Properties
  readonly code: number
}

const closes: (() => Promise<void> | void)[] = []
const closing = (close: () => Promise<void> | void) => closes.unshift(close)
let secured: SecuredBroker
let registry: string
let ways: Way[]
/** Where the secrets are, and where nothing of them may be. */
let [vault, folder, input] = ['', '', '']
let canaries: Canaries

before(async () => {
  vault = testFolder({ after: closing })
  folder = testFolder({ after: closing })
  canaries = new Canaries(SECRETS, folder)
  input = join(folder, 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: 800 }, (_, i) => `${i},x\n`).join('')}`)
  secured = await SecuredBroker.start(closing)
  await scramUser(secured.broker.address, USER, PASSWORD)
  const apicurio = await startRegistry()
  closing(() => apicurio.close())
  registry = await lockedRegistry({ after: closing }, apicurio, `me:${REGISTRY_PASSWORD}`)
  ways = await waysWithSecrets()
})
after(async () => {
  for (const close of closes) await close()
})

async function waysWithSecrets(): Promise<Way[]> {
  const { authority, client } = secured
  const tls = { 'security.protocol': 'SSL', 'ssl.ca.location': authority.ca }
  const login = (mechanism: string) => ({ ...tls, 'security.protocol': 'SASL_SSL', 'sasl.mechanism': mechanism })
  const inFile = (name: string, token: string) => {
    writeFileSync(join(vault, name), token)
    return { ...login('OAUTHBEARER'), 'sasl.oauthbearer.token.endpoint.url': `file://${join(vault, name)}` }
  }
  const scram = (password: string) => ({
    ...login('SCRAM-SHA-256'),
    'sasl.jaas.config': `o.a.k.ScramLoginModule required username="${USER}" password=${JSON.stringify(password)};`,
  })
  const key = {
    ...{ ...tls, 'ssl.certificate.location': client.cert },
    'ssl.key.location': authority.encrypted(client.key, PASSPHRASE),
  }
  const credentials = { clientId: 'rowmill', clientSecret: CLIENT_SECRET }
  const oidc = (secret: string) => ({
    ...login('OAUTHBEARER'),
    'sasl.oauthbearer.token.endpoint.url': endpoint,
    'sasl.oauthbearer.client.id': credentials.clientId,
    'sasl.oauthbearer.client.secret': secret,
  })
  const endpoint = await tokenEndpoint(closing, { ...credentials, token: () => TOKEN })
  return [
    {
      ...{ name: 'a password', listener: 'LOGIN', code: 3 },
      ...{ properties: scram(PASSWORD), wrong: scram(`${PASSWORD}!`) },
    },
    {
      ...{ name: 'an encrypted key', listener: 'MUTUAL', code: 2 },
      properties: { ...key, 'ssl.key.password': PASSPHRASE },
      wrong: { ...key, 'ssl.key.password': `${PASSPHRASE}!` },
    },
    {
      ...{ name: 'a token', listener: 'LOGIN', code: 3 },
      ...{ properties: inFile('token', TOKEN), wrong: inFile('late', LATE_TOKEN) },
    },
    {
      ...{ name: 'a client secret', listener: 'LOGIN', code: 3 },
      ...{ properties: oidc(CLIENT_SECRET), wrong: oidc(`${CLIENT_SECRET}!`) },
    },
  ]
}

/** The options of a way in a file of the user, with the login of the schema registry. */
function fromFile({ name, listener }: Way, properties: Properties): string[] {
  const file = join(vault, `${name.replaceAll(' ', '-')}.properties`)
  const all = {
    'bootstrap.servers': secured.address(listener),
    'schema.registry.url': registry,
    'basic.auth.credentials.source': 'USER_INFO',
    'basic.auth.user.info': `me:${REGISTRY_PASSWORD}`,
    ...properties,
  }
  writeFileSync(file, propertiesText(all))
  return ['--command-config', file, '--schema-registry', registry]
}

/** The same in the environment. */
function inEnvironment({ listener }: Way, properties: Properties): CliOptions {
  const url = registry.replace('//', `//me:${REGISTRY_PASSWORD}@`)
  const given = { ROWMILL_PROPERTY: propertiesText(properties), ROWMILL_SCHEMA_REGISTRY: url }
  return { env: { ...LOUD, ...given, ROWMILL_BROKERS: secured.address(listener) } }
}

const act = (...args: string[]) => rowmill(args, { env: LOUD })

test('every command logs in, and shows no secret', async () => {
  const [password] = ways as [Way]
  const at = [...fromFile(password, password.properties), '--pipeline', 'all']
  const published = await act('publish', input, '--partitions', '2', ...at)
  canaries.check(published, 0)
  assert.match(published.stderr, /kafkajs DEBUG|kafkajs/, 'KafkaJS logs')
  const job = ['--job', published.stdout.trim()]
  const classify = ['--classifier', `${CLASSIFIERS}:a_float`, '--workers', '1']
  canaries.check(await act('work', ...classify, '--until-done', job[1]!, ...at), 0)
  const output = join(folder, 'out.csv')
  for (const args of [
    ['collect', output, ...job],
    ['tail', ...job, '--format', 'json'],
    ['verify', output, ...job, '--output', 'json'],
    ['rejects', 'list', ...job, '--output', 'json'],
    ['rejects', 'export', join(folder, 'rejects.csv'), ...job],
    ['jobs', 'open', '--job', 'events', '--columns', 'A', '--output', 'json'],
    ['jobs', 'list', '--output', 'json'],
    ['jobs', 'cancel', '--job', 'events'],
    ['jobs', 'rm', 'events'],
  ])
    canaries.check(await act(...args, ...at), 0)
  const doctor = await act('doctor', '--output', 'json', ...at)
  canaries.check(doctor, doctor.code!) // its exit code depends on this machine
  assert.match(doctor.stdout, /^{/)
  canaries.check(await act('acls', '--role', 'work', ...at.slice(0, 2)), 0)
  const replay = canaries.check(await act('rejects', 'replay', ...job, ...at), 0)
  assert.match(replay, /nothing to replay/)
})

test('a run with each secret shows none, in its report, its files and its processes, and resumes', async t => {
  for (const [i, way] of ways.entries()) {
    const output = join(folder, `run-${i}.csv`)
    const args = ['run', input, output, '--classifier', `${CLASSIFIERS}:says_when_it_works`, '--workers', '1']
    const environment = inEnvironment(way, way.properties)
    const { child, finished } = startRowmill(args, environment)
    t.after(() => child.kill('SIGKILL'))
    for await (const line of createInterface(child.stderr)) if (line === 'at work') break
    canaries.checkProcesses(child.pid!)
    child.kill('SIGINT')
    canaries.check(await finished, 130)
    const forgotten = await rowmill(['run', '--resume', output], { env: LOUD })
    assert.notEqual(forgotten.code, 0, 'without its secret it cannot resume')
    canaries.check(forgotten, forgotten.code!)
    const report = ['--report', join(folder, `report-${i}.json`)]
    canaries.check(await rowmill(['run', '--resume', output, ...report], environment), 0)
    assert.equal(readFileSync(output, 'utf8').split('\n').length, 801)
  }
})

test('no command that is refused shows a secret, nor does an error of the SDK', async () => {
  const classify = ['--classifier', `${CLASSIFIERS}:a_float`, '--workers', '1']
  for (const [i, way] of ways.entries()) {
    const at = fromFile(way, way.wrong)
    const env = { ...LOUD, ROWMILL_LOG_FORMAT: i % 2 === 0 ? 'json' : 'text' }
    for (const args of [
      ['run', input, join(folder, 'no.csv'), ...classify],
      ['publish', input],
      ['work', ...classify],
      ['collect', join(folder, 'no.csv'), '--job', 'j'],
      ['tail', '--job', 'j'],
      ['verify', input, '--job', 'j', '--output', 'json'],
      ['jobs', 'list', '--output', 'json'],
    ])
      canaries.check(await rowmill([...args, ...at], { env }), way.code)
    const kafka = { brokers: [secured.address(way.listener)], properties: way.wrong }
    const error = await openJob({ kafka, id: 'events', columns: ['A'] }).catch(thrown => thrown)
    assert.match(error.code, /AUTHENTICATION_FAILED|USAGE/)
    canaries.checkError(error)
  }
})

test('a property with a secret on the command line is refused, and not shown', async () => {
  for (const [name, secret] of [
    ['sasl.password', PASSWORD],
    ['ssl.key.password', PASSPHRASE],
    ['sasl.oauthbearer.client.secret', CLIENT_SECRET],
    ['basic.auth.user.info', `me:${REGISTRY_PASSWORD}`],
    ['rowmill.token.command', `vault read ${CLIENT_SECRET}`],
    ['sasl.oauthbearer.token.endpoint.url', `https://me:${REGISTRY_PASSWORD}@id.example/token`],
  ]) {
    const said = canaries.check(await act('jobs', 'list', '-b', 'localhost:1', '-X', `${name}=${secret}`), 2)
    assert.match(said, new RegExp(`${name}.*\\[USAGE\\]`))
  }
})
