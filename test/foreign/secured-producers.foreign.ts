/** Programs that publish without our SDK, on clusters with TLS, logins and rights. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import kafkajs from 'kafkajs'
import { rightsOf } from '../../src/pipeline/roles.ts'
import { rowmill, startProgram, testFolder } from '../helpers/cli.ts'
import { GuardedBroker } from '../helpers/guarded-broker.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'
import { python } from '../helpers/python.ts'
import { PASSWORD, SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { tokenEndpoint } from '../helpers/token-endpoint.ts'
import { unsecuredToken } from '../helpers/unsecured-token.ts'
import { propertiesText, waysIn } from '../helpers/ways-in.ts'

const ROOT = join(import.meta.dirname, '../..')
const PRODUCE = join(ROOT, 'examples/producers/produce.py')
const NO_KCAT = spawnSync('kcat', ['-V']).error ? 'there is no kcat here (apt-get install kcat)' : false
/**
 * librdkafka reads no token from a file, and rowmill alone runs a command for one. librdkafka sends a client secret without the
 * encoding of RFC 6749, so it has an endpoint of its own here, with a secret that needs none.
 */
const NOT_OF_LIBRDKAFKA = ['OAUTHBEARER from a file', 'OAUTHBEARER from a command', 'OAUTHBEARER from an endpoint']

const closes: (() => Promise<void> | void)[] = []
const closing = (close: () => Promise<void> | void) => closes.unshift(close)
let secured: SecuredBroker
before(async () => {
  secured = await SecuredBroker.start(closing)
})
after(async () => {
  for (const close of closes) await close()
})

/** Opens the job `visits` in the default pipeline of a cluster. */
async function openVisits(brokers: string): Promise<void> {
  const { code, stderr } = await rowmill(['jobs', 'open', '--job', 'visits', '--columns', 'SKU,TEXT', '-b', brokers])
  assert.equal(code, 0, stderr)
}

/** How many messages the topic of rows has. */
async function published(brokers: string): Promise<number> {
  const admin = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  const offsets = await admin.fetchTopicOffsets('rowmill.rows').finally(() => admin.disconnect())
  return offsets.reduce((sum, { high }) => sum + Number(high), 0)
}

/** Runs produce.py with two rows and this file of properties. */
function produce(t: TestContext, properties: string, ...args: string[]) {
  const folder = testFolder(t)
  writeFileSync(join(folder, 'client.properties'), properties)
  const rows = '{"SKU": 1, "TEXT": "shoe"}\n{"SKU": 2, "TEXT": "hat"}\n'
  const given = [PRODUCE, 'visits', '--command-config', 'client.properties', ...args]
  return startProgram(python, given, { cwd: folder, input: rows }).finished
}

/** A file of a Java client, as a service prints it. */
function javaProperties(): Record<string, string> {
  const quoted = PASSWORD.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  const jaas = `org.apache.kafka.common.security.scram.ScramLoginModule required username='${USER}' password="${quoted}";`
  return {
    'security.protocol': 'SASL_SSL',
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.jaas.config': jaas,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': secured.authority.ca,
    'schema.registry.url': 'https://registry.example',
  }
}

test('produce.py takes the properties file of rowmill, for every way in that librdkafka has', async t => {
  await openVisits(secured.broker.address)
  const java = javaProperties()
  const ways = (await waysIn(secured, closing)).filter(({ name }) => !NOT_OF_LIBRDKAFKA.includes(name))
  const client = { clientId: 'producer', clientSecret: 'plain' }
  const endpoint = await tokenEndpoint(closing, { ...client, token: () => unsecuredToken(USER, 3600) })
  const token = {
    ...{ 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'OAUTHBEARER', 'ssl.ca.location': secured.authority.ca },
    'sasl.oauthbearer.token.endpoint.url': endpoint,
    'sasl.oauthbearer.client.id': client.clientId,
    'sasl.oauthbearer.client.secret': client.clientSecret,
  }
  const brokers = secured.address('LOGIN')
  ways.push({ name: 'a file for Java', brokers, properties: java }, { name: 'a token', brokers, properties: token })
  for (const { name, brokers, properties } of ways) {
    const text = `# ${name}\nbootstrap.servers = ${brokers}\n${propertiesText(properties)}`
    const { code, stderr } = await produce(t, text)
    assert.equal(code, 0, `${name}: ${stderr}`)
    assert.match(stderr, /^produce\.py: 2 rows are safe\n$/m, name)
  }
  const text = propertiesText(java).replace(' required ', ' \\\n    required ')
  const { code, stderr } = await produce(t, `bootstrap.servers=nowhere:1\n${text}`, '--brokers', brokers)
  assert.equal(code, 0, stderr)
  assert.equal(await published(secured.broker.address), 2 * (ways.length + 1))
})

