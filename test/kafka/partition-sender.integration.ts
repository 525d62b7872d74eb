import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { OutgoingMessage, Producer, TopicPartition } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import { testKafka } from '../helpers/broker.ts'

const silent = () => {}
const at = (partition: number): TopicPartition => ({ topic: 't', partition })
const message = (value: string | Buffer): OutgoingMessage => ({ key: 'k', value: Buffer.from(value) })

interface Request {
  readonly partition: number
  readonly values: readonly string[]
  answer(error?: Error): void
}

/** A producer whose requests the test answers by hand. */
class HandProducer {
  readonly patience = { timeoutMs: 60_000 }
  readonly open: Request[] = []
  readonly all: Request[] = []
  #asked = Promise.withResolvers<void>()

  send({ partition }: TopicPartition, messages: readonly OutgoingMessage[]): Promise<number> {
    return new Promise((resolve, reject) => {
      const request: Request = {
        partition,
        values: messages.map(({ value }) => (value.length > 100 ? `${value.length} bytes` : value.toString())),
        answer: error => {
          this.open.splice(this.open.indexOf(request), 1)
          if (error) reject(error)
          else resolve(0)
        },
      }
      this.open.push(request)
      this.all.push(request)
      this.#asked.resolve()
      this.#asked = Promise.withResolvers<void>()
    })
  }

  /** The oldest open request, once there is one. */
  async next(): Promise<Request> {
    while (this.open.length === 0) await this.#asked.promise
    return this.open[0]!
  }

  async close(): Promise<void> {}
}

function handSender(t: TestContext) {
  const producer = new HandProducer()
  const sender = new PartitionSender(producer as unknown as Producer, silent)
  t.after(async () => {
    const closing = sender.close()
    for (const request of [...producer.open]) request.answer(new Error('the test is over'))
    await closing
  })
  return { producer, sender }
}

const refusal = () => Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE', retriable: false })

const open = ({ open }: HandProducer) => open.map(({ partition, values }) => ({ partition, values }))

test('a request that the broker finds too large is sent in parts, in order, and later requests are smaller', async t => {
  const { producer, sender } = handSender(t)
  const sizes = [400_001, 400_002, 100_001, 100_002]
  const sent = sizes.map(bytes => sender.send(at(0), message(Buffer.alloc(bytes))))
  ;(await producer.next()).answer(refusal())
  for (let answered = 1; answered < 4; answered++) {
    while (producer.all.length <= answered) await turn()
    producer.all[answered]!.answer()
  }
  await Promise.all(sent)
  const asked = producer.all.map(({ values }) => values.map(value => Number.parseInt(value, 10)))
  assert.deepEqual(asked, [[400_001, 400_002, 100_001], [400_001], [400_002], [100_001, 100_002]])
  assert.equal(sender.bytes, 0)
})

test('partitions take turns, one request at a time, and waiting messages are batched', async t => {
  const { producer, sender } = handSender(t)
  const sent = [sender.send(at(0), message('a'))]
  const first = await producer.next()
  sent.push(...['b', 'c', 'd'].map(value => sender.send(at(0), message(value))))
  sent.push(...['x', 'y'].map(value => sender.send(at(1), message(value))))
  await turn()
  assert.deepEqual(open(producer), [{ partition: 0, values: ['a'] }])
  first.answer()
  const second = await producer.next()
  assert.deepEqual(open(producer), [{ partition: 1, values: ['x', 'y'] }])
  second.answer()
  const third = await producer.next()
  assert.deepEqual(open(producer), [{ partition: 0, values: ['b', 'c', 'd'] }])
  third.answer()
  await Promise.all(sent)
  assert.equal(producer.all.length, 3)
})

