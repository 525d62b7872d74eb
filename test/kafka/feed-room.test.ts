/** Partitions that fill a feed do not keep messages from others. Kafka is in memory. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import { FakeCluster } from '../fakes/kafka.ts'

const MB = 1024 * 1024

/** A feed of one partition for each log, each with one batch; the last partition is empty. */
async function filled(t: TestContext, logs: readonly (readonly Buffer[])[]) {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  const admin = await kafka.admin()
  await admin.createTopics([{ topic: 't', partitions: logs.length + 1, replicationFactor: 1, config: {} }])
  const log = (partition: number) => cluster.log({ topic: 't', partition })!
  for (const [partition, values] of logs.entries())
    for (const value of values) log(partition).append([{ key: null, value }])
  const feed = await PartitionFeed.open(kafka, ['t'], () => {})
  t.after(() => feed.close())
  const offsets = Array.from({ length: logs.length + 1 }, (_, partition) => ({ topic: 't', partition, offset: 0 }))
  const queues = await feed.assign(offsets)
  const held = () => queues.reduce((sum, { bytes, inHand }) => sum + bytes + inHand, 0)
  return { feed, queues, log, held, free: queues.at(-1)! }
}

test('a batch of very many small messages is kept in parts, and every message comes once', async t => {
  const { feed, queues, log, held } = await filled(t, [[]])
  const count = 100_000
  log(0).append(Array.from({ length: count }, () => ({ key: null, value: Buffer.of(1) })))
  let most = 0
  for (let next = 0; next < count; ) {
    most = Math.max(most, held())
    const message = feed.take(queues[0]!)
    if (message) assert.equal(message.offset, next++)
    else await feed.arrival()
  }
  assert.ok(most < 5 * MB, `${most} bytes were held`)
})

for (const [what, size, count] of [
  ['large', 15 * MB, 8],
  ['medium', 2 * MB, 40],
  ['small', 1000, 30_000],
] as const) {
  test(`with ${what} untaken messages in 12 partitions, another one gets its own at once`, async t => {
    const value = Buffer.alloc(size)
    const { feed, held, log, free } = await filled(
      t,
      Array.from({ length: 12 }, () => Array.from({ length: count }, () => value)),
    )
    let before = -1
    for (let still = 0; still < 100; still++) {
      if (held() !== before) still = 0
      before = held()
      await turn()
    }
    for (let i = 0; i < 20; i++) {
      log(12).append([{ key: null, value: Buffer.from(`${i}`) }])
      while (free.length === 0) await feed.arrival()
      assert.equal(String(feed.take(free)!.value), `${i}`)
    }
    assert.ok(held() < 80 * MB, `${held() / MB} MB are held`)
  })
}

test('messages for which a full feed had no room come when there is room', async t => {
  const { feed, queues } = await filled(
    t,
    Array.from({ length: 8 }, () => [Buffer.alloc(15 * MB)]),
  )
  const sizes: number[] = []
  while (sizes.length < 8) {
    const ready = queues.find(({ length }) => length > 0)
    if (!ready) await feed.arrival()
    else {
      sizes.push(feed.take(ready)!.value!.length)
      feed.release(ready)
    }
  }
  assert.deepEqual(sizes, Array(8).fill(15 * MB))
})
