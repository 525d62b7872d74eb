import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readNow } from '../../src/kafka/read-now.ts'
import { FakeCluster } from '../fakes/kafka.ts'

const silent = () => {}
const offsets = [0, 1].map(partition => ({ topic: 't', partition, offset: partition }))

async function topic() {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  const admin = await kafka.admin()
  await admin.createTopics([{ topic: 't', partitions: 2, replicationFactor: 1, config: {} }])
  const producer = await kafka.producer()
  const send = (partition: number, ...values: string[]) =>
    producer.send(
      { topic: 't', partition },
      values.map(value => ({ key: 'k', value: Buffer.from(value) })),
    )
  return { cluster, kafka, send }
}

test('each partition is read from its offset to its end, in log order', async () => {
  const { kafka, send } = await topic()
  await send(0, 'a', 'b', 'c')
  await send(1, 'd', 'e')
  const found: string[][] = [[], []]
  const { signal } = new AbortController()
  await readNow({ kafka, say: silent, signal }, offsets, (partition, { value }) => {
    found[partition]!.push(`${value}`)
  })
  assert.deepEqual(found, [['a', 'b', 'c'], ['e']])
})

test('messages sent after the call are not waited for', async () => {
  const { kafka, send } = await topic()
  await send(0, 'a')
  await send(1, 'b', 'c')
  let read = 0
  const { signal } = new AbortController()
  await readNow({ kafka, say: silent, signal }, offsets, () => {
    read++
    void send(0, 'more') // an end that moved would never be reached
  })
  assert.ok(read >= 2, `${read} messages`)
})

test('an abort ends the reading with its reason, before and during it', async () => {
  const { cluster, kafka, send } = await topic()
  await send(0, 'a')
  const reason = new Error('enough')
  const read = (signal: AbortSignal) => readNow({ kafka, say: silent, signal }, offsets, silent)
  await assert.rejects(read(AbortSignal.abort(reason)), reason)
  const stop = new AbortController()
  cluster.onFetch = async () => {
    stop.abort(reason)
    throw new Error('the broker does not answer')
  }
  await assert.rejects(read(stop.signal), reason)
})
