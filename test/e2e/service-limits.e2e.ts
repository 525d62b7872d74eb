/**
 * Each managed service, as a real broker that is configured alike: a client file as the service prints it, and its limits.
 *
 * Tested elsewhere on a real broker: each TLS shape and login with every command (secured.e2e.ts), what TLS and a login
 * refuse (secured-faults.e2e.ts), the rights of users and the commands that create topics (test/foreign/rights.foreign.ts),
 * rows that a topic cannot take (test/publish/row-limit.integration.ts). No broker of the tests creates topics by itself.
 */
import assert from 'node:assert/strict'
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import kafkajs from 'kafkajs'
import { Kafka, type KafkaAdmin } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { MAX_MESSAGE_BYTES } from '../../src/pipeline/topic-settings.ts'
import { STORE_PASSWORD } from '../helpers/certificates.ts'
import { testFolder } from '../helpers/cli.ts'
import { Cluster } from '../helpers/cluster.ts'
import { policedBroker } from '../helpers/policed-broker.ts'
import { lockedRegistry, startRegistry } from '../helpers/registry.ts'
import { PASSWORD, SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { PASSES, type Properties, ServiceClient } from '../helpers/service-client.ts'
import { until } from '../helpers/until.ts'

/** What the policy says about the topics of each pipeline. */
const LIMITS = {
  confluent: 'max.message.bytes=8388608',
  serverless: 'min.insync.replicas=no max.message.bytes=8388608',
  aiven: 'retention.ms=604800000',
  'too-wide': 'max.message.bytes=8388608',
  quota: 'partitions=20',
}
/** Of each topic that does not say it. It is that of Event Hubs. */
const MESSAGE_BYTES = 1_046_528
const IDLE_MS = 3000
const LOGIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
const API = { key: 'ABCDEFGHIJKLMNOP', secret: 'cflt/a+b=c' }
const CONNECTION = {
  user: '$ConnectionString',
  password: 'Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=a+b/c0=',
}

const closes: (() => Promise<void> | void)[] = []
const closing = (close: () => Promise<void> | void) => closes.unshift(close)
let secured: SecuredBroker
let admin: KafkaAdmin
let data: string
before(async () => {
  const { start, properties } = await policedBroker(closing, LIMITS)
  data = join(testFolder({ after: closing }), 'broker')
  const users = [
    `user_${USER}="unused"`,
    `user_${API.key}="${API.secret}"`,
    `user_${CONNECTION.user}="${CONNECTION.password}"`,
  ]
  secured = await SecuredBroker.start(closing, {
    start,
    dataDir: data,
    properties: {
      ...properties,
      'message.max.bytes': String(MESSAGE_BYTES),
      'connections.max.idle.ms': String(IDLE_MS),
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'allow.everyone.if.no.acl.found': 'true',
      'super.users': 'User:ANONYMOUS',
      'listener.name.login.plain.sasl.jaas.config': `${LOGIN} ${users.join(' ')};`,
      'listener.name.short.sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    },
  })
  admin = await new Kafka({ brokers: [secured.broker.address], clientId: 'test' }).admin()
  closing(() => admin.close())
})
after(async () => {
  for (const close of closes) await close()
})

const withCa = (): Properties => ({ 'ssl.ca.location': secured.authority.ca })
const scram = (mechanism: string): Properties => ({
  ...withCa(),
  'security.protocol': 'SASL_SSL',
  'sasl.mechanism': mechanism,
  'sasl.username': USER,
  'sasl.password': PASSWORD,
})
const leftOut = (pipeline: string, names: string) =>
  `rowmill: the cluster refuses ${names} for the topics ${pipeline}.*, so they have its defaults`

test('Confluent Cloud: its client file with a registry, and messages of 8 MiB', async t => {
  const registry = await startRegistry()
  t.after(() => registry.close())
  const url = await lockedRegistry(t, registry, 'SRKEY:sr/secret+=')
  const file = `# Required connection configs for Kafka producer, consumer, and admin
bootstrap.servers=${secured.address('LOGIN')}
security.protocol=SASL_SSL
sasl.jaas.config=${LOGIN} username='${API.key}' password='${API.secret}';
sasl.mechanism=PLAIN
# Required for correctness in Apache Kafka clients prior to 2.6
client.dns.lookup=use_all_dns_ips

# Best practice for higher availability in Apache Kafka clients prior to 3.0
session.timeout.ms=45000

# Best practice for Kafka producer to prevent data loss
acks=all

client.id=ccloud-java-client-1234

# Required connection configs for Confluent Cloud Schema Registry
schema.registry.url=${url}
basic.auth.credentials.source=USER_INFO
basic.auth.user.info=SRKEY:sr/secret+=
`
  const properties = {
    ...scram('PLAIN'),
    'bootstrap.servers': secured.address('LOGIN'),
    'sasl.username': API.key,
    'sasl.password': API.secret,
  }
  const schemaRegistry = url.replace('://', `://SRKEY:${encodeURIComponent('sr/secret+=')}@`)
  const env = { NODE_EXTRA_CA_CERTS: secured.authority.ca } // as the authority of the service is known to all
  const options = ['--schema-registry', url]
  const client = new ServiceClient(t, { pipeline: 'confluent', properties, file, env, options, schemaRegistry })
  await client.doesAllJobs()
  assert.deepEqual(client.refusals, [leftOut('confluent', 'max.message.bytes')])
})

test('MSK Serverless: IAM in each process, longer than a token lives; no min.insync.replicas, messages of 8 MiB', async t => {
  const signed = join(testFolder(t), 'signed')
  const signer = join(import.meta.dirname, '../fixtures/aws-signer/install.ts')
  const env = { SIGNER_LOG: signed, SIGNER_SECONDS: '4' }
  Object.assign(process.env, env)
  await import(signer)
  const properties = {
    ...withCa(),
    'bootstrap.servers': secured.address('LOGIN'),
    'security.protocol': 'SASL_SSL',
    'sasl.mechanism': 'AWS_MSK_IAM',
    'sasl.jaas.config': 'software.amazon.msk.auth.iam.IAMLoginModule required;',
    'sasl.client.callback.handler.class': 'software.amazon.msk.auth.iam.IAMClientCallbackHandler',
    'rowmill.aws.region': 'eu-west-1',
  }
  const times = () => {
    const byProcess = Map.groupBy(readFileSync(signed, 'utf8').trimEnd().split('\n'), line => line.split(' ')[0]!)
    return new Map([...byProcess].map(([pid, lines]) => [Number(pid), lines.length]))
  }
  let ofProducer = 0
  const client = new ServiceClient(t, {
    pipeline: 'serverless',
    properties,
    env: { ...env, NODE_OPTIONS: `--import=${signer}` },
  })
  await client.doesAllJobs({
    async pause() {
      const before = times()
      ofProducer = before.get(process.pid)!
      const isAlive = (pid: number) => pid !== process.pid && existsSync(`/proc/${pid}`)
      const renewed = () => [...times()].filter(([pid, count]) => isAlive(pid) && count >= (before.get(pid) ?? 0) + 4)
      await until('a process of the workers has renewed its logins', () => renewed().length > 0)
    },
  })
  assert.ok(times().get(process.pid)! > ofProducer)
  assert.deepEqual(client.refusals, [leftOut('serverless', 'max.message.bytes, min.insync.replicas')])
})

test('MSK with SCRAM: a port that takes SCRAM-SHA-512 alone', async t => {
  const at = { 'bootstrap.servers': secured.address('SHORT') }
  const wrong = new ServiceClient(t, { pipeline: 'msk', properties: { ...scram('SCRAM-SHA-256'), ...at } })
  const { code, stderr } = await wrong.start('publish', 'in.csv').ended
  assert.equal(code, 3)
  assert.match(
    stderr,
    /does not support the requested SASL mechanism\. Give one that it has as sasl\.mechanism \[AUTHENTICATION_FAILED\]/,
  )
  const client = new ServiceClient(t, { pipeline: 'msk', properties: { ...scram('SCRAM-SHA-512'), ...at } })
  await client.doesAllJobs()
  assert.deepEqual(client.refusals, [])
})

test('Aiven: a client certificate, nothing kept for ever, and SCRAM-SHA-256 at another port', async t => {
  const own = testFolder(t)
  const files = {
    'ca.pem': secured.authority.ca,
    'service.cert': secured.client.cert,
    'service.key': secured.client.key,
  }
  for (const [name, file] of Object.entries(files)) copyFileSync(file, join(own, name))
  const properties = {
    'bootstrap.servers': secured.address('MUTUAL'),
    'security.protocol': 'SSL',
    'ssl.ca.location': join(own, 'ca.pem'),
    'ssl.certificate.location': join(own, 'service.cert'),
    'ssl.key.location': join(own, 'service.key'),
  }
  const client = new ServiceClient(t, { pipeline: 'aiven', properties })
  await client.doesAllJobs()
  assert.deepEqual(client.refusals, [leftOut('aiven', 'retention.ms')])
  const warnings = client.said.filter(line => line.includes('retention.ms=604800000 deletes job records'))
  assert.equal(warnings.length, 4)
  assert.match(warnings[0]!, /The cluster refuses retention\.ms=-1: end each job before its record is deleted$/)

  const login = { ...scram('SCRAM-SHA-256'), 'bootstrap.servers': secured.address('LOGIN') }
  const other = new ServiceClient(t, { pipeline: 'aiven', properties: login })
  const lasts =
    /^topic aiven\.jobs: .*The cluster refuses retention\.ms=-1: end each job before its record is deleted\n$/
  assert.match(await other.does('topics', 'check', '--hours', '168', '--partitions', '8'), lasts)
  assert.match(await other.does('doctor'), /warning +settings +topic aiven\.jobs: .*refuses retention\.ms=-1/)
})

test('Strimzi: the files of the secrets of a KafkaUser and of the cluster', async t => {
  const own = testFolder(t)
  copyFileSync(secured.authority.ca, join(own, 'ca.crt'))
  copyFileSync(secured.client.store, join(own, 'user.p12'))
  const properties = {
    'bootstrap.servers': secured.address('MUTUAL'),
    'security.protocol': 'SSL',
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': join(own, 'ca.crt'),
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': join(own, 'user.p12'),
    'ssl.keystore.password': STORE_PASSWORD, // the text of user.password
  }
  await new ServiceClient(t, { pipeline: 'strimzi', properties }).doesAllJobs()
})

/** Allows operations on the topics of a pipeline, and so denies all others. Nobody may create topics in the cluster. */
async function restrict(pipeline: string, user: string): Promise<void> {
  const { AclOperationTypes: operations, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
  const topics = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: `${pipeline}.`,
    resourcePatternType: ResourcePatternTypes.PREFIXED,
    principal: `User:${user}`,
    operation: operations.READ,
    host: '*',
    permissionType: AclPermissionTypes.ALLOW,
  }
  const cluster = {
    ...topics,
    resourceType: AclResourceTypes.CLUSTER,
    resourceName: 'kafka-cluster',
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:nobody',
  }
  const client = new kafkajs.Kafka({ brokers: [secured.broker.address], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await client.connect()
  await client
    .createAcls({ acl: [topics, { ...topics, operation: operations.WRITE }, cluster] })
    .finally(() => client.disconnect())
}

test('Azure Event Hubs: $ConnectionString, no right to create or to read settings, idle connections that are cut', async t => {
  const properties = {
    ...scram('PLAIN'),
    'bootstrap.servers': secured.address('LOGIN'),
    'sasl.jaas.config': `${LOGIN} username="${CONNECTION.user}" password="${CONNECTION.password}";`,
    'sasl.username': '',
    'sasl.password': '',
    'request.timeout.ms': '60000',
    'session.timeout.ms': '30000',
    'metadata.max.age.ms': '180000',
    'connections.max.idle.ms': '180000',
    'max.request.size': '1000000',
  }
  await restrict('hubs', CONNECTION.user)
  const client = new ServiceClient(t, { pipeline: 'hubs', properties })
  const refused = await client.start('publish', 'in.csv').ended
  assert.equal(refused.code, 3)
  const [what, ...commands] = refused.stderr.trimEnd().split('\n')
  assert.match(what!, /User:\$ConnectionString has no right to Create topics hubs\.\*/)
  const { reports, ...others } = topicsOf('hubs')
  assert.ok(!refused.stderr.includes(reports), 'no command needs it')
  const topics = Object.values(others)
  assert.deepEqual(
    commands.map(command => /--create --topic (\S+) /.exec(command)?.[1]),
    topics,
  )
  await admin.createTopics(
    topics.map(topic => {
      const partitions = /jobs|rejects/.test(topic) ? 1 : 2
      return { topic, partitions, replicationFactor: 1, config: {} }
    }),
  )
  const connections = () => process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length
  await client.doesAllJobs({
    pause: () => until('only the connection that waits for jobs is left', () => connections() === 1),
  })
  const before = await admin.bounds('hubs.jobs', 0)
  const long = Array.from({ length: 10 }, () => 'a'.repeat(105_000))
  writeFileSync(join(client.folder, 'long.csv'), `${long.map((_, i) => `C${i}`)}\n${long}\n`)
  const tooLong = await client.start('publish', 'long.csv').ended
  assert.equal(tooLong.code, 1)
  assert.match(
    tooLong.stderr,
    /long\.csv, line 2: the row takes 1050\d+ bytes, .* at most 998976\. .*\[INPUT_ROW_TOO_LARGE\]/,
  )
  assert.deepEqual(await admin.bounds('hubs.jobs', 0), before)
  const { 'max.request.size': _, ...unlimited } = properties
  const file = join(client.folder, 'long.csv')
  const unaware = await new ServiceClient(t, { pipeline: 'hubs', properties: unlimited }).start('publish', file).ended
  assert.equal(unaware.code, 3)
  assert.match(
    unaware.stderr,
    /topic hubs\.rows takes no message of 1050\d+ bytes\. .*max\.request\.size.*\[TOPIC_UNUSABLE\]/,
  )
})

test('a quota of partitions: the error has the words of the cluster and what is half there; fewer --partitions fit', async t => {
  const client = new ServiceClient(t, {
    pipeline: 'quota',
    properties: { 'bootstrap.servers': secured.broker.address },
  })
  const { code, stderr } = await client.start('publish', 'in.csv').ended
  const why = 'topic quota.results is not created: this would exceed the quota of 20 partitions'
  const cure = 'Delete quota.jobs, quota.rows, quota.bulk, quota.rejects before you try again with other --partitions'
  assert.deepEqual([code, stderr.split('\n')[0]], [3, `rowmill: ${why}. ${cure} [TOPIC_UNUSABLE]`])
  const made = ['quota.jobs', 'quota.rows', 'quota.bulk', 'quota.rejects']
  await admin.deleteTopics(made)
  // While a topic is being deleted, one answer of the broker lists it and the next does not know it.
  await until('they are gone', () =>
    admin
      .partitions(made)
      .then(left => left.size === 0)
      .catch(() => false),
  )
  await client.doesAllJobs({ partitions: ['--partitions', '6'] })
  assert.deepEqual(client.refusals, [])
})

/** The most bytes of a request to a partition, which is one batch in its log. */
function longestBatch(topic: string): number {
  const folder = join(data, 'data', `${topic}-0`)
  let longest = 0
  for (const name of readdirSync(folder).filter(name => name.endsWith('.log'))) {
    const log = readFileSync(join(folder, name))
    for (let at = 0; at < log.length && log.readInt32BE(at + 8) > 0; at += 12 + log.readInt32BE(at + 8))
      longest = Math.max(longest, 12 + log.readInt32BE(at + 8))
  }
  return longest
}

test('one request carries as many messages as the client and the topic take, and no more', async t => {
  const longest = async (name: string, maxRequestBytes: number | null, topicBytes: number) => {
    const limits = maxRequestBytes === null ? {} : { maxRequestBytes }
    const kafka = new Kafka({ brokers: [secured.broker.address], clientId: 'test', limits })
    const topic = `requests.${name}`
    const config = { 'max.message.bytes': String(topicBytes) }
    await admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config }])
    const sender = new PartitionSender(await kafka.producer(), () => {})
    t.after(() => sender.close())
    const message = { key: 'k', value: Buffer.alloc(90_000) }
    await Promise.all(Array.from({ length: 60 }, () => sender.send({ topic, partition: 0 }, message)))
    return Math.floor(longestBatch(topic) / message.value.length)
  }
  assert.equal(await longest('by-default', null, MAX_MESSAGE_BYTES), 11)
  assert.equal(await longest('smaller', 200_000, MAX_MESSAGE_BYTES), 2)
  assert.equal(await longest('larger', 4_000_000, MAX_MESSAGE_BYTES), 44)
  assert.equal(await longest('too-large', 4_000_000, MESSAGE_BYTES), 11)
})

for (const [pipeline, properties, most] of [
  ['wide', {}, 1_000_000],
  ['narrow', { 'max.request.size': '150000', 'fetch.max.bytes': '60000' }, 150_000],
  ['too-wide', { 'max.request.size': '4000000' }, MESSAGE_BYTES],
] as [string, Properties, number][])
  test(`long rows with ${JSON.stringify(properties)}: no batch has more than ${most} bytes, and all rows come back`, async t => {
    const at = { 'bootstrap.servers': secured.broker.address }
    const client = new ServiceClient(t, { pipeline, properties: { ...at, ...properties } })
    const rows = Array.from({ length: 200 }, (_, i) => `${i},${'ab'.repeat(20_000)}\n`).join('')
    writeFileSync(join(client.folder, 'long.csv'), `ID,TEXT\n${rows}`)
    await client.does('run', 'long.csv', 'out.csv', ...PASSES, '--partitions', '1')
    assert.ok(readFileSync(join(client.folder, 'out.csv'), 'utf8') === rows)
    for (const topic of [`${pipeline}.rows`, `${pipeline}.results`])
      assert.ok(longestBatch(topic) <= most, `${topic}: ${longestBatch(topic)} bytes`)
  })

test('three brokers: Confluent Cloud takes 3 replicas alone; a cluster that takes another number alone gives its default', async t => {
  const { start, properties } = await policedBroker(closing, { three: 'replicas=3', two: 'replicas=2' })
  const cluster = await Cluster.open(closing, {
    properties: { ...properties, 'default.replication.factor': 2 },
    start,
  })
  const at = { 'bootstrap.servers': cluster.addresses }
  const clients = ['three', 'two'].map(pipeline => new ServiceClient(t, { pipeline, properties: at }))
  for (const client of clients) await client.doesAllJobs()
  assert.deepEqual(
    clients.map(({ refusals }) => refusals),
    [[], [leftOut('two', 'replication.factor, min.insync.replicas')]],
  )
})