test('a slow partition delays no other, and still has one request in flight', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { producer, sender } = handSender(t)
  const slow = [sender.send(at(0), message('a')), turn().then(() => sender.send(at(0), message('b')))]
  await turn()
  const quick = sender.send(at(1), message('x'))
  await turn()
  t.mock.timers.tick(499)
  await turn()
  assert.deepEqual(open(producer), [{ partition: 0, values: ['a'] }])
  t.mock.timers.tick(1)
  await turn()
  assert.deepEqual(open(producer), [
    { partition: 0, values: ['a'] },
    { partition: 1, values: ['x'] },
  ])
  producer.open[1]!.answer()
  await quick
  producer.open[0]!.answer()
  const last = await producer.next()
  assert.deepEqual(last.values, ['b'])
  last.answer()
  await Promise.all(slow)
})

test('messages of one turn go in the first request, of at most a megabyte', async t => {
  const { producer, sender } = handSender(t)
  const sizes = [400_000, 400_000, 400_000, 2_000_000, 10]
  const sent = sizes.map(size => sender.send(at(0), message(Buffer.alloc(size))))
  for (let i = 0; i < 4; i++) (await producer.next()).answer()
  await Promise.all(sent)
  assert.deepEqual(
    producer.all.map(({ values }) => values.length),
    [2, 1, 1, 1],
  )
})

test('a request has at most 2,000 messages, so that encoding does not block the process', async t => {
  const { producer, sender } = handSender(t)
  const sent = Array.from({ length: 4001 }, (_, i) => sender.send(at(0), message(String(i))))
  for (let i = 0; i < 3; i++) (await producer.next()).answer()
  await Promise.all(sent)
  assert.deepEqual(
    producer.all.map(({ values }) => [values.length, values[0]]),
    [
      [2000, '0'],
      [2000, '2000'],
      [1, '4000'],
    ],
  )
})

test('a failed request is retried with the same messages before anything else goes to that partition', async t => {
  const { producer, sender } = handSender(t)
  const sent = [sender.send(at(0), message('a')), sender.send(at(0), message('b'))]
  const first = await producer.next()
  sent.push(sender.send(at(0), message('c')))
  first.answer(new Error('the connection was closed'))
  const again = await producer.next()
  assert.deepEqual(again.values, ['a', 'b'])
  again.answer()
  const last = await producer.next()
  assert.deepEqual(last.values, ['c'])
  last.answer()
  await Promise.all(sent)
})

test('room waits until the unacknowledged bytes are below the limit', async t => {
  const { producer, sender } = handSender(t)
  const sent = [sender.send(at(0), message('12345')), sender.send(at(1), message('12345'))]
  assert.equal(sender.bytes, 10)
  await sender.room(11)
  let room = false
  const waiting = sender.room(10).then(() => {
    room = true
  })
  const first = await producer.next()
  await turn()
  assert.equal(room, false)
  first.answer()
  await waiting
  assert.equal(sender.bytes, 5)
  producer.open[0]!.answer()
  await Promise.all(sent)
  await sender.room(1)
})

test('room returns after a refusal, even for messages queued after the refused one', async t => {
  const { producer, sender } = handSender(t)
  const refused = assert.rejects(sender.send(at(0), message('large')), { code: 'TOPIC_UNUSABLE' })
  const first = await producer.next()
  const queued = [1, 2, 3].map(() => assert.rejects(sender.send(at(0), message('12345')), { code: 'TOPIC_UNUSABLE' }))
  first.answer(refusal())
  await Promise.all([refused, ...queued])
  await turn()
  assert.equal(sender.bytes, 0)
  await sender.room(1)
})

test('close rejects unacknowledged messages and later calls, and releases waits for room', async () => {
  const producer = new HandProducer()
  const sender = new PartitionSender(producer as unknown as Producer, silent)
  const inFlight = assert.rejects(sender.send(at(0), message('a')), /the sender was closed/)
  const request = await producer.next()
  const waiting = assert.rejects(sender.send(at(0), message('b')), /the sender was closed/)
  const room = sender.room(1)
  const closing = sender.close()
  request.answer(new Error('the connection was closed'))
  await Promise.all([closing, inFlight, waiting, room])
  await assert.rejects(sender.send(at(0), message('c')), /the sender was closed/)
  assert.equal(producer.all.length, 1)
})

