/**
 * What a command says when a secured broker and rowmill do not agree, at its start and in the middle of a job: one line with
 * cause and cure, exit 3, and a command that completes the job once the cause is gone.
 */
import assert from 'node:assert/strict'
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openJob } from '../../src/index.ts'
import { Authority } from '../helpers/certificates.ts'
import { type Finished, rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { scramUser } from '../helpers/scram-user.ts'
import { type Listener, PASSWORD, SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { serialJob } from '../helpers/serial.ts'
import { unsecuredToken } from '../helpers/unsecured-token.ts'
import { until } from '../helpers/until.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'
import { propertiesText } from '../helpers/ways-in.ts'

const ROWS = 300
/** A fault that is found at once takes this long at most. The default of --broker-timeout is 300 s. */
const AT_ONCE_MS = 100_000

const closes: (() => Promise<void> | void)[] = []
const closing = (close: () => Promise<void> | void) => closes.unshift(close)
let secured: SecuredBroker
let foreign: Authority
let folder: string
let input: string
before(async () => {
  folder = testFolder({ after: closing })
  secured = await SecuredBroker.start(closing, { dataDir: join(folder, 'broker') })
  foreign = new Authority(closing)
  input = join(folder, 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: ROWS }, (_, i) => `${i},x${i % 7}\n`).join('')}`)
})
after(async () => {
  for (const close of closes) await close()
})

type Properties = Readonly<Record<string, string>>
const tls = (): Properties => ({ 'security.protocol': 'SSL', 'ssl.ca.location': secured.authority.ca })
const login = (mechanism: string, password = PASSWORD): Properties => ({
  ...tls(),
  'security.protocol': 'SASL_SSL',
  'sasl.mechanism': mechanism,
  'sasl.username': USER,
  'sasl.password': password,
})

/** Fails unless the command ended with exit 3, and a single line is an error or tells of the refusal: this one. */
function refused({ code, stderr }: Finished, what: string, line: RegExp): void {
  const errors = stderr.split('\n').filter(text => /\[[A-Z]+_[A-Z_]+\]$|refuse|trust|login/.test(text))
  assert.equal(code, 3, `${what}: ${stderr}`)
  assert.equal(errors.length, 1, `${what}: ${stderr}`)
  assert.match(errors[0]!, line, what)
}

const PLAINTEXT = { 'security.protocol': 'PLAINTEXT' }
const STARTS: [fault: string, listener: Listener, properties: () => Properties, line: RegExp][] = [
  [
    'a wrong password',
    'LOGIN',
    () => login('SCRAM-SHA-512', 'wrong'),
    /refuses the login: .*invalid credentials.*Are user name and password, .* right.*\[AUTHENTICATION_FAILED\]$/,
  ],
  ['an expired certificate', 'EXPIRED', tls, /certificate.* has expired\. Renew it.*\[TLS_FAILED\]$/],
  [
    'a certificate of a foreign authority',
    'TLS',
    () => ({ ...tls(), 'ssl.ca.location': foreign.ca }),
    /we do not trust the authority.*ssl\.ca\.location.*\[TLS_FAILED\]$/,
  ],
  ['a wrong host name', 'ELSEWHERE', tls, /for another host name\. Give the name that is in.*\[TLS_FAILED\]$/],
  [
    'plaintext to a TLS port',
    'TLS',
    () => PLAINTEXT,
    /Does it expect TLS\? Then give security\.protocol=SSL.*\[BROKER_UNREACHABLE\]$/,
  ],
  [
    'TLS to a plaintext port',
    'OPENLOGIN',
    tls,
    /Does it speak TLS there\? If not, give security\.protocol=PLAINTEXT.*\[BROKER_UNREACHABLE\]$/,
  ],
  ['no login', 'LOGIN', tls, /Does it require a login \(security\.protocol=SASL_SSL\)\?.*\[BROKER_UNREACHABLE\]$/],
  [
    'a login that the port does not take',
    'TLS',
    () => login('PLAIN'),
    /If this port takes no login, give security\.protocol=SSL.*\[AUTHENTICATION_FAILED\]$/,
  ],
]

for (const [fault, listener, properties, line] of STARTS)
  test(`${fault} ends each command at its start`, async t => {
    const own = testFolder(t)
    const [file, out] = [join(own, 'client.properties'), join(own, 'out.csv')]
    writeFileSync(file, propertiesText({ 'bootstrap.servers': secured.address(listener), ...properties() }))
    copyFileSync(input, join(own, 'done.csv'))
    const job = ['--job', 'j']
    const classify = ['--classifier', waitingClassifier(own).file, '--workers', '1']
    const commands = [
      ['run', input, join(own, 'run.csv'), ...classify],
      ['publish', input],
      ['work', ...classify],
      ['collect', out, ...job],
      ['tail', ...job],
      ['verify', join(own, 'done.csv'), ...job],
    ]
    const begin = performance.now()
    await Promise.all(
      commands.map(async args => refused(await rowmill([...args, '--command-config', file]), args[0]!, line)),
    )
    assert.ok(performance.now() - begin < AT_ONCE_MS)
  })

interface MiddleFault {
  readonly listener: Listener
  readonly properties: (file: (name: string) => string) => Properties
  readonly breaks: (file: (name: string) => string) => Promise<void> | void
  readonly mends: (file: (name: string) => string) => Promise<void> | void
  readonly line: RegExp
}

const MIDDLES: Record<string, MiddleFault> = {
  'credentials that are revoked': {
    listener: 'SHORT',
    properties: () => login('SCRAM-SHA-512'),
    breaks: () => scramUser(secured.broker.address, USER, null),
    mends: () => scramUser(secured.broker.address, USER, PASSWORD),
    line: /refuses the login: .*invalid credentials.*Are user name and password, .*\[AUTHENTICATION_FAILED\]$/,
  },
  'an expired token in its file': {
    listener: 'SHORT',
    properties: file => {
      writeFileSync(file('token'), unsecuredToken(USER, 3600))
      const url = `file://${file('token')}`
      return { ...login('OAUTHBEARER'), 'sasl.oauthbearer.token.endpoint.url': url }
    },
    breaks: file => writeFileSync(file('token'), unsecuredToken(USER, -60)),
    mends: file => writeFileSync(file('token'), unsecuredToken(USER, 3600)),
    line: /refuses the token .*invalid_token.*Is it still valid.*\[AUTHENTICATION_FAILED\]$/,
  },
  'a rotated authority': {
    listener: 'TLS',
    properties: file => {
      copyFileSync(secured.authority.ca, file('ca.pem'))
      return { ...tls(), 'ssl.ca.location': file('ca.pem') }
    },
    breaks: () => secured.rotate(new Authority(closing)),
    mends: file => appendFileSync(file('ca.pem'), readFileSync(secured.authority.ca)),
    line: /we do not trust the authority.*ssl\.ca\.location.*\[TLS_FAILED\]$/,
  },
}

