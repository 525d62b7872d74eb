import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import {
  type Fetched,
  findOpenTransaction,
  type Kafka,
  type PartitionOffset,
  type Producer,
  type Reader,
  type TopicPartition,
} from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import type { PartitionQueue } from '../../src/kafka/partition-queue.ts'
import { realTime, type Time } from '../../src/support/clock.ts'
import { brokerAddress, testKafka } from '../helpers/broker.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { until } from '../helpers/until.ts'

const silent = () => {}

interface TestTopic {
  readonly kafka: Kafka
  readonly topic: string
  readonly feed: PartitionFeed
  readonly producer: Producer
  at(partition: number, offset: number): PartitionOffset
  send(partition: number, ...values: (string | Buffer)[]): Promise<number>
}

async function testTopic(t: TestContext, partitions: number, config: Record<string, string> = {}): Promise<TestTopic> {
  const kafka = await testKafka()
  const topic = `test-${randomBytes(6).toString('hex')}`
  const admin = await kafka.admin()
  const large = { 'max.message.bytes': String(16 * 1024 * 1024) }
  await admin.createTopics([{ topic, partitions, replicationFactor: 1, config: { ...large, ...config } }])
  const [producer, feed] = await Promise.all([kafka.producer(), PartitionFeed.open(kafka, [topic], silent)])
  t.after(async () => {
    await Promise.all([feed.close(), producer.close()])
    await admin.deleteTopics([topic])
    await admin.close()
  })
  return {
    kafka,
    topic,
    feed,
    producer,
    at: (partition, offset) => ({ topic, partition, offset }),
    send: (partition, ...values) =>
      producer.send(
        { topic, partition },
        values.map((value, i) => ({ key: String(i), value: Buffer.from(value) })),
      ),
  }
}