test('produce.py ends with one line if the login is refused, or the file cannot be used', async t => {
  const tls = `security.protocol=SASL_SSL\nssl.ca.location=${secured.authority.ca}\n`
  const at = `bootstrap.servers=${secured.address('LOGIN')}\n`
  for (const [text, why] of [
    [
      `${at}${tls}sasl.mechanism=SCRAM-SHA-512\nsasl.username=${USER}\nsasl.password=wrong\n`,
      /^produce\.py: .*Authentication failed.*invalid credentials/m,
    ],
    [`${at}ssl.ca.locatoin=ca.pem\n`, /^produce\.py: client\.properties: .*"ssl\.ca\.locatoin"/m],
    [`${at}not a property\n`, /^produce\.py: client\.properties, line 2: must be NAME=VALUE$/m],
  ] as const) {
    const { code, stderr } = await produce(t, text)
    assert.equal(code, 1, stderr)
    assert.match(stderr, why)
    assert.doesNotMatch(stderr, /Traceback|wrong/)
  }
})

test('produce.py needs no other right than those of the role publish', async t => {
  const guarded = await GuardedBroker.start(closing)
  await openVisits(guarded.address)
  const properties = await guarded.user('events')
  for (const right of rightsOf('publish', 'rowmill')) await guarded.change('add', 'events', right)
  const { code, stderr } = await produce(t, propertiesText(properties))
  assert.equal(code, 0, stderr)
  assert.match(stderr, /^produce\.py: 2 rows are safe\n$/m)
  assert.equal(await published(guarded.address), 2)
})

/** The line of docs/secured-clusters.md that begins a command with this word, for the job of this test. */
function documented(word: string): string {
  const page = readFileSync(join(ROOT, 'docs/secured-clusters.md'), 'utf8')
  const line = page.split('\n').find(line => line.startsWith(word) || line.includes(`| ${word} `))!
  return line.replace('sales', 'visits')
}

test('kcat takes a file with the names of librdkafka', { skip: NO_KCAT }, async t => {
  await openVisits(secured.broker.address)
  const before = await published(secured.broker.address)
  const cwd = testFolder(t)
  const { cert, key } = secured.client
  const properties = {
    ...{ 'bootstrap.servers': secured.address('MUTUAL'), 'security.protocol': 'SSL' },
    ...{ 'ssl.ca.location': secured.authority.ca, 'ssl.certificate.location': cert, 'ssl.key.location': key },
  }
  writeFileSync(join(cwd, 'kcat.properties'), propertiesText(properties))
  const { code, stderr } = await startProgram('sh', ['-ec', documented('kcat')], { cwd }).finished
  assert.equal(code, 0, stderr)
  assert.equal(await published(secured.broker.address), before + 1)
})

test('the console producer of Kafka takes a file with the names of Java', async t => {
  await openVisits(secured.broker.address)
  const before = await published(secured.broker.address)
  const file = join(testFolder(t), 'client.properties')
  writeFileSync(file, propertiesText(javaProperties()))
  const words = documented('kafka-console-producer.sh').replace(/ < .*/, '').split(' ').slice(1)
  const places: Record<string, string> = {
    'broker.example:9093': secured.address('LOGIN'),
    'client.properties': file,
  }
  const args = words.map(word => places[word] ?? word)
  await runKafkaTool('org.apache.kafka.tools.ConsoleProducer', args, '{"job":"visits","values":{"SKU":1,"TEXT":"a"}}\n')
  assert.equal(await published(secured.broker.address), before + 1)
})
