/**
 * Faults in the middle of a job, each with a secret of the user: no output, log, error, file or process shows the secret, and
 * the line that resumes the job works. KafkaJS logs all it can, as text and as JSON in turn.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openJob } from '../../src/index.ts'
import { Canaries } from '../helpers/canaries.ts'
import { Authority } from '../helpers/certificates.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants } from '../helpers/processes.ts'
import { lockedRegistry, startRegistry } from '../helpers/registry.ts'
import { scramUser } from '../helpers/scram-user.ts'
import { type Listener, SecuredBroker } from '../helpers/secured-broker.ts'
import { serialJob } from '../helpers/serial.ts'
import { type EndpointFault, tokenEndpoint } from '../helpers/token-endpoint.ts'
import { unsecuredToken } from '../helpers/unsecured-token.ts'
import { until } from '../helpers/until.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'
import { propertiesText } from '../helpers/ways-in.ts'

const USER = 'canary-user'
const canary = (name: string) => `${name}-canary-${randomBytes(8).toString('hex')}`
const [PASSWORD, PASSPHRASE, CLIENT_SECRET] = [canary('password'), canary('passphrase'), canary('client')]
const [COMMAND_SECRET, REGISTRY_PASSWORD] = [canary('command'), canary('registry')]
const TOKEN = unsecuredToken(USER, 3600)
const LATE_TOKEN = unsecuredToken(USER, -60)
const TOKENS = [TOKEN, LATE_TOKEN].map(token => token.split('.')[1]!)
const SECRETS = [PASSWORD, PASSPHRASE, CLIENT_SECRET, COMMAND_SECRET, REGISTRY_PASSWORD, ...TOKENS]
const LOUD = { ROWMILL_LOG_LEVEL: 'debug', KAFKAJS_DEBUG_PROTOCOL_BUFFERS: '1' }
const ROWS = 300

type Properties = Readonly<Record<string, string>>
interface Fault {
  readonly listener: Listener
  readonly properties: Properties
  breaks(): Promise<void> | void
  mends(): Promise<void> | void
}

const closes: (() => Promise<void> | void)[] = []
const closing = (close: () => Promise<void> | void) => closes.unshift(close)
let secured: SecuredBroker
let registry: string
/** The secrets are in the vault, and nothing of them may be in the folder. */
let [vault, folder, input] = ['', '', '']
let canaries: Canaries

