/** The times, sizes and names that the user gave as client properties are obeyed, by a real broker behind a proxy. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, Socket } from 'node:net'
import { after, test } from 'node:test'
import { clusterSettings } from '../../src/client-config/kafka-options.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import { brokerBehindProxy } from '../helpers/proxied-broker.ts'
import { API, type Request } from '../helpers/proxy.ts'
import { until } from '../helpers/until.ts'

const proxy = await brokerBehindProxy({ after }) // of all tests of this file

/** A busy broker may need most of a second for an honest answer. */
const SILENT_MS = 1000
const never = new Promise<void>(() => {})
const isOf = (api: number) => (request: Request) => request.api === api
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

const client = (properties: Record<string, string>, brokers = [proxy.address]) =>
  new Kafka({ ...clusterSettings({ brokers, properties }), clientId: 'test', brokerTimeoutMs: 60_000 })

/** A new topic, and what a test needs to write it and to read it. Only what `tried` names has these properties. */
async function open(
  t: { after(fn: () => Promise<unknown>): void },
  properties: Record<string, string>,
  tried: readonly ('write' | 'read')[] = ['write', 'read'],
) {
  const kafka = client(properties)
  const others = client({})
  const topic = `limits-${randomBytes(4).toString('hex')}`
  const said: string[] = []
  const say = (text: string) => said.push(text)
  const admin = await others.admin()
  await admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }])
  await admin.close()
  const sender = new PartitionSender(await (tried.includes('write') ? kafka : others).producer(), say)
  const feed = await PartitionFeed.open(tried.includes('read') ? kafka : others, [topic], say)
  t.after(() => Promise.all([sender.close(), feed.close()]))
  const [queue] = await feed.assign([{ topic, partition: 0, offset: 0 }])
  const send = (value: string) => sender.send({ topic, partition: 0 }, { key: 'k', value: Buffer.from(value) })
  const take = async () => {
    for (;;) {
      const arrival = feed.arrival()
      const message = feed.take(queue!)
      if (message) return message.value!.toString()
      await arrival
    }
  }
  return { kafka, topic, send, take, said }
}

/** All requests that the broker answers from now on. */
function watch(matches: (request: Request) => boolean): Request[] {
  const seen: Request[] = []
  void proxy.answer(request => {
    if (matches(request)) seen.push(request)
    return false
  })
  return seen
}

test('request.timeout.ms: a connection on which the broker is silent is given up, to write', async t => {
  const { send, take } = await open(t, { 'request.timeout.ms': String(SILENT_MS) }, ['write'])
  await send('one')
  const held = proxy.keepBack(isOf(API.produce), never)
  const began = performance.now()
  const sent = send('two')
  await held
  await sent
  assert.ok(performance.now() - began >= SILENT_MS)
  // If the first answer also took longer than that, this message is there twice.
  let taken = await take()
  while (taken === 'one') taken = await take()
  assert.equal(taken, 'two')
})

test('request.timeout.ms: a connection on which the broker is silent is given up, to read', async t => {
  const { send, take } = await open(t, { 'request.timeout.ms': String(SILENT_MS) }, ['read'])
  await send('one')
  assert.equal(await take(), 'one')
  await proxy.keepBack(isOf(API.fetch), never)
  await send('two')
  assert.equal(await take(), 'two')
})

