/** Connections that fail in every way: `doctor` says how, and never that rowmill has a defect. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { clusterSettings } from '../../src/client-config/kafka-options.ts'
import { ClusterAccess } from '../../src/doctor/cluster-access.ts'
import { examine } from '../../src/doctor/doctor.ts'
import type { Examined } from '../../src/doctor/run-checks.ts'
import { describeKafkaError, Kafka } from '../../src/kafka/index.ts'
import { allOf, contextWith, expectFinding } from '../helpers/doctor.ts'
import { freePort } from '../helpers/free-port.ts'
import { BrokerProxy } from '../helpers/proxy.ts'
import { SecuredBroker } from '../helpers/secured-broker.ts'
import { tokenEndpoint } from '../helpers/token-endpoint.ts'
import { until } from '../helpers/until.ts'

const closes: (() => Promise<void> | void)[] = []
let secured: SecuredBroker
before(async () => {
  secured = await SecuredBroker.start(close => closes.unshift(close))
})
after(async () => {
  for (const close of closes) await close()
})

/** What `doctor` finds, by check. */
async function doctor(address: string, properties: Record<string, string> = {}): Promise<Map<string, Examined>> {
  const settings = clusterSettings({ brokers: [address], properties })
  const cluster = new ClusterAccess({ ...settings, clientId: 'test' })
  const found = await allOf(examine(contextWith({ cluster, pipeline: 'absent' })))
  assert.doesNotMatch(JSON.stringify(found), /unexpected|INTERNAL|RowmillError|KafkaJS/)
  return new Map(found.map(each => [each.check, each]))
}

function expectOnlyLogin(found: Map<string, Examined>, text: RegExp, cure: RegExp): void {
  expectFinding(found.get('login')!.findings, ['failure', text, cure])
  for (const check of ['api-versions', 'clock', 'listeners', 'rights', 'topics'])
    expectFinding(found.get(check)!.findings, ['skipped', /login must be ok first/])
}

test('a port that wants a login, and a client without one', async () => {
  const tls = { 'security.protocol': 'SSL', 'ssl.ca.location': secured.authority.ca }
  const cure = /^Does it require a login \(security\.protocol=SASL_SSL\)\? .*--command-config FILE/
  expectOnlyLogin(await doctor(secured.address('LOGIN'), tls), /stopped answering: Closed connection/, cure)
  expectOnlyLogin(await doctor(secured.address('OPENLOGIN')), /stopped answering: Closed connection/, cure)
})

test('a port without TLS, and a client with it: the cure is that of the commands', async () => {
  const { address } = secured.broker
  const { findings } = (await doctor(address, { 'security.protocol': 'SSL' })).get('tls')!
  expectFinding(findings, [
    'failure',
    new RegExp(`^no Kafka broker answers at ${address}: .*before secure TLS connection`),
    /^Is the address right.*Does it speak TLS there\? If not, give security\.protocol=PLAINTEXT.*\n.*explain BROKER_UNREACHABLE\n/,
  ])
})

test('an endpoint that refuses the client: the cure names the properties', async t => {
  const url = await tokenEndpoint(close => t.after(close), { clientId: 'a', clientSecret: 'b', token: () => '' })
  const found = await doctor(secured.address('LOGIN'), {
    'security.protocol': 'SASL_SSL',
    'ssl.ca.location': secured.authority.ca,
    'sasl.mechanism': 'OAUTHBEARER',
    'sasl.oauthbearer.token.endpoint.url': url,
    'sasl.oauthbearer.client.id': 'a',
    'sasl.oauthbearer.client.secret': 'wrong',
  })
  const cure = /^Check sasl\.oauthbearer\.client\.id and sasl\.oauthbearer\.client\.secret.*\n/
  expectOnlyLogin(found, /no token from http\S+: HTTP status 401, invalid_client$/, cure)
})

const SERVERS: readonly (readonly [name: string, serve: (socket: Socket) => void])[] = [
  ['closes each connection', socket => socket.end()],
  ['resets it at the first request', socket => socket.once('data', () => socket.resetAndDestroy())],
  ['closes it at the first request', socket => socket.once('data', () => socket.end())],
  ['is silent', () => {}],
  ['answers as a web server', socket => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))],
  ['answers with an alert of TLS', socket => socket.once('data', () => socket.end(Buffer.of(21, 3, 3, 0, 2, 2, 40)))],
  ['answers with bytes of no meaning', socket => socket.on('data', request => socket.write(nonsense(request)))],
]

/** An answer to this request whose body is nothing that Kafka says. */
function nonsense(request: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0, 0, 0, 9), request.subarray(8, 12), Buffer.of(0, 0, 0x7f, 0xff, 0xff)])
}

async function listen(t: TestContext, serve: (socket: Socket) => void): Promise<string> {
  const server = createServer(socket => serve(socket.on('error', () => {})))
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

for (const [name, serve] of SERVERS) {
  test(`a port that ${name}`, async t => {
    const address = await listen(t, serve)
    const soon = { 'request.timeout.ms': '1000', 'socket.connection.setup.timeout.ms': '1000' }
    expectOnlyLogin(await doctor(address, soon), /no Kafka broker answers|cannot be read|stopped answering/, /./)
    const tls = await doctor(address, { ...soon, 'security.protocol': 'SSL' })
    assert.equal(tls.get('tls')!.findings[0]!.status, 'failure')
  })
}

for (const [name, api, check] of [
  ['Metadata', 3, 'login'],
  ['DescribeQuorum', 55, 'clock'],
] as const) {
  test(`a connection that ends at the request ${name}`, async t => {
    const port = await freePort()
    const to = Number(secured.broker.address.split(':').at(-1))
    const proxy = await BrokerProxy.open(t, { port, to })
    const lost = proxy.loseAnswer(request => request.api === api, 0)
    const found = await doctor(proxy.address)
    await lost
    assert.match(found.get(check)!.findings[0]!.text, /Closed connection|BROKER_UNREACHABLE/)
  })
}

/** A broker coordinates the groups of a deleted `__consumer_offsets` for a moment longer than it shows the topic. */
async function hasNoCoordinator(group: string): Promise<boolean> {
  const { kafka } = new ClusterAccess({ brokers: [secured.broker.address], clientId: 'test' })
  const probe = await kafka.probe(secured.broker.address, AbortSignal.timeout(10_000))
  try {
    await probe.groupOperations(group)
    return false
  } catch (error) {
    assert.match(describeKafkaError(error).type, /COORDINATOR/)
    return true
  } finally {
    await probe.close()
  }
}

test('a cluster that no group has used stays as it is, and is healthy', async t => {
  const admin = await new Kafka({ brokers: [secured.broker.address], clientId: 'test' }).admin()
  t.after(() => admin.close())
  const topics = async () => [...(await admin.partitions(['__consumer_offsets'])).keys()]
  if ((await topics()).length > 0) await admin.deleteTopics(['__consumer_offsets'])
  await until('the topic is gone', async () => (await topics()).length === 0)
  await until('no broker coordinates the group', () => hasNoCoordinator('absent.workers'))
  const { findings } = (await doctor(secured.broker.address)).get('rights')!
  expectFinding(findings, ['ok', /group absent\.workers: .* no group was used on this cluster/])
  assert.deepEqual(await topics(), [])
})
