/** Every line about a cluster is made to fail, at a real broker. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { after, before, test } from 'node:test'
import kafkajs from 'kafkajs'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { clusterSettings, type KafkaOptions } from '../../src/client-config/kafka-options.ts'
import type { DoctorContext } from '../../src/doctor/check.ts'
import { ClusterAccess } from '../../src/doctor/cluster-access.ts'
import { examine, exitCodeOf } from '../../src/doctor/doctor.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { allOf, contextWith, expectFinding, findingsOf, machineWith } from '../helpers/doctor.ts'
import { freePort } from '../helpers/free-port.ts'
import { python } from '../helpers/python.ts'
import { type Listener, PASSWORD, SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { until } from '../helpers/until.ts'

const AUTHORIZER = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS', // whoever logs in at all may do nothing
}

const closes: (() => Promise<void> | void)[] = []
let secured: SecuredBroker
before(async () => {
  secured = await SecuredBroker.start(close => closes.unshift(close), { properties: AUTHORIZER })
})
after(async () => {
  for (const close of closes) await close()
})

const access = (options: KafkaOptions) => new ClusterAccess({ ...clusterSettings(options), clientId: 'test' })
const open = () => access({ brokers: [secured.broker.address] })
const ssl = (listener: Listener, more: Record<string, string> = {}) =>
  access({
    brokers: [secured.address(listener)],
    properties: { 'security.protocol': 'SSL', 'ssl.ca.location': secured.authority.ca, ...more },
  })
const login = (password = PASSWORD) =>
  ssl('LOGIN', {
    'security.protocol': 'SASL_SSL',
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.username': USER,
    'sasl.password': password,
  })

/** What one check finds in a cluster. */
async function find(check: string, cluster: ClusterAccess, more: Partial<DoctorContext> = {}) {
  try {
    return await findingsOf(check, { ...more, cluster })
  } finally {
    cluster.close()
  }
}