/** What Kafka can do to a log and rowmill never does: deleted records, compaction, transactions. */
async function rawClient(t: TestContext) {
  const client = new kafkajs.Kafka({ brokers: [await brokerAddress()], logLevel: kafkajs.logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  return { client, admin }
}

/** Takes until the queue is drained: the offsets and the values. */
async function drain(feed: PartitionFeed, queue: PartitionQueue): Promise<[number, string][]> {
  const taken: [number, string][] = []
  while (!queue.drained) {
    const message = feed.take(queue)
    if (message) taken.push([message.offset, String(message.value).slice(0, 20)])
    else await feed.arrival()
  }
  return taken
}

const offsetsOf = (taken: readonly [number, string][]) => taken.map(([offset]) => offset)

test('each partition is read from the given offset to its end', async t => {
  const { feed, at, send } = await testTopic(t, 2)
  await send(0, 'a', 'b', 'c', 'd')
  await send(1, 'x', 'y')
  const [zero, one] = await feed.assign([at(0, 2), at(1, 0)])
  assert.deepEqual(await drain(feed, zero!), [
    [2, 'c'],
    [3, 'd'],
  ])
  assert.deepEqual(await drain(feed, one!), [
    [0, 'x'],
    [1, 'y'],
  ])
})

test('later messages arrive, and an empty partition is known to be drained', async t => {
  const { feed, at, send } = await testTopic(t, 1)
  const [queue] = await feed.assign([at(0, 0)])
  assert.deepEqual(await drain(feed, queue!), [])
  const arrival = feed.arrival()
  await send(0, 'late')
  await arrival
  assert.deepEqual(await drain(feed, queue!), [[0, 'late']])
})

test('a queue that nobody reads stays bounded and delays no other partition; once read, it continues', async t => {
  const { feed, at, send } = await testTopic(t, 2)
  const block = Buffer.alloc(50_000)
  for (let i = 0; i < 8; i++) await send(0, ...Array.from({ length: 20 }, () => block))
  const [slow, other] = await feed.assign([at(0, 0), at(1, 0)])
  for (let i = 0; i < 10; i++) {
    await send(1, `other ${i}`)
    while (other!.length === 0) await feed.arrival()
    assert.deepEqual(await drain(feed, other!), [[i, `other ${i}`]])
  }
  assert.ok(slow!.bytes >= 500_000 && slow!.bytes <= 2_000_000, `${slow!.bytes} bytes are buffered`)
  let most = 0
  const offsets: number[] = []
  while (!slow!.drained) {
    most = Math.max(most, slow!.bytes)
    const message = feed.take(slow!)
    if (message) offsets.push(message.offset)
    else await feed.arrival()
  }
  assert.deepEqual(offsets, [...Array(160).keys()])
  assert.equal(slow!.bytes, 0)
  assert.ok(most <= 2_000_000, `${most} bytes were buffered`)
})

test('a feed with all queues full fetches again when half of a full queue was taken', async t => {
  const { feed, at, send } = await testTopic(t, 1)
  for (let i = 0; i < 4; i++) await send(0, ...Array.from({ length: 20 }, () => Buffer.alloc(50_000)))
  const [queue] = await feed.assign([at(0, 0)])
  while (queue!.bytes < 500_000) await feed.arrival()
  assert.deepEqual(offsetsOf(await drain(feed, queue!)), [...Array(80).keys()])
})

test('a message larger than a queue arrives, even beside other full partitions', async t => {
  const { feed, at, send } = await testTopic(t, 3)
  const large = Buffer.alloc(5_000_000, 'L')
  for (const partition of [0, 1, 2]) {
    await send(partition, 'before')
    await send(partition, large)
    await send(partition, 'after')
  }
  const queues = await feed.assign([0, 1, 2].map(partition => at(partition, 0)))
  for (const queue of queues) {
    assert.deepEqual(await drain(feed, queue), [
      [0, 'before'],
      [1, 'LLLLLLLLLLLLLLLLLLLL'],
      [2, 'after'],
    ])
  }
})

test('an assignment discards the one before: its queues are closed and get nothing more', async t => {
  const { feed, at, send } = await testTopic(t, 2)
  await send(0, 'a', 'b')
  await send(1, 'x')
  const [before] = await feed.assign([at(0, 0)])
  while (before!.length < 2) await feed.arrival()
  feed.take(before!)
  const [again, other] = await feed.assign([at(0, 0), at(1, 0)])
  assert.equal(before!.closed, true)
  await send(0, 'c')
  while (again!.length < 3) await feed.arrival()
  assert.deepEqual(offsetsOf(await drain(feed, again!)), [0, 1, 2])
  assert.deepEqual(offsetsOf(await drain(feed, other!)), [0])
  assert.equal(before!.length, 1)
  assert.equal(before!.nextOffset, 2)
})

test('an offset below the start of the log resumes at the start, and other partitions at theirs', async t => {
  const { feed, at, send, topic } = await testTopic(t, 2)
  await send(0, 'a', 'b', 'c', 'd')
  await send(1, 'x')
  const { admin } = await rawClient(t)
  await admin.fetchTopicOffsets(topic) // KafkaJS learns of the topic by it
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
  const [zero, one] = await feed.assign([at(0, 0), at(1, 0)])
  assert.deepEqual(offsetsOf(await drain(feed, zero!)), [2, 3])
  assert.deepEqual(offsetsOf(await drain(feed, one!)), [0])
})

test('an offset after the end of the log, as of a recreated topic, begins at the start', async t => {
  const { feed, at, send } = await testTopic(t, 1)
  await send(0, 'a', 'b')
  const [queue] = await feed.assign([at(0, 100)])
  while (queue!.length < 2) await feed.arrival()
  assert.deepEqual(offsetsOf(await drain(feed, queue!)), [0, 1])
})

/** A producer of transactions, by hand. */
async function transactionalProducer(t: TestContext, name: string): Promise<kafkajs.Producer> {
  const { client } = await rawClient(t)
  const producer = client.producer({ transactionalId: name, maxInFlightRequests: 1, idempotent: true })
  await producer.connect()
  t.after(() => producer.disconnect())
  return producer
}

test('messages of committed transactions are read; aborted ones and all markers are skipped', async t => {
  const { feed, at, topic } = await testTopic(t, 1)
  const producer = await transactionalProducer(t, topic)
  for (const end of ['commit', 'abort', 'commit'] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: end }, { value: end }] })
    await transaction[end]()
  }
  const [queue] = await feed.assign([at(0, 0)])
  const taken = await drain(feed, queue!)
  while (queue!.nextOffset < 9) {
    await feed.arrival() // the last marker is written after the commit is answered
    taken.push(...(await drain(feed, queue!)))
  }
  assert.deepEqual(taken, [
    [0, 'commit'],
    [1, 'commit'],
    [6, 'commit'],
    [7, 'commit'],
  ])
})

