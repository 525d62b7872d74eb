/** A partition that the broker cannot read, although it answers. It delays only itself. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import type { PartitionQueue } from '../../src/kafka/partition-queue.ts'
import { readNow } from '../../src/kafka/read-now.ts'
import { FakeCluster } from '../fakes/kafka.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const TIMEOUT_MS = 10_000
const fault = (type: string, message: string) => Object.assign(new Error(message), { type, retriable: false })
const DAMAGED = fault('UNKNOWN', 'The server experienced an unexpected error')
const MOVED = fault('NOT_LEADER_FOR_PARTITION', 'This server is not the leader')

async function topicOf(t: TestContext, { patient, partitions = 3 }: { patient: boolean; partitions?: number }) {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client({ brokerTimeoutMs: TIMEOUT_MS })
  const admin = await kafka.admin()
  await admin.createTopics([{ topic: 't', partitions, replicationFactor: 1, config: {} }])
  const producer = await kafka.producer()
  const time = new ManualTime()
  const said: string[] = []
  const say = (message: string) => said.push(message)
  const feed = await PartitionFeed.open(kafka, ['t'], say, { patient, time })
  t.after(() => feed.close())
  const queues = await feed.assign(
    Array.from({ length: partitions }, (_, n) => ({ topic: 't', partition: n, offset: 0 })),
  )
  let asked = Promise.withResolvers<void>()
  cluster.onFetch = async () => {
    asked.resolve()
    asked = Promise.withResolvers<void>()
  }
  return {
    ...{ cluster, kafka, feed, queues, time, said },
    /** Lets time pass. After each step the feed fetches twice, so it also gets the answers of partitions that paused. */
    async pass(ms: number, stepMs = 100) {
      for (let passed = 0; passed < ms; passed += stepMs) {
        await time.pass(stepMs)
        for (let fetches = 0; fetches < 3; fetches++) await asked.promise
      }
    },
    log: (partition: number) => cluster.log({ topic: 't', partition })!,
    send: (partition: number, text: string) =>
      producer.send({ topic: 't', partition }, [{ key: 'k', value: Buffer.from(text) }]),
  }
}

async function next(feed: PartitionFeed, queue: PartitionQueue): Promise<string> {
  for (;;) {
    const message = feed.take(queue)
    if (message) return String(message.value)
    await feed.arrival()
  }
}

test('other partitions are read at full speed: no clock has to move for them', async t => {
  const { feed, queues, log, send } = await topicOf(t, { patient: true })
  log(1).fault = DAMAGED
  await send(1, 'damaged')
  for (let i = 0; i < 50; i++) {
    await send(0, `a${i}`)
    await send(2, `b${i}`)
    assert.deepEqual([await next(feed, queues[0]!), await next(feed, queues[2]!)], [`a${i}`, `b${i}`])
  }
  assert.deepEqual([queues[1]!.nextOffset, queues[1]!.length], [0, 0])
})

test('the partition is named once, and once more when it is readable; then all of it is read', async t => {
  const { feed, queues, log, send, pass, said } = await topicOf(t, { patient: true })
  log(1).fault = DAMAGED
  await send(1, 'damaged')
  await pass(2 * TIMEOUT_MS, 500)
  const name = 't[1]: the broker cannot read from offset 0 on: The server experienced an unexpected error.'
  assert.deepEqual(said, [`${name} Other partitions are read meanwhile. Retrying`])
  log(1).fault = null
  await pass(1000)
  assert.equal(await next(feed, queues[1]!), 'damaged')
  assert.deepEqual(said.slice(1), ['t[1]: the broker can read it again'])
})

test('a fault that ends within a second is not logged', async t => {
  const { feed, queues, log, send, pass, said } = await topicOf(t, { patient: true })
  log(1).fault = DAMAGED
  await send(1, 'x')
  await pass(500)
  log(1).fault = null
  await pass(1000)
  assert.equal(await next(feed, queues[1]!), 'x')
  assert.deepEqual(said, [])
})

