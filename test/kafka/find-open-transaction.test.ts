import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { findOpenTransaction } from '../../src/kafka/find-open-transaction.ts'
import { FakeCluster } from '../fakes/kafka.ts'
import type { Transaction } from '../fakes/partition-log.ts'
import { FakeReader } from '../fakes/reader.ts'

const TOPIC = 'p.rows'
const MESSAGE = [{ key: null, value: Buffer.from('x') }]

/** A topic in which each partition has one plain message. */
async function topicOf(partitions: number) {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  const admin = await kafka.admin()
  await admin.createTopics([{ topic: TOPIC, partitions, replicationFactor: 1, config: {} }])
  const log = (partition: number) => cluster.log({ topic: TOPIC, partition })!
  for (let partition = 0; partition < partitions; partition++) log(partition).append(MESSAGE)
  return { kafka, log }
}

/** Counts the requests for offsets. */
function countRequests(t: TestContext): () => number {
  const asked = t.mock.method(FakeReader.prototype, 'offsets')
  return () => asked.mock.callCount()
}

test('an open transaction in one of 100 partitions is found with three requests for offsets', async t => {
  const { kafka, log } = await topicOf(100)
  log(73).append(MESSAGE, { state: 'open' })
  log(73).append(MESSAGE)
  const requests = countRequests(t)
  assert.deepEqual(await findOpenTransaction(kafka, TOPIC), { topic: TOPIC, partition: 73, offset: 1 })
  assert.equal(requests(), 3)
})

test('without an open transaction two requests are enough', async t => {
  const { kafka } = await topicOf(100)
  const requests = countRequests(t)
  assert.equal(await findOpenTransaction(kafka, TOPIC), null)
  assert.equal(requests(), 2)
})

test('messages that arrive between the requests, and a transaction that ends meanwhile, are no open transaction', async t => {
  const { kafka, log } = await topicOf(2)
  const transaction: Transaction = { state: 'open' }
  log(1).append(MESSAGE, transaction)
  const offsets = FakeReader.prototype.offsets
  let requests = 0
  t.mock.method(
    FakeReader.prototype,
    'offsets',
    async function (this: FakeReader, ...args: Parameters<typeof offsets>) {
      const found = await offsets.apply(this, args)
      log(0).append(MESSAGE)
      if (++requests === 2) log(1).finish(transaction, 'committed')
      return found
    },
  )
  assert.equal(await findOpenTransaction(kafka, TOPIC), null)
})