test('a marker at the end of one partition delays no other partition', async t => {
  const { feed, at, send, topic } = await testTopic(t, 5)
  const producer = await transactionalProducer(t, topic)
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ value: 'in a transaction', partition: 0 }] })
  await transaction.commit()
  const queues = await feed.assign([0, 1, 2, 3, 4].map(partition => at(partition, 0)))
  while (queues[0]!.nextOffset < 2) await feed.arrival()
  for (const queue of queues.slice(1)) {
    await send(queue.partition, 'plain')
    while (queue.length === 0) await feed.arrival()
    assert.deepEqual(await drain(feed, queue), [[0, 'plain']])
  }
  assert.deepEqual(await drain(feed, queues[0]!), [[0, 'in a transaction']])
})

test('an open transaction is found, and the bounds of its partition are those of the log', async t => {
  const { send, topic } = await testTopic(t, 1)
  await send(0, 'plain')
  const producer = await transactionalProducer(t, topic)
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ value: 'open', partition: 0 }] })
  const kafka = await testKafka()
  const admin = await kafka.admin()
  t.after(() => admin.close())
  assert.deepEqual(await admin.bounds(topic, 0), { start: 0, end: 2 })
  assert.deepEqual(await findOpenTransaction(kafka, topic), { topic, partition: 0, offset: 1 })
  await transaction.abort()
  await until('it has ended', async () => (await findOpenTransaction(kafka, topic)) === null)
})

test('messages of aborted transactions that overlap in several partitions are skipped, and no others', async t => {
  const { feed, at, send, topic } = await testTopic(t, 3)
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(name => transactionalProducer(t, `${topic}-${name}`)))
  const [first, second, third] = [await a!.transaction(), await b!.transaction(), await c!.transaction()]
  for (const partition of [0, 1, 2]) {
    await first.send({ topic, messages: [{ value: 'aborted', partition }] })
    await second.send({ topic, messages: [{ value: 'aborted', partition }] })
    await third.send({ topic, messages: [{ value: 'committed', partition }] })
    await send(partition, 'plain')
    await first.send({ topic, messages: [{ value: 'aborted', partition }] })
  }
  await first.abort()
  for (const partition of [0, 1, 2]) await second.send({ topic, messages: [{ value: 'aborted', partition }] })
  const again = await a!.transaction()
  for (const partition of [0, 1, 2]) await again.send({ topic, messages: [{ value: 'committed', partition }] })
  await again.commit()
  await second.abort()
  await third.commit()
  const queues = await feed.assign([0, 1, 2].map(partition => at(partition, 0)))
  for (const queue of queues) {
    const values: string[] = []
    while (queue.nextOffset < 11) {
      values.push(...(await drain(feed, queue)).map(([, value]) => value))
      if (queue.nextOffset < 11) await feed.arrival()
    }
    values.push(...(await drain(feed, queue)).map(([, value]) => value))
    assert.deepEqual(values, ['committed', 'plain', 'committed'])
  }
})

