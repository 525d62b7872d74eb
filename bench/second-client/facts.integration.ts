/** What @platformatic/kafka does where rowmill needs something else. docs/decisions/second-client.md names each fact. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { Consumer, createRecordsBatch, Producer, Reader, readRecordsBatches } from '@platformatic/kafka'
import { brokerAddress, testKafka } from '../../test/helpers/broker.ts'

async function clientsOf(t: TestContext, partitions: number) {
  const topic = `test-${randomBytes(6).toString('hex')}`
  const admin = await (await testKafka()).admin()
  await admin.createTopics([{ topic, partitions, replicationFactor: 1, config: {} }])
  const options = { clientId: 'facts', bootstrapBrokers: [await brokerAddress()], retries: 10, retryDelay: 50 }
  const producer = new Producer(options)
  const consumer = new Consumer({ ...options, groupId: `${topic}.group` })
  t.after(async () => {
    await Promise.all([producer.close(), consumer.close(true)])
    await admin.deleteTopics([topic])
    await admin.close()
  })
  const send = (partition: number) =>
    producer.send({ acks: -1, messages: [{ topic, partition, value: Buffer.from('a') }] })
  return { topic, admin, consumer, send }
}

test('a message for a partition that the topic lacks is written to another one', async t => {
  const { topic, send } = await clientsOf(t, 2)
  assert.deepEqual((await send(7)).offsets, [{ topic, partition: 1, offset: 0n }])
})

test('consumer.fetch drops the messages of all partitions if one of them has an error', async t => {
  const { topic, consumer, send } = await clientsOf(t, 2)
  await send(0)
  await send(1)
  const { brokers, topics } = await consumer.metadata({ topics: [topic] })
  const fetch = (offsets: readonly bigint[]) =>
    consumer.fetch({
      node: [...brokers.keys()][0]!,
      maxWaitTime: 100,
      topics: [
        {
          topicId: topics.get(topic)!.id,
          partitions: offsets.map((fetchOffset, partition) => ({
            partition,
            fetchOffset,
            currentLeaderEpoch: -1,
            lastFetchedEpoch: -1,
            partitionMaxBytes: 1024,
          })),
        },
      ],
    })
  const { responses } = await fetch([0n, 0n])
  assert.equal(responses[0]!.partitions.length, 2)
  await assert.rejects(fetch([0n, 9n]))
})

test('a batch whose checksum is wrong is read as if it were right', () => {
  const bytes = Buffer.from(createRecordsBatch([{ topic: 'a', value: Buffer.from('honest') }]).buffer)
  bytes.write('forged', bytes.indexOf('honest'))
  const [batch] = readRecordsBatches(Reader.from(bytes))
  assert.equal(String(batch!.records[0]!.value), 'forged')
})

test('a member that lost its membership joins the group again when it commits, and then commits all the same', async t => {
  const { topic, admin, consumer } = await clientsOf(t, 1)
  consumer.topics.track(topic)
  await consumer.joinGroup({ sessionTimeout: 6000, heartbeatInterval: 3000, rebalanceTimeout: 10_000 })
  consumer.generationId = 99 // as after a rebalance that this member missed
  await consumer.commit({ offsets: [{ topic, partition: 0, offset: 5n, leaderEpoch: -1 }] })
  assert.equal(await admin.committed(`${topic}.group`, topic, 0), 5)
})