test('a rebalance forgets the faults of partitions that leave, and remembers those that stay', async t => {
  const { feed, log, send, pass, said } = await topicOf(t, { patient: true })
  log(1).fault = DAMAGED
  await send(1, 'damaged')
  const at = (partition: number) => ({ topic: 't', partition, offset: 0 })
  await pass(3000, 500)
  await feed.assign([at(0), at(1)])
  await pass(3000, 500)
  assert.equal(said.length, 1)
  await feed.assign([at(0)])
  await feed.assign([at(0), at(1)])
  await pass(3000, 500)
  assert.equal(said.length, 2)
})

test('a reader that needs every partition ends after the broker timeout, and names topic and partition', async t => {
  const { feed, log, send, time, pass, said } = await topicOf(t, { patient: false })
  log(1).fault = DAMAGED
  await send(1, 'damaged')
  const ends = async () => {
    for (;;) await feed.arrival()
  }
  let ended = false
  const ending = assert.rejects(ends(), {
    code: 'PARTITION_UNREADABLE',
    exitCode: 3,
    message:
      /^t\[1\]: the broker cannot read from offset 0 on, for 1[01] s: The server experienced an unexpected error/,
    facts: { topic: 't', partition: 1, offset: 0, type: 'UNKNOWN' },
  })
  void ending.then(() => {
    ended = true
  })
  await pass(TIMEOUT_MS - 1000, 500)
  assert.equal(ended, false)
  assert.match(said[0]!, /^t\[1\]: .* Retrying for --broker-timeout 10 s$/)
  time.runs(t)
  await ending
})

test('a read up to the present end does the same', async () => {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client({ brokerTimeoutMs: 1 })
  const admin = await kafka.admin()
  await admin.createTopics([{ topic: 'jobs', partitions: 1, replicationFactor: 1, config: {} }])
  const producer = await kafka.producer()
  await producer.send({ topic: 'jobs', partition: 0 }, [{ key: 'k', value: Buffer.from('x') }])
  cluster.log({ topic: 'jobs', partition: 0 })!.fault = DAMAGED
  const { signal } = new AbortController()
  const reading = readNow({ kafka, say: () => {}, signal }, [{ topic: 'jobs', partition: 0, offset: 0 }], () => {})
  await assert.rejects(reading, { code: 'PARTITION_UNREADABLE', message: /^jobs\[0\]: / })
})

test('a moved leader is looked up at once, and its partition is read from the new one', async t => {
  const { feed, queues, log, send, pass, said } = await topicOf(t, { patient: true })
  for (let i = 0; i < 5; i++) {
    log(1).leader ^= 1
    await send(1, `x${i}`)
    await pass(200)
    assert.equal(await next(feed, queues[1]!), `x${i}`)
  }
  assert.deepEqual(said, [])
})

test('a patient reader ends after the broker timeout if none of its partitions has a leader', async t => {
  const { feed, queues, log, time, send } = await topicOf(t, { patient: true, partitions: 2 })
  time.runs(t)
  log(0).fault = MOVED
  await send(1, 'x')
  await time.sleep(2 * TIMEOUT_MS)
  assert.equal(await next(feed, queues[1]!), 'x')
  log(1).fault = MOVED
  const ending = assert.rejects(feed.arrival(), { code: 'PARTITION_UNREADABLE' })
  await ending
})

test('an offset that retention deleted is looked up without delaying other partitions', async t => {
  const { feed, queues, log, send, pass } = await topicOf(t, { patient: true })
  for (const text of ['a', 'b', 'c']) await send(2, text)
  log(1).start = 7
  log(1).end = 7
  await send(0, 'x')
  await send(1, 'late')
  assert.equal(await next(feed, queues[0]!), 'x')
  await pass(200)
  assert.equal(await next(feed, queues[1]!), 'late')
  assert.deepEqual(queues[1]!.lost, { from: 0, end: 7 })
  assert.equal(await next(feed, queues[2]!), 'a')
})

test('a partition without read permission ends the reader at once', async t => {
  const { feed, log, time } = await topicOf(t, { patient: true })
  log(1).fault = fault('TOPIC_AUTHORIZATION_FAILED', 'Not authorized')
  const ending = assert.rejects(feed.arrival(), { code: 'TOPIC_UNUSABLE', message: /^t\[1\]: .*Not authorized/ })
  await time.pass(100)
  await ending
})