test('socket.connection.setup.timeout.ms and request.timeout.ms: a server that says nothing is given up at the start', async t => {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer(socket => sockets.add(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const properties = {
    'socket.connection.setup.timeout.ms': '200',
    'request.timeout.ms': '200',
    'retry.backoff.ms': '10',
  }
  const began = performance.now()
  await assert.rejects(client(properties, [`127.0.0.1:${port}`]).admin(), { code: 'BROKER_UNREACHABLE' })
  const lastedMs = performance.now() - began
  assert.ok(lastedMs >= 200 && lastedMs < 20_000, `${lastedMs}`)
})

test('connections.max.idle.ms: an idle connection is closed by us, and opened again without a word', async t => {
  const before = proxy.connections
  const { kafka, topic, said } = await open(t, {})
  const limits = t.mock.method(Socket.prototype, 'setTimeout')
  const idle = await client({ 'connections.max.idle.ms': '600000' }).producer()
  const sender = new PartitionSender(idle, text => said.push(text))
  t.after(() => sender.close())
  const send = (value: string) => sender.send({ topic, partition: 0 }, { key: 'k', value: Buffer.from(value) })
  const others = proxy.connections
  await send('one')
  // Node emits this after so long without a byte. A shorter limit would also end a request that a busy broker answers late.
  for (const { arguments: given, this: socket } of limits.mock.calls)
    if (given[0] === 600_000) (socket as Socket).emit('timeout')
  await until('the connection is closed', () => proxy.connections < others)
  await send('two')
  assert.ok(proxy.connections > before)
  assert.deepEqual(said, [])
  const reader = await kafka.reader([topic])
  assert.deepEqual(await reader.ends(topic, 1), [2])
  await reader.close()
})

test('session.timeout.ms, max.poll.interval.ms and client.id are in the request to join', async t => {
  const properties = { 'session.timeout.ms': '7123', 'max.poll.interval.ms': '8123', 'client.id': 'orders' }
  const { kafka, topic } = await open(t, properties)
  const joins = watch(isOf(API.joinGroup))
  const member = await kafka.member(`group-${topic}`, [topic])
  const leave = new AbortController()
  const joined = Promise.withResolvers<void>()
  const handlers = { onAssigned: () => joined.resolve(), onRebalance: () => {}, onTrouble: joined.reject }
  const running = member.run(handlers, leave.signal)
  await joined.promise
  leave.abort()
  await running
  await member.close()
  const [{ bytes, client: id }] = joins as [Request]
  assert.ok(bytes.includes(Buffer.concat([int32(7123), int32(8123)])))
  assert.equal(id, 'orders-test')
})

test('fetch.max.bytes and max.partition.fetch.bytes are in the request to fetch', async t => {
  const fetches = watch(({ api, client }) => api === API.fetch && client.startsWith('sizes'))
  const sizes = { 'fetch.max.bytes': '123456', 'max.partition.fetch.bytes': '65431', 'client.id': 'sizes' }
  const { send, take } = await open(t, sizes)
  await send('one')
  await take()
  const { bytes } = fetches[0]!
  assert.ok(bytes.includes(int32(123_456)) && bytes.includes(int32(65_431)))
})

test('max.request.size: messages that wait are sent in requests below it', async t => {
  const produced = watch(({ api, client }) => api === API.produce && client.startsWith('small'))
  const { send } = await open(t, { 'max.request.size': '50000', 'client.id': 'small' })
  await Promise.all(Array.from({ length: 20 }, () => send('x'.repeat(10_000))))
  const sizes = produced.map(({ bytes }) => bytes.length)
  assert.ok(sizes.length >= 5 && sizes.every(size => size < 50_000), String(sizes))
})

test('retries: a request that fails is repeated as often as the user allows, then the job ends', async t => {
  const { send, said } = await open(t, { retries: '2', 'request.timeout.ms': String(SILENT_MS) }, ['write'])
  await send('one')
  said.length = 0
  let tried = 0
  const lose = () =>
    void proxy
      .keepBack(isOf(API.produce), never)
      .then(() => tried++)
      .then(lose)
  lose()
  await assert.rejects(send('two'), {
    code: 'BROKER_UNREACHABLE',
    message: /^cannot write to the broker after 2 retries: /,
  })
  assert.equal(tried, 3)
  assert.ok(said.length <= 1)
})

test('retry.backoff.ms and retry.backoff.max.ms: the pauses between attempts to connect are no longer than that', async t => {
  const { mock } = t.mock.method(globalThis, 'setTimeout')
  const properties = { 'retry.backoff.ms': '10', 'retry.backoff.max.ms': '10' }
  await assert.rejects(client(properties, ['127.0.0.1:1']).admin(), { code: 'BROKER_UNREACHABLE' })
  // The other timers are the limits of the connections, of 5 s each.
  const pauses = mock.calls.map(({ arguments: [, ms] }) => ms!).filter(ms => ms < 5000)
  assert.ok(pauses.length >= 4 && pauses.every(ms => ms <= 12), String(pauses)) // KafkaJS adds up to a fifth
})
