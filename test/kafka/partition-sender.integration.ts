import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { OutgoingMessage } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import { testKafka } from '../helpers/broker.ts'

const silent = () => {}
const message = (value: string | Buffer): OutgoingMessage => ({ key: 'k', value: Buffer.from(value) })

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
