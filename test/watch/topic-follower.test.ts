import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { shareBytes } from '../../src/support/free-bytes.ts'
import { TopicFollower } from '../../src/watch/topic-follower.ts'
import { FakeCluster } from '../fakes/kafka.ts'
import type { Transaction } from '../fakes/partition-log.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { until } from '../helpers/until.ts'

const silent = () => {}

/** A topic of two partitions, and who follows it from its start. */
async function followed(t: TestContext) {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  const admin = await kafka.admin()
  await admin.createTopics([{ topic: 't', partitions: 2, replicationFactor: 1, config: {} }])
  const producer = await kafka.producer()
  const send = (partition: number, value: Buffer) => producer.send({ topic: 't', partition }, [{ key: 'k', value }])
  const time = new ManualTime()
  const taken: string[][] = [[], []]
  const values: Buffer<ArrayBuffer>[] = []
  const fetches = { count: 0 }
  cluster.onFetch = async () => void fetches.count++
  const follower = await TopicFollower.open(
    { kafka, say: silent },
    {
      topic: 't',
      time,
      take(partition, { value }) {
        taken[partition]!.push(`${value}`)
        values.push(value as Buffer<ArrayBuffer>)
        shareBytes(value as Buffer<ArrayBuffer>, 1) // as those of an answer are
      },
    },
  )
  t.after(() => follower.close())
  await follower.begin([0, 0])
  const log = (partition: number) => cluster.log({ topic: 't', partition })!
  return { follower, send, time, taken, values, fetches, log }
}

test('messages stay at the broker until somebody waits for them, and then come in a few fetches', async t => {
  const { follower, send, time, taken, fetches } = await followed(t)
  await send(0, Buffer.from('a'))
  await send(1, Buffer.from('b'))
  await follower.untilRead([1, 1])
  const before = fetches.count
  for (const text of ['c', 'd', 'e']) {
    await send(0, Buffer.from(text))
    await time.pass(1000)
  }
  assert.deepEqual([taken, fetches.count - before], [[['a'], ['b']], 0])
  await send(1, Buffer.from('f'))
  await follower.untilRead([4, 2])
  assert.deepEqual(taken, [
    ['a', 'c', 'd', 'e'],
    ['b', 'f'],
  ])
  assert.ok(fetches.count - before <= 2, `${fetches.count - before} fetches`)
})

test('a call gets messages that come while a fetch is under way', async t => {
  const { follower, send, time, taken } = await followed(t)
  const all = follower.untilRead([1, 1])
  await send(0, Buffer.from('a'))
  await time.pass(1000)
  await send(1, Buffer.from('b'))
  await all
  assert.deepEqual(taken, [['a'], ['b']])
})

test('the memory of a message is freed when it was taken', async t => {
  const { follower, send, values } = await followed(t)
  await send(0, Buffer.alloc(100_000, 'a')) // more than Node puts into memory that buffers share
  await follower.untilRead([1, 0])
  assert.deepEqual(
    values.map(({ length }) => length),
    [0],
  )
})

test('only the first call waits for what an open transaction holds up, and a later one gets it once it comes', async t => {
  const { follower, send, time, taken, log } = await followed(t)
  const foreign: Transaction = { state: 'open' }
  log(0).append([{ key: null, value: Buffer.from('foreign') }], foreign)
  await send(0, Buffer.from('a'))
  const takes4Seconds = async (waiting: Promise<void>) => {
    let isOver = false
    const over = waiting.then(() => {
      isOver = true
    })
    await time.pass(3999)
    assert.ok(!isOver)
    await time.pass(1)
    await over
  }
  await takes4Seconds(follower.untilRead([2, 0]))
  await send(1, Buffer.from('b'))
  await send(0, Buffer.from('c'))
  await follower.untilRead([3, 1]) // no time passes
  assert.deepEqual(taken, [[], ['b']])
  log(0).finish(foreign, 'committed')
  await until('it is read', async () => {
    await time.pass(1000)
    await follower.untilRead([4, 1])
    return taken[0]!.length === 3
  })
  assert.deepEqual(taken, [['foreign', 'a', 'c'], ['b']])
  const another: Transaction = { state: 'open' }
  log(0).append([{ key: null, value: Buffer.from('d') }], another)
  await takes4Seconds(follower.untilRead([5, 1])) // another one is waited for again
})
