/**
 * Real containers: `npm run test:container`, separate from `npm test` because it may have to build an engine and an
 * image.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { launchContainer } from '../../src/broker/container/kafka-container.ts'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { choosePorts, isThisMachine } from '../../src/broker/ports.ts'
import { type ClusterSettings, Kafka } from '../../src/kafka/index.ts'
import { MAX_MESSAGE_BYTES } from '../../src/pipeline/topic-settings.ts'
import { runFixture } from '../helpers/broker-owner.ts'
import { startRowmill, testFolder } from '../helpers/cli.ts'
import { buildKafkaImage, containersOf, docker, startDocker } from '../helpers/docker.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIER = `${join(import.meta.dirname, '../fixtures/classifiers.py')}:a_float`
const PATH = process.env['PATH']
const unusable = await startDocker()
const skip = unusable ?? false
if (unusable && process.env['ROWMILL_TEST_DOCKER'] === 'required') throw new Error(unusable)
let image = ''

before(async () => {
  if (!unusable) image = await buildKafkaImage()
})

/** This PATH has no program, so no Java either. The tests themselves need Docker from the real one. */
beforeEach(() => {
  process.env['ROWMILL_KAFKA_IMAGE'] = image
  process.env['PATH'] = import.meta.dirname
  delete process.env['JAVA_HOME']
})

after(async () => {
  if (unusable) return
  process.env['PATH'] = PATH
  assert.deepEqual(await containersOf(image), [])
})

async function onHost<T>(work: () => Promise<T>): Promise<T> {
  process.env['PATH'] = PATH
  try {
    return await work()
  } finally {
    process.env['PATH'] = import.meta.dirname
  }
}

const containers = () => onHost(() => containersOf(image))

test('without Java, rowmill run starts Kafka in a container, writes the same bytes, and removes it', {
  skip,
}, async t => {
  const input = join(testFolder(t), 'rows.csv')
  const output = join(testFolder(t), 'out.csv')
  const rows = Array.from({ length: 3000 }, (_, i) => `${i},${i % 7},"quoted, ${i}"\n`)
  writeFileSync(input, `ID,A,B\n${rows.join('')}`)
  const args = ['run', input, output, '--classifier', CLASSIFIER, '--workers', '2', '--no-progress']
  const { code, stderr } = await startRowmill(args).finished
  assert.equal(code, 0, stderr)
  assert.match(stderr, /no Java on this machine: starting Kafka in a container \(rowmill-test-kafka/)
  assert.equal(readFileSync(output, 'utf8'), await serialJob(input, CLASSIFIER))
  assert.deepEqual(await containers(), [])
})

test('a container takes the largest messages, answers only on 127.0.0.1, and can be closed twice', {
  skip,
}, async t => {
  const broker = await startLocalBroker()
  t.after(broker.close)
  const kafka = new Kafka({ brokers: [broker.address], clientId: 'test' })
  const [admin, producer] = [await kafka.admin(), await kafka.producer()]
  const config = { 'max.message.bytes': `${MAX_MESSAGE_BYTES}` }
  await admin.createTopics([{ topic: 'rows', partitions: 2, replicationFactor: 1, config }])
  const value = Buffer.alloc(MAX_MESSAGE_BYTES - 1000, 'x')
  await producer.send({ topic: 'rows', partition: 1 }, [{ key: 'k', value }])
  const reader = await kafka.reader(['rows'])
  const at = { topic: 'rows', partition: 1 }
  const [node] = (await reader.leaders([at], true)).keys()
  const limits = { maxWaitMs: 5000, maxPartitionBytes: MAX_MESSAGE_BYTES, maxBytes: MAX_MESSAGE_BYTES }
  const [fetched] = await reader.fetch(node!, [{ ...at, offset: 0 }], limits)
  assert.ok(fetched!.messages[0]!.value!.equals(value))
  await Promise.all([admin.close(), producer.close(), reader.close()])

  const port = broker.address.replace('127.0.0.1:', '')
  const [id] = await containers()
  assert.equal(await onHost(() => docker('port', id!)), `${port}/tcp -> 127.0.0.1:${port}`)
  await Promise.all([broker.close(), broker.close()])
  assert.deepEqual(await containers(), [])
})

test('a private container lets in only the secret, which Docker does not show', { skip }, async t => {
  const broker = await startLocalBroker({ auth: true })
  t.after(broker.close)
  const names = async ({ security }: ClusterSettings) => {
    const kafka = new Kafka({ brokers: [broker.address], clientId: 'test', ...(security && { security }) })
    const admin = await kafka.admin()
    return await admin.partitions(['none']).finally(() => admin.close())
  }
  assert.equal((await names(broker.cluster)).size, 0)
  await assert.rejects(names({ brokers: [broker.address] }), { code: 'BROKER_UNREACHABLE' })
  const file = broker.clientConfig!
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const [, secret] = /password="([^"]*)"/.exec(readFileSync(file, 'utf8'))!
  const [id] = await containers()
  assert.doesNotMatch(await onHost(() => docker('inspect', id!)), new RegExp(secret!))
  await broker.close()
  assert.equal(existsSync(dirname(file)), false)
})