test('close can be called twice', async () => {
  const sender = new PartitionSender(new HandProducer() as unknown as Producer, silent)
  await Promise.all([sender.close(), sender.close()])
  await sender.close()
})

async function realTopic(t: TestContext, partitions: number, config: Record<string, string>) {
  const kafka = await testKafka()
  const topic = `test-${randomBytes(6).toString('hex')}`
  const admin = await kafka.admin()
  await admin.createTopics([{ topic, partitions, replicationFactor: 1, config }])
  const sender = new PartitionSender(await kafka.producer(), silent)
  t.after(async () => {
    await sender.close()
    await admin.deleteTopics([topic])
    await admin.close()
  })
  const read = async (partition: number) => {
    const reader = await kafka.reader([topic])
    try {
      const [end] = await reader.offsets([{ topic, partition }], 'end')
      const values: string[] = []
      for (let offset = 0; offset < end!.offset; ) {
        const [node] = [...(await reader.leaders([{ topic, partition }], false)).keys()]
        const limits = { maxWaitMs: 100, maxPartitionBytes: 1_000_000, maxBytes: 1_000_000 }
        const [fetched] = await reader.fetch(node!, [{ topic, partition, offset }], limits)
        const { messages } = fetched!
        for (const { value } of messages) values.push(String(value))
        offset = messages.at(-1)!.offset + 1
      }
      return values
    } finally {
      await reader.close()
    }
  }
  return { kafka, topic, sender, read }
}

test('each partition has the messages in the order of the calls', async t => {
  const { topic, sender, read } = await realTopic(t, 3, {})
  const sent: Promise<void>[] = []
  const wanted: string[][] = [[], [], []]
  for (let i = 0; i < 3000; i++) {
    const partition = (i * 7) % 3
    wanted[partition]!.push(String(i))
    sent.push(sender.send({ topic, partition }, message(String(i))))
    if (i % 100 === 0) await turn()
  }
  await Promise.all(sent)
  for (const partition of [0, 1, 2]) assert.deepEqual(await read(partition), wanted[partition])
})

for (const bytes of [130, 13_107]) {
  test(`waiting messages go in requests that a default Kafka topic takes: ${bytes} bytes a message`, async t => {
    const { topic, sender, read } = await realTopic(t, 1, { 'max.message.bytes': '1000012' })
    const count = Math.round(2_700_000 / bytes)
    const texts = Array.from({ length: count }, (_, i) => String(i).padStart(bytes, '.'))
    await Promise.all(texts.map(text => sender.send({ topic, partition: 0 }, message(text))))
    assert.deepEqual(await read(0), texts)
  })
}

test('after a message that is larger than the topic takes, its partition gets nothing more, and others continue', async t => {
  const { topic, sender, read } = await realTopic(t, 2, { 'max.message.bytes': '2000' })
  const beside = sender.send({ topic, partition: 1 }, message('beside'))
  await assert.rejects(sender.send({ topic, partition: 0 }, message(randomBytes(5000))), { code: 'TOPIC_UNUSABLE' })
  await assert.rejects(sender.send({ topic, partition: 0 }, message('after')), { code: 'TOPIC_UNUSABLE' })
  await beside
  await sender.send({ topic, partition: 1 }, message('after'))
  assert.deepEqual([await read(0), await read(1)], [[], ['beside', 'after']])
  await sender.room(1)
})

test('a message for a missing partition never counts as sent', async t => {
  const { kafka, topic } = await realTopic(t, 2, {})
  const producer = await kafka.producer()
  t.after(() => producer.close())
  await assert.rejects(producer.send({ topic, partition: 2 }, [message('lost')]))
})