test('an open transaction delays only its partition, and its messages come when it ends', async t => {
  const { feed, at, send, topic } = await testTopic(t, 2)
  const producer = await transactionalProducer(t, topic)
  await send(0, 'before')
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ value: 'in a transaction', partition: 0 }] })
  await send(0, 'after')
  const [held, free] = await feed.assign([at(0, 0), at(1, 0)])
  assert.deepEqual(await drain(feed, held!), [[0, 'before']])
  for (const value of ['x', 'y', 'z']) {
    await send(1, value)
    while (free!.length === 0) await feed.arrival()
    assert.equal((await drain(feed, free!))[0]![1], value)
  }
  assert.deepEqual([held!.length, held!.nextOffset], [0, 1])
  await transaction.commit()
  while (held!.length < 2) await feed.arrival()
  assert.deepEqual(await drain(feed, held!), [
    [1, 'in a transaction'],
    [2, 'after'],
  ])
})

test('holes after compaction are skipped: at the end of a batch, an emptied batch, a removed one', async t => {
  const compacted = {
    'cleanup.policy': 'compact',
    'segment.ms': '1',
    'min.cleanable.dirty.ratio': '0', // or a first, partial cleaning leaves too little for a second one
    'delete.retention.ms': '0',
    'min.compaction.lag.ms': '0',
  }
  const { feed, at, topic, kafka } = await testTopic(t, 1, compacted)
  await compact(t, topic)

  await untilCompacted(t, kafka, topic)
  const [queue] = await feed.assign([at(0, 0)])
  assert.deepEqual(offsetsOf(await drain(feed, queue!)), [0, 1, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18])
  assert.equal(queue!.nextOffset, 19)
})

/**
 * Writes batches of which [2], [3 4] (kept, as the last of an idempotent producer), [5 6 7] and [9] will be removed.
 */
async function compact(t: TestContext, topic: string): Promise<void> {
  const { client, admin } = await rawClient(t)
  const cleanSoon = [{ name: 'log.cleaner.backoff.ms', value: '100' }] // 15 s by default
  const resources = [{ type: kafkajs.ConfigResourceTypes.BROKER, name: '1', configEntries: cleanSoon }]
  await admin.alterConfigs({ validateOnly: false, resources })
  const plain = client.producer({ allowAutoTopicCreation: false })
  const idempotent = client.producer({ allowAutoTopicCreation: false, idempotent: true })
  await Promise.all([plain.connect(), idempotent.connect()])
  let time = Date.now() - 60_000
  const send = async (producer: kafkajs.Producer, ...keys: string[]) => {
    const value = (key: string) => (key === 'large' ? Buffer.alloc(1_500_000) : Buffer.from(key))
    time += 1000 // a segment is closed by a record that is more than segment.ms younger than its first
    const timestamp = String(time)
    await producer.send({ topic, messages: keys.map(key => ({ key, value: value(key), timestamp })) })
  }
  await send(plain, 'a', 'b', 'c')
  await send(idempotent, 'd', 'e')
  await send(plain, 'f', 'g')
  await send(plain, 'h', 'large', 'j')
  await send(plain, 'c', 'd', 'e', 'f', 'g', 'h', 'j')
  await send(plain, 'rolls the segment')
  await send(plain, 'and stays in the open one')
  await Promise.all([plain.disconnect(), idempotent.disconnect()])
}

/** Kafka sends no event when it has compacted a log. */
async function untilCompacted(t: TestContext, kafka: Kafka, topic: string): Promise<void> {
  const reader = await kafka.reader([topic])
  t.after(() => reader.close())
  const [node] = [...(await reader.leaders([{ topic, partition: 0 }], false)).keys()]
  const limits = { maxWaitMs: 1, maxPartitionBytes: 1, maxBytes: 1 }
  await until('the log is compacted', async () => {
    const [fetched] = await reader.fetch(node!, [{ topic, partition: 0, offset: 2 }], limits)
    return fetched!.messages.length === 0
  })
}

test('an interruption ends every present and future wait for an arrival, with its fault', async t => {
  const { feed, at } = await testTopic(t, 1)
  const [queue] = await feed.assign([at(0, 0)])
  await drain(feed, queue!)
  const open = assert.rejects(feed.arrival(), /stop it/)
  feed.interrupt(new Error('stop it'))
  await open
  await assert.rejects(feed.arrival(), /stop it/)
})