/** A pipeline with topics. `admin` may do everything. */
async function pipelineWith(change: (admin: kafkajs.Admin, pipeline: string) => Promise<unknown> = async () => {}) {
  const pipeline = `doctor-${randomBytes(4).toString('hex')}`
  const kafka = new Kafka({ brokers: [secured.broker.address], clientId: 'test' })
  const ours = await kafka.admin()
  await ensureTopics(ours, pipeline, 2)
  await ours.close()
  const admin = new kafkajs.Kafka({ brokers: [secured.broker.address], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  await change(admin, pipeline)
  await admin.disconnect()
  return pipeline
}

test('a cluster without faults has no line that is not ok', async () => {
  const pipeline = await pipelineWith()
  const found = await allOf(examine(contextWith({ cluster: ssl('TLS'), pipeline, workers: 2 })))
  const bad = found.flatMap(({ check, findings }) =>
    findings.filter(({ status }) => status !== 'ok').map(each => [check, each]),
  )
  assert.deepEqual(bad, [])
  assert.deepEqual(
    found.slice(-11).map(({ check }) => check),
    [
      'addresses',
      'tls',
      'login',
      'api-versions',
      'clock',
      'listeners',
      'rights',
      'topics',
      'replication',
      'settings',
      'codecs-in-use',
    ],
  )
})

test('a name that does not resolve, and a port that nothing listens on', async () => {
  const closed = await freePort()
  const found = await find('addresses', access({ brokers: ['nowhere.invalid:9092', `127.0.0.1:${closed}`] }))
  expectFinding(found, ['failure', /nowhere\.invalid has no address/, /DNS/])
  expectFinding(found, ['failure', /nothing listens there \(127\.0\.0\.1\)/, /start the broker/])
})

test('one dead address beside one that answers is one warning, as every command works', async () => {
  const closed = await freePort()
  const brokers = [`127.0.0.1:${closed}`, secured.address('TLS')]
  const properties = { 'security.protocol': 'SSL', 'ssl.ca.location': secured.authority.ca }
  const cluster = access({ brokers, properties })
  const found = await allOf(examine(contextWith({ cluster, pipeline: await pipelineWith() })))
  const bad = found.flatMap(({ findings }) => findings.filter(({ status }) => !['ok', 'skipped'].includes(status)))
  assert.equal(bad.length, 1, JSON.stringify(bad))
  expectFinding(bad, ['warning', /nothing listens there/, /start the broker/])
  assert.equal(exitCodeOf(found), 0)
})

test('an address that drops every packet, as a firewall does', async t => {
  // The kernel drops what does not fit into the queue of a listener that accepts nothing.
  const script =
    "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(0); print(s.getsockname()[1], flush=True); time.sleep(600)"
  const deaf = spawn(python, ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => deaf.kill('SIGKILL'))
  const port = Number(String(await once(deaf.stdout, 'data').then(([chunk]) => chunk)))
  const sockets = Array.from({ length: 3 }, () => connect(port, '127.0.0.1'))
  t.after(() => sockets.forEach(socket => void socket.destroy()))
  await once(sockets[0]!, 'connect')
  const found = await find('addresses', access({ brokers: [`127.0.0.1:${port}`] }))
  expectFinding(found, ['failure', /127\.0\.0\.1 does not answer/, /firewall or a security group/])
})

test('a bootstrap address that answers, and an advertised one that does not', async () => {
  const closed = await freePort()
  const advertised = { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${closed}` }
  const broker = await startLocalBroker({ properties: advertised })
  closes.unshift(() => broker.close())
  const found = await find('listeners', access({ brokers: [broker.address] }))
  const both = new RegExp(`${broker.address} answers, but says that broker 1 is at 127\\.0\\.0\\.1:${closed}`)
  expectFinding(found, ['failure', both, /set advertised\.listeners of broker 1/])
})

test('certificates: expired, of another host, of a foreign authority, without an intermediate one, and not checked', async () => {
  const more =
    /\nFor more: rowmill explain TLS_FAILED\nTo see all: openssl s_client -connect localhost:\d+ -servername localhost /
  expectFinding(await find('tls', ssl('EXPIRED')), [
    'failure',
    /has expired\ncertificate of test .*, until \w+ /,
    /^Renew it, .*/,
  ])
  expectFinding(await find('tls', ssl('EXPIRED')), ['failure', /has expired/, more])
  expectFinding(await find('tls', ssl('ELSEWHERE')), [
    'failure',
    /for another host name\ncertificate of test for DNS:kafka\.example, by authority of the tests, until /,
    /^Give the name that is in the certificate as bootstrap\.servers/,
  ])
  const foreign = { 'ssl.ca.location': secured.client.cert }
  expectFinding(await find('tls', ssl('TLS', foreign)), ['failure', /do not trust the authority/, /ssl\.ca\.location/])
  expectFinding(await find('tls', ssl('CHAINLESS')), [
    'failure',
    /do not trust the authority of its certificate\ncertificate of test for .*, by intermediate of the tests, until .*$/,
    /the broker does not send its intermediate certificate: add that to the keystore of the broker/,
  ])
  const unchecked = { 'ssl.endpoint.identification.algorithm': 'none' }
  expectFinding(await find('tls', ssl('ELSEWHERE', unchecked)), ['warning', /host name is not checked/, /endpoint/])
  expectFinding(await find('tls', access({ brokers: [secured.broker.address], ssl: true })), [
    'failure',
    /no Kafka broker answers/,
    /Does it speak TLS there\?[\s\S]*rowmill explain BROKER_UNREACHABLE/,
  ])
})

test('certificates that expire soon: of a broker, and our own', async () => {
  const renew = /renew the certificate of test on the broker before/
  expectFinding(await find('tls', ssl('SOON')), ['warning', /TLSv1\.3.* valid for 19 days/, renew])
  const own = (days: number) => {
    const { cert, key } = secured.authority.certify('DNS:client', { days })
    return ssl('MUTUAL', { 'ssl.certificate.location': cert, 'ssl.key.location': key })
  }
  const ours = /renew the certificate of ssl\.certificate\.location or the keystore before/
  expectFinding(await find('tls', own(20)), ['warning', /our certificate, test, is valid for 19 days/, ours])
  const past = /^renew the certificate of ssl\.certificate\.location or the keystore$/
  expectFinding(await find('tls', own(-1)), ['failure', /our certificate, test, expired on \w+ \d+/, past])
  const unchecked = ssl('EXPIRED', { 'enable.ssl.certificate.verification': 'false' })
  expectFinding(await find('tls', unchecked), ['warning', /which expired on \w+ \d+/, /verification at their defaults/])
  expectFinding(await find('login', own(-1)), [
    'failure',
    /refuses what it gets|asks for a certificate of ours/,
    /ssl\.certificate/,
  ])
})

test('a wrong password, a missing certificate of ours, and plain text at a port with TLS', async () => {
  const wrong = await find('login', login('Hunter2'))
  expectFinding(wrong, [
    'failure',
    /refuses the login/,
    /^Are user name and password.*\nFor more: rowmill explain AUTHENTICATION_FAILED$/,
  ])
  assert.doesNotMatch(JSON.stringify(wrong), /Hunter2/)
  expectFinding(await find('login', ssl('MUTUAL')), [
    'failure',
    /asks for a certificate of ours/,
    /^Give ssl\.certificate\.location and ssl\.key\.location.*\nFor more: rowmill explain TLS_FAILED$/,
  ])
  const plain = await find('login', access({ brokers: [secured.address('TLS')] }))
  expectFinding(plain, [
    'failure',
    /no Kafka broker answers/,
    /Does it expect TLS.*\nFor more: rowmill explain BROKER_UNREACHABLE$/,
  ])
  expectFinding(await find('login', login()), ['ok', /alice by SCRAM-SHA-512; it lasts as long as the connection/])
})

test('a session of 6 s is named', async () => {
  const short = ssl('SHORT', {
    'security.protocol': 'SASL_SSL',
    'sasl.mechanism': 'PLAIN',
    'sasl.username': USER,
    'sasl.password': PASSWORD,
  })
  expectFinding(await find('login', short), ['ok', /alice by PLAIN; it is renewed within 6 s/])
})

test('a machine whose clock is an hour ahead, or behind', async () => {
  const at = (ms: number) => ({ machine: machineWith({ wallClock: () => Date.now() + ms }) })
  expectFinding(await find('clock', open(), at(3_600_000)), ['warning', /(3600|359\d) s ahead of/, /NTP/])
  expectFinding(await find('clock', open(), at(-3_600_000)), ['warning', /(3600|359\d) s behind/, /NTP/])
  expectFinding(await find('clock', login()), ['skipped', /does not tell its time \(CLUSTER_AUTHORIZATION_FAILED\)/])
})

test('where the cluster does not tell its time, the schema registry does', async () => {
  const registry = createServer((_, answer) => answer.end('[]'))
  await once(registry.listen(0, '127.0.0.1'), 'listening')
  closes.unshift(() => void registry.close())
  const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`
  const late = { registry: url, machine: machineWith({ wallClock: () => Date.now() - 3_600_000 }) }
  expectFinding(await find('clock', login(), late), [
    'warning',
    /(3600|359\d) s behind that of the schema registry/,
    /NTP/,
  ])
  expectFinding(await find('clock', login(), { registry: url }), ['ok', /of the schema registry agree/])
})

test('a user without rights, and one with a few of them', async () => {
  const none = await pipelineWith()
  const { rows } = topicsOf(none)
  const denied = await find('rights', login(), { pipeline: none })
  expectFinding(denied, [
    'failure',
    new RegExp(`topic ${rows}: this user may not even Describe`),
    /kafka-acls\.sh .*User:alice/,
  ])
  expectFinding(denied, ['failure', /group .*\.workers: this user may not even/, /--group/])
  expectFinding(await find('rights', login(), { pipeline: none, role: 'collect' }), [
    'failure',
    /\.jobs: this user may not even Describe/,
    /^kafka-acls\.sh .* --operation Read --topic .*\.jobs\nkafka-acls\.sh .* --operation Write --topic .*\.jobs$/,
  ])
  const few = await pipelineWith((admin, pipeline) =>
    admin.createAcls({ acl: [mayRead(TOPIC, topicsOf(pipeline).jobs), mayRead(GROUP, `${pipeline}.workers`)] }),
  )
  const rights = () => find('rights', login(), { pipeline: few })
  await until('the broker knows the ACLs', async () => (await rights()).some(({ status }) => status === 'ok'))
  const found = await rights()
  expectFinding(found, [
    'warning',
    /\.jobs: this user may not Write, which the roles publish, work, collect, admin need/,
    /--operation Write --topic .*\.jobs/,
  ])
  expectFinding(found, ['ok', /group .*: this user may Read/])
  const ofWork = await find('rights', login(), { pipeline: few, role: 'work' })
  expectFinding(ofWork, ['failure', /\.jobs: this user may not Write, which the role work needs/, /--operation Write/])
  assert.doesNotMatch(JSON.stringify(ofWork), /Delete/, 'what other roles need is not said')
  expectFinding(await find('rights', login(), { pipeline: 'absent' }), ['failure', /topic absent\.rows/, /kafka-acls/])
})

const { TOPIC, GROUP } = kafkajs.AclResourceTypes

/** Lets the user of the tests read one resource. */
function mayRead(resourceType: kafkajs.AclResourceTypes, resourceName: string) {
  return {
    ...{ resourceType, resourceName, operation: kafkajs.AclOperationTypes.READ },
    resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
    principal: `User:${USER}`,
    host: '*',
    permissionType: kafkajs.AclPermissionTypes.ALLOW,
  }
}

test('fewer partitions than workers, and a topic of jobs that was grown', async () => {
  const pipeline = await pipelineWith(async (admin, pipeline) => {
    const { jobs } = topicsOf(pipeline)
    await admin.createPartitions({ topicPartitions: [{ topic: jobs, count: 2 }] })
    const grown = async () => (await admin.fetchTopicMetadata({ topics: [jobs] })).topics[0]!.partitions.length === 2
    await until('the broker knows both partitions', grown)
  })
  const found = await find('topics', open(), { pipeline, workers: 5 })
  expectFinding(found, [
    'warning',
    /\.rows has 2 partitions, so 3 of 5 workers/,
    /--alter --topic .*\.rows --partitions 5/,
  ])
  expectFinding(found, ['failure', /\.jobs has 2 partitions and must have 1/, /another --pipeline/])
})

test('settings that lose rows, and doubtful ones', async () => {
  const pipeline = await pipelineWith(async (admin, pipeline) => {
    const { jobs, rows } = topicsOf(pipeline)
    const topics = [jobs, rows].map(name => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name }))
    const configEntries = [{ name: 'retention.ms', value: '1000' }]
    await admin.alterConfigs({ validateOnly: false, resources: topics.map(topic => ({ ...topic, configEntries })) })
    await until('the broker knows the settings', async () => {
      const { resources } = await admin.describeConfigs({ resources: topics, includeSynonyms: false })
      const shown = resources.map(each => each.configEntries.find(({ configName }) => configName === 'retention.ms'))
      return shown.every(setting => setting?.configValue === '1000')
    })
  })
  const found = await find('settings', open(), { pipeline })
  expectFinding(found, [
    'failure',
    /\.jobs: .*retention\.ms=1000 deletes job records/,
    /kafka-configs\.sh .*retention\.ms=-1/,
  ])
  expectFinding(found, ['warning', /\.rows: .*retention\.ms=1000 deletes rows within a day/, /kafka-configs\.sh/])
})

test('topics that all take messages of 1 MB are one line, with a command for each', async () => {
  const pipeline = await pipelineWith(async (admin, pipeline) => {
    const { reports: _, ...limited } = topicsOf(pipeline)
    const names = Object.values(limited)
    const resources = names.map(name => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name }))
    const limit = { name: 'max.message.bytes', value: '1048588' }
    const lasts = { name: 'retention.ms', value: '-1' }
    const configEntries = [limit, lasts, { name: 'message.timestamp.type', value: 'LogAppendTime' }]
    await admin.alterConfigs({ validateOnly: false, resources: resources.map(topic => ({ ...topic, configEntries })) })
  })
  const found = () => find('settings', open(), { pipeline })
  await until('the broker knows the settings', async () => (await found())[0]!.status === 'warning')
  const [line, ...others] = await found()
  assert.deepEqual(others, [])
  assert.match(line!.text, /\.jobs, .*\.rows, .*\.rejects: max\.message\.bytes=1048588 limits rows to 1047564 bytes/)
  assert.equal(line!.cure!.split('\n').length, 5)
})

test('messages in a codec that this machine lacks', async () => {
  const pipeline = await pipelineWith()
  const { rows } = topicsOf(pipeline)
  const kafka = new Kafka({ brokers: [secured.broker.address], clientId: 'test', compression: 'zstd' })
  const producer = await kafka.producer()
  await producer.send({ topic: rows, partition: 1 }, [{ key: 'k', value: Buffer.alloc(100) }])
  await producer.close()
  expectFinding(await find('codecs-in-use', open(), { pipeline }), ['ok', /have zstd/])
  const checkCodec = (codec: string) => {
    if (codec === 'zstd') throw new Error('no binary')
  }
  const found = await find('codecs-in-use', open(), { pipeline, machine: machineWith({ checkCodec }) })
  expectFinding(found, ['failure', /zstd, which this machine cannot read/, /compression\.type/])
})
