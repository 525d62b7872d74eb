/** Every way to log in and every shape of TLS, against a real broker: what is sent comes back. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { clusterSettings, type KafkaOptions } from '../../src/client-config/kafka-options.ts'
import { RowmillError } from '../../src/errors.ts'
import { Kafka, type Message, type Reader } from '../../src/kafka/index.ts'
import { inProperty, KEY_PASSWORD, STORE_PASSWORD } from '../helpers/certificates.ts'
import { type Listener, MECHANISMS, PASSWORD, SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { unsecuredToken } from '../helpers/unsecured-token.ts'

const closes: (() => Promise<void> | void)[] = []
let secured: SecuredBroker
before(async () => {
  secured = await SecuredBroker.start(close => closes.unshift(close))
})
after(async () => {
  for (const close of closes) await close()
})

const client = (listener: Listener, options: KafkaOptions) =>
  new Kafka({ ...clusterSettings({ brokers: [secured.address(listener)], ...options }), clientId: 'test' })

/** Sends a message to a new topic and reads it back. */
async function roundTrip(kafka: Kafka): Promise<void> {
  const topic = `secured-${randomBytes(4).toString('hex')}`
  const admin = await kafka.admin()
  await admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }])
  const producer = await kafka.producer()
  const value = randomBytes(16)
  const offset = await producer.send({ topic, partition: 0 }, [{ key: 'k', value }])
  const reader = await kafka.reader([topic])
  try {
    for (;;) {
      const messages = await fetchFrom(reader, topic, offset)
      if (messages.length === 0) continue
      assert.deepEqual(messages[0]!.value, value)
      return
    }
  } finally {
    await reader.close()
    await producer.close()
    await admin.close()
  }
}

async function fetchFrom(reader: Reader, topic: string, offset: number): Promise<readonly Message[]> {
  const [node] = (await reader.leaders([{ topic, partition: 0 }], false)).keys()
  const limits = { maxWaitMs: 500, maxPartitionBytes: 1_000_000, maxBytes: 1_000_000 }
  const [fetched] = await reader.fetch(node!, [{ topic, partition: 0, offset }], limits)
  assert.equal(fetched!.error, null)
  return fetched!.messages
}

const withCa = () => ({ 'security.protocol': 'SSL', 'ssl.ca.location': secured.authority.ca })
const login = (mechanism: string, protocol = 'SASL_SSL', password = PASSWORD) => ({
  ...withCa(),
  'security.protocol': protocol,
  'sasl.mechanism': mechanism,
  ...(mechanism === 'OAUTHBEARER'
    ? { 'sasl.oauthbearer.token.endpoint.url': `file://${tokenFile()}` }
    : { 'sasl.username': USER, 'sasl.password': password }),
})
const tokenFile = (token = unsecuredToken(USER, 3600)) => {
  const file = join(secured.authority.folder, `token-${randomBytes(4).toString('hex')}`)
  writeFileSync(file, `${token}\n`)
  return file
}

test('TLS: an authority as a file, as PEM on one line, and as an object of the SDK', async () => {
  const { ca } = secured.authority
  await roundTrip(client('TLS', { properties: withCa() }))
  await roundTrip(client('TLS', { properties: { 'security.protocol': 'SSL', 'ssl.ca.pem': inProperty(ca) } }))
  await roundTrip(client('TLS', { ssl: { ca: { text: readFileSync(ca, 'utf8') } } }))
})

test('TLS: our own certificate as PEM, with an encrypted key, and as PKCS#12', async () => {
  const { cert, key, store } = secured.client
  const pem = { ...withCa(), 'ssl.certificate.location': cert }
  await roundTrip(client('MUTUAL', { properties: { ...pem, 'ssl.key.location': key } }))
  const encrypted = { 'ssl.key.location': secured.authority.encrypted(key), 'ssl.key.password': KEY_PASSWORD }
  await roundTrip(client('MUTUAL', { properties: { ...pem, ...encrypted } }))
  const pkcs12 = { 'ssl.keystore.location': store, 'ssl.keystore.password': STORE_PASSWORD }
  await roundTrip(client('MUTUAL', { properties: { ...withCa(), ...pkcs12 } }))
})

for (const mechanism of MECHANISMS)
  test(`${mechanism}: a login with TLS and, on this machine, without`, async () => {
    await roundTrip(client('LOGIN', { properties: login(mechanism) }))
    await roundTrip(client('OPENLOGIN', { properties: login(mechanism, 'SASL_PLAINTEXT') }))
  })

/** What the client says, which must be one error, at once. */
async function refusal(listener: Listener, options: KafkaOptions): Promise<RowmillError> {
  try {
    await roundTrip(client(listener, options))
  } catch (error) {
    assert.ok(error instanceof RowmillError, `${error}`)
    return error
  }
  throw new assert.AssertionError({ message: 'the broker let us in' })
}

