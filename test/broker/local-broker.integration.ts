import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type BrokerPorts, brokerFiles } from '../../src/broker/jvm/broker-files.ts'
import { prepareKafka } from '../../src/broker/jvm/kafka-jars.ts'
import { prepareKafkaJars, startLocalBroker, startOnFreePort } from '../../src/broker/local-broker.ts'
import { RowmillError } from '../../src/errors.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { runFixture } from '../helpers/broker-owner.ts'
import { freePort } from '../helpers/free-port.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'
import { descendants, type ProcessInfo, untilGone } from '../helpers/processes.ts'

const TOPICS = 'org.apache.kafka.tools.TopicCommand'
const environment = { ...process.env }
let folder = ''

before(async () => {
  await prepareKafkaJars()
  // A temporary folder for this file alone, so that leftovers are visible. Its name needs every kind of escape.
  folder = await mkdtemp(join(tmpdir(), 'rowmill broker ü-'))
  process.env['TMPDIR'] = folder
})

after(async () => {
  if (environment['TMPDIR'] === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = environment['TMPDIR']
  const left = await brokerDirectories()
  const running = javas().map(({ pid }) => pid)
  await rm(folder, { recursive: true, force: true })
  assert.deepEqual({ left, running }, { left: [], running: [] })
})

test('a new broker takes a topic of 16 MB messages at once, and leaves nothing when closed twice', async t => {
  const broker = await startLocalBroker()
  t.after(broker.close)
  const [name] = await brokerDirectories()
  const running = descendants(process.pid)
  const connect = ['--bootstrap-server', broker.address]
  const config = ['--config', 'max.message.bytes=16777216']
  await runKafkaTool(TOPICS, [...connect, '--create', '--topic', 'rows', '--partitions', '8', ...config])
  const described = await runKafkaTool(TOPICS, [...connect, '--describe', '--topic', 'rows'])
  assert.match(described, /PartitionCount: 8\b.*max\.message\.bytes=16777216/)
  const produce = ['--topic', 'rows', '--num-records', '2', '--record-size', '16000000', '--throughput', '-1']
  const properties = [`bootstrap.servers=${broker.address}`, 'acks=all', 'max.request.size=16777216']
  await runKafkaTool('org.apache.kafka.tools.ProducerPerformance', [...produce, '--producer-props', ...properties])
  const consume = ['--topic', 'rows', '--from-beginning', '--max-messages', '2', '--timeout-ms', '60000']
  const read = await runKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [...connect, ...consume])
  assert.equal(read.length, 2 * 16_000_001)
  assert.match(broker.address, /^127\.0\.0\.1:\d+$/)
  assert.ok(name)
  assert.equal(javas().length, 1)
  await Promise.all([broker.close(), broker.close()])
  await broker.close()
  assert.deepEqual(javas(), [])
  await untilGone(running)
  assert.deepEqual(await brokerDirectories(), [])
})

test('the broker finds a live row in its log without reading the rows before it', async t => {
  const broker = await startLocalBroker()
  t.after(broker.close)
  const kafka = new Kafka({ brokers: [broker.address], clientId: 'test' })
  const admin = await kafka.admin()
  await admin.createTopics([{ topic: 'rows', partitions: 1, replicationFactor: 1, config: {} }])
  const [producer, reader] = [await kafka.producer(), await kafka.reader(['rows'])]
  t.after(() => Promise.all([admin.close(), producer.close(), reader.close()]))
  const at = { topic: 'rows', partition: 0 }
  const rows = 400 // each is a batch of its own
  for (let i = 0; i < rows; i++) await producer.send(at, [{ key: 'k', value: Buffer.alloc(130) }])
  const [node] = (await reader.leaders([at], false)).keys()
  const limits = { maxWaitMs: 0, maxPartitionBytes: 1_000_000, maxBytes: 1_000_000 }
  const [{ pid }] = javas() as [ProcessInfo]
  const before = readCalls(pid)
  const fetches = 20
  for (let i = 0; i < fetches; i++) {
    const [found] = await reader.fetch(node!, [{ ...at, offset: rows - 1 }], limits)
    assert.equal(found!.messages.length, 1)
  }
  const calls = (readCalls(pid) - before) / fetches
  assert.ok(calls < rows / 4, `${calls} calls of read for each fetch`)
})

