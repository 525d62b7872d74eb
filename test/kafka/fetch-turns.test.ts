import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FetchTurns } from '../../src/kafka/fetch-turns.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import { PartitionQueue } from '../../src/kafka/partition-queue.ts'
import { FakeCluster } from '../fakes/kafka.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const LONG_MS = 2000
const SHORT_MS = 100

/** Queues that were fetched to the end of their log. */
function drained(count: number): PartitionQueue[] {
  return Array.from({ length: count }, (_, partition) => {
    const queue = new PartitionQueue({ topic: 't', partition, offset: 0 })
    queue.end = 0
    return queue
  })
}

test('a fetch that has every queue stands long; one that others wait for does not', () => {
  const turns = new FetchTurns()
  const queues = drained(3)
  assert.equal(turns.next('short', queues, true), null, 'no fetch stands yet')
  assert.equal(turns.next('long', queues.slice(0, 2), true)!.waitMs, LONG_MS)
  const short = turns.next('short', queues, true)!
  assert.deepEqual([short.wanted, short.waitMs], [[queues[2]], SHORT_MS], 'a queue is in one of them')
  turns.over('long')
  const again = turns.next('long', queues, true)!
  assert.deepEqual([new Set(again.wanted), again.waitMs], [new Set(queues.slice(0, 2)), SHORT_MS])
  turns.over('short')
  assert.equal(turns.next('short', queues, true), null, 'the next long fetch has them all')
  turns.over('long')
  assert.equal(turns.next('long', queues, true)!.waitMs, LONG_MS)
})

test('a queue that was never fetched is asked for at once, and after a failure nothing waits long', () => {
  const turns = new FetchTurns()
  const [queue] = drained(1)
  assert.equal(turns.next('long', [queue!], false)!.waitMs, SHORT_MS)
  turns.over('long')
  assert.equal(turns.next('long', [new PartitionQueue({ topic: 't', partition: 1, offset: 0 })], true)!.waitMs, 0)
})

test('each queue is first in its turn, and one that was left out comes before all', () => {
  const turns = new FetchTurns()
  const queues = drained(3)
  const firsts = () => {
    const [first] = turns.next('long', queues, true)!.wanted
    turns.over('long')
    return queues.indexOf(first!)
  }
  assert.deepEqual([firsts(), firsts(), firsts(), firsts()], [1, 2, 0, 1])
  queues[0]!.emptyAnswers = 1
  assert.deepEqual([firsts(), firsts(), firsts()], [0, 0, 0])
})

test('neither a new assignment nor room in a queue waits for a fetch that stands', { timeout: 20_000 }, async t => {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  const admin = await kafka.admin()
  await admin.createTopics([{ topic: 't', partitions: 2, replicationFactor: 1, config: {} }])
  const feed = await PartitionFeed.open(kafka, ['t'], () => {}, { time: new ManualTime() })
  const end = Promise.withResolvers<void>()
  t.after(async () => {
    end.resolve()
    await feed.close()
  })
  const stands = Promise.withResolvers<void>()
  let fetches = 0
  cluster.onFetch = async () => {
    if (++fetches !== 2) return
    stands.resolve()
    await end.promise
  }
  await feed.assign([{ topic: 't', partition: 0, offset: 0 }])
  await stands.promise
  for (let i = 0; i < 8; i++)
    cluster.log({ topic: 't', partition: 1 })!.append([{ key: null, value: Buffer.alloc(300_000) }])
  const [queue] = await feed.assign([{ topic: 't', partition: 1, offset: 0 }])
  for (let taken = 0; taken < 8; ) {
    if (feed.take(queue!)) taken++
    else await feed.arrival()
  }
})