test('close ends every wait and can be called twice', async t => {
  const { feed, at } = await testTopic(t, 1)
  const [queue] = await feed.assign([at(0, 0)])
  await drain(feed, queue!)
  const open = assert.rejects(feed.arrival(), /the feed was closed/)
  await Promise.all([feed.close(), feed.close()])
  await open
  assert.equal(queue!.closed, true)
})

test('a missing partition is refused, not waited for', async t => {
  const { feed, at } = await testTopic(t, 2)
  await assert.rejects(feed.assign([at(0, 0), at(2, 0)]), { code: 'TOPIC_UNUSABLE' })
})

test('the offsets of a missing partition are refused, not left out', async t => {
  const { feed, topic } = await testTopic(t, 1)
  const wanted = [0, 1].map(partition => ({ topic, partition }))
  await assert.rejects(feed.offsets(wanted, 'end'), { code: 'TOPIC_UNUSABLE' })
})

/** A reader whose fetches the test answers by hand. */
class HandReader {
  readonly patience = { timeoutMs: 60_000 }
  readonly metadataMaxAgeMs = 60_000
  readonly calls: string[] = []
  /** The leader of all partitions. */
  node = '1'
  readonly fetches: { node: string; offsets: readonly PartitionOffset[]; answer: PromiseWithResolvers<Fetched[]> }[] =
    []
  #asked = Promise.withResolvers<void>()

  async leaders(wanted: readonly TopicPartition[]): Promise<Map<string, TopicPartition[]>> {
    this.calls.push('leaders')
    return new Map([[this.node, [...wanted]]])
  }

  fetch(node: string, offsets: readonly PartitionOffset[]): Promise<Fetched[]> {
    const answer = Promise.withResolvers<Fetched[]>()
    this.fetches.push({ node, offsets, answer })
    this.#asked.resolve()
    this.#asked = Promise.withResolvers<void>()
    return answer.promise
  }

  async offsets(wanted: readonly TopicPartition[]): Promise<PartitionOffset[]> {
    return wanted.map(at => ({ topic: at.topic, partition: at.partition, offset: 7 }))
  }

  async nextFetch(count: number) {
    while (this.fetches.length < count) await this.#asked.promise
    return this.fetches[count - 1]!
  }

  async close(): Promise<void> {
    this.calls.push('close')
    this.fetches.at(-1)?.answer.reject(new Error('the connection was closed'))
  }
}

async function handFeed(time: Time = realTime) {
  const reader = new HandReader()
  const kafka = { reader: async () => reader as unknown as Reader } as unknown as Kafka
  return { reader, feed: await PartitionFeed.open(kafka, ['t'], silent, { time }) }
}

const at = (offset: number): PartitionOffset => ({ topic: 't', partition: 0, offset })

/** An answer of a log that ends at offset 2 and has nothing at the requested offset. */
function fetched(at: PartitionOffset): Fetched {
  const nothing = { messages: [], next: at.offset, empty: true, tooLarge: false, end: 2, logEnd: 2 }
  return { ...at, ...nothing, error: null, outOfRange: false, preferredNode: null }
}

test('the answer to a fetch of an earlier assignment moves nothing', async () => {
  const { reader, feed } = await handFeed()
  await feed.assign([at(0)])
  const old = await reader.nextFetch(1)
  const [queue] = await feed.assign([at(0)])
  old.answer.resolve([{ ...fetched(at(0)), next: 2, messages: [{ offset: 1, key: null, value: null, timestamp: 0 }] }])
  await reader.nextFetch(2)
  assert.deepEqual([queue!.length, queue!.nextOffset, queue!.end], [0, 0, -1])
  await feed.close()
})