test('the group coordinator answers before any client created the offsets topic', async t => {
  const broker = await startLocalBroker()
  t.after(broker.close)
  try {
    const listed = await runKafkaTool(TOPICS, ['--bootstrap-server', broker.address, '--list'])
    assert.equal(listed.trim(), '__consumer_offsets')
  } finally {
    await broker.close()
  }
})

test('kill -9 of the owner leaves no JVM, no guard and no directory', async t => {
  const owner = runFixture(t, 'owner')
  await owner.says('address')
  const below = descendants(owner.pid)
  assert.ok(below.some(({ name }) => name === 'java'))
  assert.equal((await brokerDirectories()).length, 1)
  await owner.kill()
  await untilGone(below)
  assert.deepEqual(await brokerDirectories(), [])
})

test('kill -9 of the owner during startup leaves nothing either', async t => {
  const owner = runFixture(t, 'owner')
  const java = await until(() => descendants(owner.pid).find(({ name }) => name === 'java'))
  const below = descendants(owner.pid)
  assert.ok(below.some(({ pid }) => pid === java.pid))
  await owner.kill()
  await untilGone(below)
  assert.deepEqual(await brokerDirectories(), [])
})

test('Ctrl-C and a closed terminal reach the owner but neither guard nor JVM', async t => {
  const owner = runFixture(t, 'owner')
  const { address } = await owner.says('address')
  const below = descendants(owner.pid)
  process.kill(-owner.pid, 'SIGINT')
  await owner.says('SIGINT')
  process.kill(-owner.pid, 'SIGHUP')
  await owner.says('SIGHUP')
  await runKafkaTool(TOPICS, ['--bootstrap-server', address!, '--list'])
  assert.deepEqual(descendants(owner.pid), below)
  await owner.kill()
  await untilGone(below)
})

test('a JVM that ends by itself is reported, and close removes the rest', async t => {
  const broker = await startLocalBroker()
  t.after(broker.close)
  process.kill(javas()[0]!.pid, 'SIGKILL')
  const error = await broker.died
  assert.equal(error.code, 'BROKER_FAILED')
  assert.match(error.message, /ended by itself with status 137/)
  await broker.close()
  assert.deepEqual(await brokerDirectories(), [])
})

test('the end of both guard processes is reported, and close ends the JVM', async t => {
  const broker = await startLocalBroker()
  t.after(broker.close)
  const below = descendants(process.pid)
  const guards = below.filter(({ name }) => name === 'sh')
  assert.equal(guards.length, 2)
  for (const { pid } of guards) process.kill(pid, 'SIGKILL')
  assert.match((await broker.died).message, /lost its guard/)
  await broker.close()
  await untilGone(below)
  assert.deepEqual(await brokerDirectories(), [])
})

test('a taken port is refused by number before anything starts', async () => {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  try {
    const refused = { code: 'BROKER_FAILED', message: new RegExp(`port ${port} of 127.0.0.1: it is taken`) }
    await assert.rejects(startLocalBroker({ port }), refused)
    assert.deepEqual(await brokerDirectories(), [])
  } finally {
    server.close()
  }
})

