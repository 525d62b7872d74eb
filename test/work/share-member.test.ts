import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { Membership } from '../../src/work/membership.ts'
import { WorkerShare } from '../../src/work/worker-share.ts'
import { FakeCluster } from '../fakes/kafka.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const PIPELINE = 'p'
const MESSAGE = { key: Buffer.from('j'), value: Buffer.from('rows') }

/** A run of four partitions with five messages each, and its workers. */
async function runOf(t: TestContext) {
  const cluster = new FakeCluster()
  await ensureTopics(await cluster.client().kafka.admin(), PIPELINE, 4, { bulk: false })
  for (const partition of [0, 1, 2, 3]) cluster.log({ topic: 'p.rows', partition })!.append(Array(5).fill(MESSAGE))
  const join = async () => {
    const share = new WorkerShare()
    const said: string[] = []
    const connection = { kafka: cluster.client().kafka, pipeline: PIPELINE, say: (text: string) => said.push(text) }
    const membership = await Membership.open(connection, { name: 'w', share, time: new ManualTime().runs(t) })
    t.after(() => membership.close())
    membership.join({
      pump: async () => {},
      findDone: async () => new Map(),
      resultPartitions: async wanted => wanted,
      failed: fault => assert.fail(fault as Error),
    })
    const held = () => membership.assigned.map(({ queue }) => queue.partition)
    const takesAll = async () => {
      await until(() => membership.assigned.length > 0 && membership.assigned.every(({ queue }) => queue.length === 5))
      for (const { queue, batcher } of membership.assigned)
        for (let message = membership.feed.take(queue); message; message = membership.feed.take(queue))
          batcher.pass(message.offset)
    }
    return { share, membership, said, held, takesAll }
  }
  return { cluster, join }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn()
}

test('a worker holds nothing before it is told a share, and logs nothing', async t => {
  const { join } = await runOf(t)
  const { share, held, said } = await join()
  for (let i = 0; i < 20; i++) await turn()
  assert.deepEqual([held(), said], [[], []])
  await share.give([1, 3])
  await until(() => held().length === 2)
  assert.deepEqual(held(), [1, 3])
})

test('what a worker releases is committed, and its queue is closed, before the next owner hears of it', async t => {
  const { join, cluster } = await runOf(t)
  const [first, second] = [await join(), await join()]
  await first.share.give([0, 1, 2, 3])
  await first.takesAll()
  const before = first.membership.assigned
  await first.share.give([0, 2])
  assert.deepEqual(
    before.map(({ queue }) => queue.closed),
    [true, true, true, true],
  )
  await second.share.give([1, 3])
  await until(() => second.held().length === 2)
  assert.deepEqual(
    second.membership.assigned.map(({ batcher }) => batcher.lowWater),
    [5, 5],
  )
  await until(() => first.held().length === 2)
  assert.equal(cluster.groups.get('p.workers')!.size, 0, 'nobody is a member')
})

test('a worker that cannot commit still releases, and its next owner begins at an earlier offset', async t => {
  const { join, cluster } = await runOf(t)
  const [first, second] = [await join(), await join()]
  await first.share.give([0])
  await until(() => first.held().length === 1)
  cluster.onCommit = async () => Promise.reject(new Error('no answer'))
  await first.takesAll()
  await first.share.give([])
  cluster.onCommit = async () => {}
  await second.share.give([0])
  await until(() => second.held().length === 1)
  assert.equal(second.membership.assigned[0]!.batcher.lowWater, 0)
})

test('of shares that follow each other at once the last one counts, and all are answered', async t => {
  const { join } = await runOf(t)
  const { share, held } = await join()
  await Promise.all([share.give([0, 1]), share.give([2]), share.give([3, 1])])
  await until(() => held().length === 2)
  assert.deepEqual(held(), [3, 1])
})

test('a share is answered at once where no membership holds anything, and after the worker has left', async t => {
  await new WorkerShare().give([0])
  const { join } = await runOf(t)
  const { share, membership, held } = await join()
  await share.give([0])
  await until(() => held().length === 1)
  const giving = share.give([1])
  await membership.close()
  await giving
  await share.give([2])
})