test('a partition is read from the replica that its leader names, and from the leader if the replica lacks it', async () => {
  const { reader, feed } = await handFeed()
  const [queue] = await feed.assign([at(0)])
  const first = await reader.nextFetch(1)
  first.answer.resolve([{ ...fetched(at(0)), preferredNode: '2' }])
  const second = await reader.nextFetch(2)
  assert.deepEqual([first.node, second.node, second.offsets], ['1', '2', [at(0)]])
  const error = Object.assign(new Error('out of range'), { type: 'OFFSET_OUT_OF_RANGE' })
  second.answer.resolve([{ ...fetched(at(0)), error, outOfRange: true }])
  const third = await reader.nextFetch(3)
  assert.deepEqual([third.node, third.offsets, queue!.lost], ['1', [at(0)], null])
  await feed.close()
})

test('an earlier assignment that was out of range moves nothing', async () => {
  const { reader, feed } = await handFeed()
  await feed.assign([at(0)])
  const old = await reader.nextFetch(1)
  const [queue] = await feed.assign([at(50)])
  old.answer.resolve([{ ...fetched(at(0)), error: new Error('out of range'), outOfRange: true }])
  const next = await reader.nextFetch(2)
  assert.equal(queue!.nextOffset, 50)
  assert.equal(next.offsets[0]!.offset, 50)
  await feed.close()
})

test('a feed closed during an outage sends the broker no more requests', async () => {
  const { reader, feed } = await handFeed()
  await feed.assign([at(0)])
  const fetch = await reader.nextFetch(1)
  fetch.answer.reject(new Error('the connection was closed'))
  await turn()
  await feed.close()
  await turn()
  assert.deepEqual(reader.calls, ['leaders', 'close'])
})

test('a partition read to its end is skipped, and others are fetched in the meantime', async () => {
  const { reader, feed } = await handFeed()
  const [hole, other] = await feed.assign([at(0), { ...at(0), partition: 1 }])
  let fetches = 0
  while (hole!.nextOffset === 0) {
    const { offsets, answer } = await reader.nextFetch(++fetches)
    assert.equal(offsets.length, 2)
    answer.resolve(
      offsets.map(at => {
        if (at.partition === 0) return fetched(at)
        const message = { offset: at.offset, key: null, value: null, timestamp: 0 }
        return { ...fetched(at), messages: [message], next: at.offset + 1, empty: false, end: 100 }
      }),
    )
    assert.ok(fetches < 20)
    await turn()
  }
  assert.deepEqual([hole!.nextOffset, hole!.drained, hole!.length], [2, true, 0])
  assert.ok(other!.length >= 4)
  await feed.close()
})

test('a leader that moved is found within metadata.max.age.ms, although the old one still answers', async () => {
  const time = new ManualTime()
  const { reader, feed } = await handFeed(time)
  await feed.assign([at(0)])
  const first = await reader.nextFetch(1)
  reader.node = '2'
  first.answer.resolve(first.offsets.map(fetched))
  const second = await reader.nextFetch(2)
  assert.deepEqual([second.node, reader.calls], ['1', ['leaders']])
  await time.pass(reader.metadataMaxAgeMs + 1)
  second.answer.resolve(second.offsets.map(fetched))
  const third = await reader.nextFetch(3)
  third.answer.resolve(third.offsets.map(fetched))
  assert.equal((await reader.nextFetch(4)).node, '2')
  assert.deepEqual(reader.calls, ['leaders', 'leaders'])
  await feed.close()
})

test('a partition that the broker refuses delays no message of another one', async () => {
  const { reader, feed } = await handFeed()
  const [refused, other] = await feed.assign([at(0), { ...at(0), partition: 1 }])
  const { offsets, answer } = await reader.nextFetch(1)
  const moved = Object.assign(new Error('moved'), { type: 'NOT_LEADER_FOR_PARTITION', retriable: true })
  answer.resolve(
    offsets.map(at => {
      if (at.partition === 0) return { ...fetched(at), error: moved }
      return { ...fetched(at), messages: [{ offset: 0, key: null, value: null, timestamp: 0 }], next: 1, empty: false }
    }),
  )
  await reader.nextFetch(2)
  assert.deepEqual([refused!.nextOffset, other!.nextOffset, other!.length], [0, 1, 1])
  assert.deepEqual(reader.calls, ['leaders', 'leaders'])
  await feed.close()
})