test('a port taken between the choice and the start is replaced by another', async t => {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port: taken } = server.address() as { port: number }
  const prepared = await prepareKafka(assert.fail, new AbortController().signal)
  const offered: BrokerPorts[] = []
  const choose = async () => {
    const free = { broker: await freePort(), controller: await freePort() }
    const ports =
      [
        { ...free, broker: taken },
        { ...free, controller: taken },
      ][offered.length] ?? free
    offered.push(ports)
    return ports
  }
  const signal = new AbortController().signal
  const broker = await startOnFreePort({ prepared, dataDir: undefined, signal, choose })
  t.after(broker.close)
  assert.equal(offered.length, 3)
  assert.equal(broker.address, `127.0.0.1:${offered[2]!.broker}`)
  assert.equal((await brokerDirectories()).length, 1)
})

test('an abort during startup ends it with INTERRUPTED and leaves nothing', async () => {
  const interrupt = new AbortController()
  const starting = startLocalBroker({ signal: interrupt.signal })
  await until(() => javas()[0])
  const running = descendants(process.pid)
  interrupt.abort()
  await assert.rejects(starting, { code: 'INTERRUPTED' })
  assert.deepEqual(javas(), [])
  await untilGone(running)
  assert.deepEqual(await brokerDirectories(), [])
})

test('an abort keeps its reason if that is a rowmill error', async () => {
  const reason = new RowmillError('TIMEOUT', 'too late')
  await assert.rejects(startLocalBroker({ signal: AbortSignal.abort(reason) }), reason)
})

test('a data directory keeps its topics for the next broker, and serves one broker at a time', async () => {
  const dataDir = join(folder, 'kept')
  await mkdir(dataDir)
  const first = await startLocalBroker({ dataDir })
  await runKafkaTool(TOPICS, ['--bootstrap-server', first.address, '--create', '--topic', 'kept'])
  const inUse = { code: 'BROKER_FAILED', message: new RegExp(`in use by process ${process.pid}`) }
  await assert.rejects(startLocalBroker({ dataDir }), inUse)
  await first.close()
  const second = await startLocalBroker({ dataDir })
  const topics = await runKafkaTool(TOPICS, ['--bootstrap-server', second.address, '--list'])
  await second.close()
  assert.match(topics, /^kept$/m)
  assert.notEqual((await readdir(dataDir)).length, 0)
  assert.ok(!(await readdir(dataDir)).includes('owner.json'))
})

test('a data directory that Kafka did not make is refused', async () => {
  const dataDir = join(folder, 'foreign')
  await mkdir(join(dataDir, 'data'), { recursive: true })
  await writeMeta(dataDir, 'version=1\n')
  await assert.rejects(startLocalBroker({ dataDir }), { code: 'BROKER_FAILED', message: /has no cluster\.id/ })
  await assert.rejects(startLocalBroker({ dataDir: join(folder, 'a,b') }), {
    code: 'USAGE',
    message: /not contain a comma/,
  })
})

test('a broker that cannot start reports the last lines of its log', async () => {
  const dataDir = join(folder, 'broken')
  await mkdir(join(dataDir, 'data'), { recursive: true })
  await writeMeta(dataDir, 'version=1\nnode.id=7\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n')
  await assert.rejects(startLocalBroker({ dataDir }), error => {
    assert.ok(error instanceof RowmillError)
    assert.equal(error.code, 'BROKER_FAILED')
    assert.match(error.message, /does not start: it ended with status 1\. Its log ends with:\n.*Stored node id 7/s)
    assert.doesNotMatch(error.message, /^\s+at /m)
    return true
  })
})

async function writeMeta(dataDir: string, text: string): Promise<void> {
  await writeFile(brokerFiles(dataDir).meta, text)
}

function javas() {
  return descendants(process.pid).filter(({ name }) => name === 'java')
}

/** How often a process has called read, on files and connections. */
function readCalls(pid: number): number {
  return Number(/^syscr: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))![1])
}

async function brokerDirectories(): Promise<string[]> {
  return (await readdir(folder)).filter(name => name.startsWith('rowmill-broker-'))
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look()
    if (found !== undefined) return found
    await new Promise(resolve => setImmediate(resolve))
  }
}