before(async () => {
  vault = testFolder({ after: closing })
  folder = testFolder({ after: closing })
  canaries = new Canaries(SECRETS, folder)
  input = join(folder, 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: ROWS }, (_, i) => `${i},x${i % 7}\n`).join('')}`)
  secured = await SecuredBroker.start(closing, { dataDir: join(vault, 'broker') })
  await scramUser(secured.broker.address, USER, PASSWORD)
  const apicurio = await startRegistry()
  closing(() => apicurio.close())
  registry = await lockedRegistry({ after: closing }, apicurio, `me:${REGISTRY_PASSWORD}`)
})
after(async () => {
  for (const close of closes) await close()
})

const inVault = (name: string) => join(vault, name)
const bearer = (properties: Properties): Properties => ({
  'security.protocol': 'SASL_SSL',
  'ssl.ca.location': secured.authority.ca,
  'sasl.mechanism': 'OAUTHBEARER',
  ...properties,
})

/** A client of the listener MUTUAL with an encrypted key. `install` replaces its files. */
function mutual(name: string) {
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map(file => inVault(`${name}-${file}`)) as [
    string,
    string,
    string,
  ]
  const install = ({ days = 365 } = {}) => {
    const mine = secured.authority.certify('DNS:client', { days })
    copyFileSync(secured.authority.ca, ca)
    copyFileSync(mine.cert, cert)
    copyFileSync(secured.authority.encrypted(mine.key, PASSPHRASE), key)
  }
  install()
  const own = { 'ssl.certificate.location': cert, 'ssl.key.location': key, 'ssl.key.password': PASSPHRASE }
  return { install, properties: { 'security.protocol': 'SSL', 'ssl.ca.location': ca, ...own } }
}

const FAULTS: Record<string, () => Promise<Fault> | Fault> = {
  'a password whose user is revoked': () => ({
    listener: 'SHORT',
    properties: {
      'security.protocol': 'SASL_SSL',
      'ssl.ca.location': secured.authority.ca,
      'sasl.mechanism': 'SCRAM-SHA-256',
      'sasl.jaas.config': `o.a.k.ScramLoginModule required username="${USER}" password="${PASSWORD}";`,
    },
    breaks: () => scramUser(secured.broker.address, USER, null),
    mends: () => scramUser(secured.broker.address, USER, PASSWORD),
  }),
  'a token that expires': () => {
    const file = inVault('token')
    writeFileSync(file, TOKEN)
    return {
      listener: 'SHORT',
      properties: bearer({ 'sasl.oauthbearer.token.endpoint.url': `file://${file}` }),
      breaks: () => writeFileSync(file, LATE_TOKEN),
      mends: () => writeFileSync(file, TOKEN),
    }
  },
  'a command whose token expires': () => {
    const file = inVault('token-of-command')
    writeFileSync(file, TOKEN)
    return {
      listener: 'SHORT',
      properties: bearer({ 'rowmill.token.command': `: ${COMMAND_SECRET}; sleep 0.5; cat '${file}'` }),
      breaks: () => writeFileSync(file, LATE_TOKEN),
      mends: () => writeFileSync(file, TOKEN),
    }
  },
  'a client secret that is revoked': async () => {
    let fault: EndpointFault | null = null
    const credentials = { clientId: 'rowmill', clientSecret: CLIENT_SECRET, token: () => TOKEN, lifeSeconds: 3 }
    const url = await tokenEndpoint(closing, { ...credentials, fault: () => fault })
    const text = JSON.stringify({ error: 'invalid_client', error_description: `nobody has ${CLIENT_SECRET}` })
    return {
      listener: 'SHORT',
      properties: bearer({
        'sasl.oauthbearer.token.endpoint.url': url,
        'sasl.oauthbearer.client.id': credentials.clientId,
        'sasl.oauthbearer.client.secret': CLIENT_SECRET,
      }),
      breaks: () => {
        fault = { status: 401, text }
      },
      mends: () => {
        fault = null
      },
    }
  },
  'a certificate that expires': () => {
    const { install, properties } = mutual('expires')
    const breaks = () => {
      install({ days: -1 })
      return secured.rotate(secured.authority) // a new start ends all connections
    }
    return { listener: 'MUTUAL', properties, breaks, mends: () => install() }
  },
  'a rotated authority': () => {
    const { install, properties } = mutual('rotated')
    return {
      listener: 'MUTUAL',
      properties,
      breaks: () => secured.rotate(new Authority(closing)),
      mends: () => install(),
    }
  },
}