test('kill -9 of the owner leaves no container', { skip }, async t => {
  const owner = runFixture(t, 'owner')
  await owner.says('address')
  const [id] = await containers()
  const gone = onHost(() => docker('wait', id!))
  await owner.kill()
  await gone
  await untilNone()
})

test('a container that ends by itself is reported, and close still works', { skip }, async () => {
  const broker = await startLocalBroker()
  const [id] = await containers()
  await onHost(() => docker('kill', id!))
  const error = await broker.died
  assert.equal(error.code, 'BROKER_FAILED')
  assert.match(error.message, /ended by itself with status 137/)
  await broker.close()
})

test('an abort during startup ends it with INTERRUPTED and leaves no container', { skip }, async () => {
  const interrupt = new AbortController()
  const starting = startLocalBroker({ signal: interrupt.signal })
  const rejected = assert.rejects(starting, { code: 'INTERRUPTED' })
  while ((await containers()).length === 0);
  interrupt.abort()
  await rejected
  assert.deepEqual(await containers(), [])
})

test('an abort while Docker pulls the image ends the startup at once', { skip }, async t => {
  const sockets = new Set<Socket>()
  const registry = createServer(socket => sockets.add(socket))
  await new Promise<void>(resolve => registry.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    registry.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = registry.address() as AddressInfo
  process.env['ROWMILL_KAFKA_IMAGE'] = `127.0.0.1:${port}/silent/kafka:1`
  const interrupt = new AbortController()
  const starting = startLocalBroker({ signal: interrupt.signal })
  const rejected = assert.rejects(starting, { code: 'INTERRUPTED' })
  await once(registry, 'connection')
  interrupt.abort()
  await rejected
})

test('a container in which Kafka does not start reports the last log lines, and is removed', { skip }, async () => {
  const base = 'debian:bookworm-slim'
  process.env['ROWMILL_KAFKA_IMAGE'] = base
  const before = await onHost(() => containersOf(base))
  const message = /does not start: .*Its log ends with:\n.*\/etc\/kafka\/docker\/run: not found/s
  await assert.rejects(startLocalBroker(), { code: 'BROKER_FAILED', message })
  assert.deepEqual(await onHost(() => containersOf(base)), before)
})

test('an image that cannot be pulled is named, with every way to solve it', { skip }, async () => {
  process.env['ROWMILL_KAFKA_IMAGE'] = '127.0.0.1:1/no/kafka:1'
  const ways = /install Java 17 or later and Maven.*start Docker and npm install testcontainers.*--brokers HOST:PORT/
  await assert.rejects(startLocalBroker(), { code: 'BROKER_NO_JAVA', message: ways })
  await assert.rejects(startLocalBroker(), { message: /cannot fetch the image 127\.0\.0\.1:1\/no\/kafka:1: / })
})

test('a port taken between the choice and the start is told apart from other failures', { skip }, async t => {
  const testcontainers = await import('testcontainers')
  const client = await testcontainers.getContainerRuntimeClient()
  const ports = await choosePorts(undefined)
  const server = createServer()
  await new Promise<void>(resolve => server.listen(ports.broker, '127.0.0.1', resolve))
  t.after(() => server.close())
  const signal = new AbortController().signal
  const { error } = await launchContainer({ testcontainers, client, image, ports, login: null, signal })
  assert.equal(error?.facts['portTaken'], true)
  assert.deepEqual(await containers(), [])
})

test('the gateway of a Docker network is this machine, even without a container; others are not', {
  skip,
}, async t => {
  const network = await onHost(() => docker('network', 'create', `rowmill-test-${process.pid}`))
  t.after(() => onHost(() => docker('network', 'rm', network)))
  const gateway = await onHost(() => docker('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', network))
  assert.deepEqual([await isThisMachine(gateway), await isThisMachine('192.0.2.1')], [true, false], gateway)
})

/** Docker removes a container a moment after it ends. */
async function untilNone(): Promise<void> {
  const deadline = Date.now() + 20_000
  while ((await containers()).length > 0) assert.ok(Date.now() < deadline, 'the container still exists')
}