/** Runs the command that the last line of another names. */
async function resume({ stderr }: Finished): Promise<void> {
  const words = /^rowmill: to resume: rowmill (.*)$/m.exec(stderr)?.[1]
  assert.ok(words, stderr)
  const { code, stderr: said } = await rowmill(words.split(' '))
  assert.equal(code, 0, said)
}

for (const [fault, { listener, properties, breaks, mends, line }] of Object.entries(MIDDLES))
  test(`${fault} ends each command in the middle of a job, and then the job resumes with the same bytes`, async t => {
    const own = testFolder(t)
    const file = (name: string) => join(own, name)
    const [config, pipeline] = [file('client.properties'), `middle-${listener}-${Object.keys(MIDDLES).indexOf(fault)}`]
    const given = properties(file)
    writeFileSync(config, propertiesText({ 'bootstrap.servers': secured.address(listener), ...given }))
    const at = ['--command-config', config]
    const shared = [...at, '--pipeline', pipeline]
    const start = (...args: string[]) => {
      const { child, finished } = startRowmill(args)
      t.after(() => child.kill('SIGKILL'))
      return finished
    }
    const classifier = (name: string) => {
      mkdirSync(file(name))
      return ['--classifier', waitingClassifier(file(name)).file, '--workers', '1', '--batch-rows', '20']
    }
    const [ofRun, ofWork] = [classifier('run'), classifier('work')]
    const publish = ['publish', input, '--partitions', '2', ...shared]
    const published = await rowmill(publish)
    assert.equal(published.code, 0, published.stderr)
    const job = ['--job', published.stdout.trim()]
    const kafka = { brokers: [secured.address(listener)], properties: given }
    const ofEvents = { kafka, pipeline, id: 'events', columns: ['ID', 'A'] }
    const events = await openJob(ofEvents)
    await events.send(['0', 'x'])
    const running = {
      run: start('run', input, file('run.csv'), ...ofRun, ...at),
      work: start('work', ...ofWork, ...shared),
      collect: start('collect', file('out.csv'), ...job, ...shared),
      tail: start('tail', ...job, ...shared),
    }
    await until('both classifiers wait', () => ['run', 'work'].every(name => existsSync(file(`${name}/waits`))))
    await breaks(file)
    const ended = Object.fromEntries(
      await Promise.all(Object.entries(running).map(async ([name, finished]) => [name, await finished] as const)),
    ) as Record<keyof typeof running, Finished>
    for (const [name, finished] of Object.entries(ended)) refused(finished, name, line)
    refused(await rowmill(publish), 'publish', line)
    refused(await rowmill(['verify', input, ...job, ...shared]), 'verify', line)
    await assert.rejects(events.send(['1', 'x']), ({ message, code }) => line.test(`${message} [${code}]`))
    await events.close()

    await mends(file)
    for (const name of ['run', 'work']) writeFileSync(file(`${name}/go`), '')
    const expected = await serialJob(input, ofRun[1]!)
    await resume(ended.run)
    assert.equal(readFileSync(file('run.csv'), 'utf8'), expected)
    const [worked] = await Promise.all([
      rowmill(['work', ...ofWork, ...shared, '--until-done', job[1]!]),
      resume(ended.collect),
    ])
    assert.equal(worked.code, 0, worked.stderr)
    assert.equal(readFileSync(file('out.csv'), 'utf8'), expected)
    const again = await openJob(ofEvents)
    assert.equal(await again.send(['1', 'x']), 1)
    await again.close()
  })
