import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { PartitionOffset } from '../../src/kafka/index.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import type { AssignedPartition } from '../../src/work/assigned-partition.ts'
import { Membership, type MembershipHandlers } from '../../src/work/membership.ts'
import { FakeCluster, type FakeKafka } from '../fakes/kafka.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const PIPELINE = 'p'
const MESSAGE = { key: Buffer.from('j'), value: Buffer.from('rows') }
const { signal } = new AbortController()

/** A group over two partitions of five messages each, and its members. */
async function groupOf(t: TestContext) {
  const cluster = new FakeCluster()
  await ensureTopics(await cluster.client().kafka.admin(), PIPELINE, 2, { bulk: false })
  const logs = [0, 1].map(partition => cluster.log({ topic: 'p.rows', partition })!)
  for (const log of logs) log.append(Array(5).fill(MESSAGE))
  const commits: PartitionOffset[] = []
  cluster.onCommit = async (_, offsets) => void commits.push(...offsets)
  const join = async (client: FakeKafka = cluster.client(), handlers: Partial<MembershipHandlers> = {}) => {
    const time = new ManualTime()
    const said: string[] = []
    const faults: unknown[] = []
    const connection = { kafka: client.kafka, pipeline: PIPELINE, say: (text: string) => said.push(text) }
    const membership = await Membership.open(connection, { name: 'w', time })
    t.after(() => membership.close())
    membership.join({
      pump: async () => {},
      findDone: async () => new Map(),
      resultPartitions: async wanted => wanted,
      failed: fault => faults.push(fault),
      ...handlers,
    })
    return { membership, time, said, faults }
  }
  return { cluster, commits, join }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn()
}

/** Takes and finishes everything of a partition, as a worker that skips all messages. */
function passAll({ queue, batcher }: AssignedPartition, { feed }: Membership): void {
  for (let message = feed.take(queue); message; message = feed.take(queue)) batcher.pass(message.offset)
}

test('the first commit of an assignment is where its reading begins, however fast the messages come', async t => {
  const { commits, join } = await groupOf(t)
  const first = await join()
  await until(() => first.membership.assigned.length === 2)
  await join() // both read on, now over existing connections
  await until(() => commits.length >= 4)
  assert.deepEqual([...new Set(commits.map(({ offset }) => offset))], [0])
})

test('finished rows are committed within 1 s, again every 5 s, and not in between', async t => {
  const { commits, join } = await groupOf(t)
  const { membership, time } = await join(undefined, {
    pump: async (held, of) => {
      await until(() => held.queue.length === 5)
      passAll(held, of)
    },
  })
  await until(() => membership.assigned.length === 2 && membership.assigned.every(({ queue }) => queue.drained))
  const later = () => commits.slice(2).map(({ partition, offset }) => [partition, offset])
  await time.pass(999)
  assert.deepEqual(later(), [])
  await time.pass(1)
  assert.deepEqual(later(), [
    [0, 5],
    [1, 5],
  ])
  await time.pass(5000)
  assert.equal(later().length, 2)
  await time.pass(1000)
  assert.equal(later().length, 4)
})

test('a worker that returns its partitions commits them before the others get them', async t => {
  const { cluster, join } = await groupOf(t)
  const first = await join()
  await until(
    () => first.membership.assigned.length === 2 && first.membership.assigned.every(({ queue }) => queue.length === 5),
  )
  for (const held of first.membership.assigned) passAll(held, first.membership)
  const second = await join()
  await until(() => second.membership.assigned.length === 1)
  assert.equal(second.membership.assigned[0]!.batcher.lowWater, 5)
  await first.membership.close()
  await until(() => second.membership.assigned.length === 2)
  assert.deepEqual(
    [...cluster.groups.get('p.workers')!.committed.values()].map(({ offset }) => offset),
    [5, 5],
  )
})

test('a lost group is logged once, and so is its return; its partitions are forgotten', async t => {
  const { cluster, join } = await groupOf(t)
  const client = cluster.client()
  let refusals = 0
  const { membership, said } = await join(client, {
    resultPartitions: async wanted => {
      if (refusals-- > 0) throw new Error('no answer')
      return wanted
    },
  })
  await until(() => membership.assigned.length === 2)
  const [before] = membership.assigned
  refusals = 3
  client.expire()
  await until(() => membership.assigned[0] !== before)
  assert.ok(before!.queue.closed)
  assert.deepEqual(said, ['worker w lost its group (no answer). Retrying', 'worker w is back in its group'])
})

test('a member that the broker refuses for good ends its worker, and logs nothing', async t => {
  const { join } = await groupOf(t)
  const refused = Object.assign(new Error('no'), { type: 'SASL_AUTHENTICATION_FAILED' })
  const { faults, said } = await join(undefined, { resultPartitions: () => Promise.reject(refused) })
  await until(() => faults.length > 0)
  assert.deepEqual([faults, said], [[refused], []])
})

test('partitions without room for their results are left out until there is room, checked every 5 s', async t => {
  const { join } = await groupOf(t)
  let room = 1
  const { membership, time } = await join(undefined, { resultPartitions: async () => room })
  await until(() => membership.assigned.length === 1)
  await time.pass(4_999)
  room = 2
  assert.equal(membership.assigned.length, 1)
  await time.pass(1)
  await until(() => membership.assigned.length === 2)
})

test('a worker without a partition logs that, once', async t => {
  const { join } = await groupOf(t)
  const members = [await join(), await join(), await join()]
  await until(() => members.some(({ said }) => said.length > 0))
  assert.match(
    members.flatMap(({ said }) => said)[0]!,
    /worker w has no partition: other workers have all partitions of p\.rows/,
  )
  // The next worker without one logs it after a new assignment, which every worker gets.
  for (let count = 2; count <= 4; count++) {
    members.push(await join())
    await until(() => members.flatMap(({ said }) => said).length >= count)
  }
  assert.deepEqual(
    members.map(({ said }) => said.length).toSorted((a, b) => a - b),
    [0, 0, 1, 1, 1, 1],
  )
})

test('a pump that fails ends the worker', async t => {
  const { join } = await groupOf(t)
  const fault = new Error('a bug')
  const pump = () => Promise.reject(fault)
  const { faults } = await join(undefined, { pump })
  await until(() => faults.length === 2)
  assert.deepEqual(faults, [fault, fault])
})

test('a pump that fails after its partition was returned ends nothing', async t => {
  const { join } = await groupOf(t)
  const late = Promise.withResolvers<void>()
  const { membership, faults } = await join(undefined, { pump: () => late.promise })
  await until(() => membership.assigned.length === 2)
  await membership.close()
  late.reject(new Error('a bug'))
  await turn()
  assert.deepEqual(faults, [])
})

test('a job is done when the group has committed all of it, which is checked every second', async t => {
  const { join } = await groupOf(t)
  const { membership, time } = await join(undefined, {
    pump: async (held, of) => {
      await until(() => held.queue.length === 5)
      passAll(held, of)
    },
  })
  await until(() => membership.assigned.length === 2 && membership.assigned.every(({ queue }) => queue.drained))
  let done = false
  const job = jobRecord({ topic: 'p.rows', partitions: 2, rowsFrom: [0, 0], resultsFrom: [0, 0] })
  const waiting = membership.untilDone(job, signal).then(() => {
    done = true
  })
  await time.pass(200)
  assert.equal(done, false, 'nothing is committed yet')
  while (!done) await time.pass(250)
  await waiting
})