test('what TLS refuses is named with its cure', async () => {
  const ssl = { 'security.protocol': 'SSL' }
  const { cert, key } = secured.client
  for (const [listener, properties, code, message] of [
    ['TLS', ssl, 'TLS_FAILED', /we do not trust the authority.*ssl\.ca\.location/],
    ['EXPIRED', withCa(), 'TLS_FAILED', /has expired/],
    ['ELSEWHERE', withCa(), 'TLS_FAILED', /certificate is for another host name/],
    ['MUTUAL', withCa(), 'TLS_FAILED', /asks for a certificate of ours/],
    ['OPENLOGIN', withCa(), 'BROKER_UNREACHABLE', /Does it speak TLS/],
    ['TLS', { 'security.protocol': 'PLAINTEXT' }, 'BROKER_UNREACHABLE', /Does it expect TLS/],
    ['LOGIN', withCa(), 'BROKER_UNREACHABLE', /Does it require a login/],
    ['TLS', login('PLAIN'), 'AUTHENTICATION_FAILED', /If this port takes no login, give security.protocol=SSL/],
    ['TLS', { ...ssl, 'ssl.ca.location': '/nope.pem' }, 'USAGE', /\/nope\.pem cannot be read/],
    ['TLS', { ...ssl, 'ssl.ca.location': key }, 'USAGE', /holds no certificate in PEM/],
    [
      'TLS',
      { ...ssl, 'ssl.certificate.location': cert, 'ssl.key.location': secured.authority.encrypted(key) },
      'USAGE',
      /ssl\.key\.password/,
    ],
  ] as const) {
    const error = await refusal(listener, { properties })
    assert.deepEqual([listener, error.code], [listener, code], error.message)
    assert.match(error.message, message)
  }
  await roundTrip(client('ELSEWHERE', { properties: { ...withCa(), 'ssl.endpoint.identification.algorithm': 'none' } }))
})

test('what the login refuses is named with its cure, and shows no secret', async () => {
  const wrong = 'Hunter2'
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    const error = await refusal('LOGIN', { properties: login(mechanism, 'SASL_SSL', wrong) })
    assert.equal(error.code, 'AUTHENTICATION_FAILED')
    assert.match(error.message, /the broker refuses the login.*Are user name and password/)
    assert.doesNotMatch(JSON.stringify([error.message, error.facts]), /Hunter2/)
  }
  const expired = { 'sasl.oauthbearer.token.endpoint.url': `file://${tokenFile(unsecuredToken(USER, -60))}` }
  const late = await refusal('LOGIN', { properties: { ...login('OAUTHBEARER'), ...expired } })
  assert.deepEqual(
    [late.code, /refuses the token.*invalid_token/.test(late.message)],
    ['AUTHENTICATION_FAILED', true],
    late.message,
  )
  const missing = { 'sasl.oauthbearer.token.endpoint.url': 'file:///nope' }
  const none = await refusal('LOGIN', { properties: { ...login('OAUTHBEARER'), ...missing } })
  assert.deepEqual(
    [none.code, /no token from the file \/nope/.test(none.message)],
    ['AUTHENTICATION_FAILED', true],
    none.message,
  )
  const command = { 'rowmill.token.command': 'echo no vault >&2; exit 3' }
  const failed = await refusal('LOGIN', { properties: { ...login('OAUTHBEARER'), ...command } })
  assert.match(failed.message, /exit code 3\. It said: no vault/)
  await roundTrip(
    client('LOGIN', { properties: { ...login('OAUTHBEARER'), 'rowmill.token.command': `cat ${tokenFile()}` } }),
  )
})

async function roundTripsFor(ms: number, mechanism: (typeof MECHANISMS)[number]): Promise<void> {
  const kafka = client('SHORT', { properties: login(mechanism) })
  const topic = `short-${randomBytes(4).toString('hex')}`
  const admin = await kafka.admin()
  await admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }])
  const [producer, reader] = [await kafka.producer(), await kafka.reader([topic])]
  try {
    const end = performance.now() + ms
    let read = 0
    let sent = 0
    while (performance.now() < end || sent < 100) {
      await producer.send({ topic, partition: 0 }, [{ key: 'k', value: Buffer.from(String(sent++)) }])
      read += (await fetchFrom(reader, topic, read)).length
      assert.deepEqual(await admin.brokers(), [1])
    }
    assert.equal(read, sent, mechanism)
  } finally {
    await reader.close()
    await producer.close()
    await admin.close()
  }
}

test('sessions of 6 s are renewed in time, under load, with each mechanism', { timeout: 120_000 }, async () => {
  await Promise.all(MECHANISMS.map(mechanism => roundTripsFor(14_000, mechanism)))
})