for (const [at, [what, prepare]] of Object.entries(FAULTS).entries())
  test(`${what} in the middle of a job is in nothing that rowmill prints, writes or starts, and the job resumes`, async t => {
    const { listener, properties, breaks, mends } = await prepare()
    const env = { ...LOUD, ROWMILL_LOG_FORMAT: at % 2 === 0 ? 'text' : 'json' }
    const [config, own, pipeline] = [inVault(`${at}.properties`), join(folder, String(at)), `canary-${at}`]
    const given = { 'bootstrap.servers': secured.address(listener), ...properties }
    writeFileSync(config, propertiesText(given))
    const [reach, act] = [['--command-config', config], (...args: string[]) => rowmill([...args, ...reach], { env })]
    const shared = ['--pipeline', pipeline]
    const start = (...args: string[]) => {
      const started = startRowmill([...args, ...reach], { env })
      t.after(() => started.child.kill('SIGKILL'))
      return started
    }
    const classifier = (name: string) => {
      mkdirSync(join(own, name), { recursive: true })
      return waitingClassifier(join(own, name))
    }
    const [ofRun, ofWork] = [classifier('run'), classifier('work')]
    const classify = ({ file }: { file: string }) => ['--classifier', file, '--workers', '1', '--batch-rows', '20']
    const published = await act('publish', input, '--partitions', '2', ...shared)
    canaries.check(published, 0)
    const job = ['--job', published.stdout.trim()]
    const events = await openJob({ kafka: { properties: given }, pipeline, id: 'events', columns: ['A'] })
    await events.send(['x'])
    const output = join(own, 'out.csv')
    const report = ['--report', join(own, 'report.json'), '--output', 'json']
    const run = start('run', input, output, ...classify(ofRun), ...report)
    const work = start('work', ...classify(ofWork), ...shared)
    const others = [start('collect', join(own, 'collected.csv'), ...job, ...shared), start('tail', ...job, ...shared)]
    await until('both classifiers wait', () => [ofRun, ofWork].every(({ waits }) => existsSync(waits)))
    if ('rowmill.token.command' in properties)
      await until('a shell fetches a token', () => descendants(run.child.pid!).some(({ name }) => name === 'sh'))
    for (const { child } of [run, work]) canaries.checkProcesses(child.pid!)
    await breaks()
    const ended = await Promise.all([run, work, ...others].map(({ finished }) => finished))
    for (const finished of ended) canaries.check(finished, 3)
    for (const args of [
      ['publish', input, ...shared],
      ['jobs', 'list', '--output', 'json', ...shared],
      ['verify', input, ...job, '--output', 'json', ...shared],
    ])
      canaries.check(await act(...args), 3)
    const doctor = await act('doctor', '--output', 'json', ...shared)
    canaries.check(doctor, doctor.code!) // its exit code depends on this machine
    canaries.checkError(await events.send(['y']).catch(thrown => thrown))
    await events.close()

    await mends()
    for (const { go } of [ofRun, ofWork]) writeFileSync(go, '')
    const [, words] = /^rowmill: to resume: rowmill (.*)$|"resume":"rowmill (.*?)"/m
      .exec(ended[0]!.stderr)!
      .filter(Boolean)
    canaries.check(await rowmill([...words!.split(' '), ...report], { env }), 0)
    assert.equal(readFileSync(output, 'utf8'), await serialJob(input, ofRun.file))
  })

test('the password of a registry that is changed before a run resumes is in nothing that rowmill prints or writes', async t => {
  const own = join(folder, 'registry')
  mkdirSync(own)
  const env = { ...LOUD, ROWMILL_LOG_FORMAT: 'json' }
  const [classifier, output] = [waitingClassifier(own), join(own, 'out.csv')]
  const login = (password: string) => {
    const file = inVault(`registry-${password.length}`)
    writeFileSync(file, `me:${password}\n`, { mode: 0o600 })
    return ['--schema-registry-userinfo-file', file]
  }
  const at = ['--brokers', secured.broker.address, '--schema-registry', registry, ...login(REGISTRY_PASSWORD)]
  const run = startRowmill(
    ['run', input, output, '--classifier', classifier.file, '--workers', '1', '--batch-rows', '20', ...at],
    { env },
  )
  t.after(() => run.child.kill('SIGKILL'))
  await until('the classifier waits', () => existsSync(classifier.waits))
  canaries.checkProcesses(run.child.pid!)
  run.child.kill('SIGINT')
  canaries.check(await run.finished, 130)
  const wrong = await rowmill(['run', '--resume', output, ...login(`${REGISTRY_PASSWORD}!`)], { env })
  assert.match(canaries.check(wrong, 3), /"code":"REGISTRY_UNREACHABLE"/)
  writeFileSync(classifier.go, '')
  const report = ['--report', join(own, 'report.json')]
  canaries.check(await rowmill(['run', '--resume', output, ...report], { env }), 0)
  assert.equal(readFileSync(output, 'utf8'), await serialJob(input, classifier.file))
})
