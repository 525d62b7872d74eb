import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Committed, describeKafkaError, type GroupMember, type Kafka } from '../../src/kafka/index.ts'
import { brokerAddress, testKafka } from '../helpers/broker.ts'

async function testTopic(t: TestContext, partitions: number) {
  const kafka = await testKafka()
  const topic = `test-${randomBytes(6).toString('hex')}`
  const admin = await kafka.admin()
  await admin.createTopics([{ topic, partitions, replicationFactor: 1, config: {} }])
  t.after(async () => {
    await admin.deleteTopics([topic])
    await admin.close()
  })
  return { kafka, topic }
}

/** Works and then idles for a second with everything open; says what it used. Nothing ends it but that it is done. */
const IDLER = `
import { createHook } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka } from '${new URL('../../src/kafka/index.ts', import.meta.url)}'
import { PartitionFeed } from '${new URL('../../src/kafka/partition-feed.ts', import.meta.url)}'

const [address, topic] = process.argv.slice(1)
const kafka = new Kafka({ brokers: [address], clientId: 'idler' })
const admin = await kafka.admin()
const producer = await kafka.producer()
const feed = await PartitionFeed.open(kafka, [topic], () => {})
const member = await kafka.member(topic + '.group', [topic])
const leave = new AbortController()
const joined = Promise.withResolvers()
const handlers = { onAssigned: joined.resolve, onRebalance() {}, onTrouble(error) { console.error(error) } }
const running = member.run(handlers, leave.signal)
const [queue] = await feed.assign(await joined.promise)
for (let i = 0; i < 20; i++) await producer.send({ topic, partition: 0 }, [{ key: 'k', value: Buffer.from('v') }])
while (queue.length < 20) await feed.arrival()
let timers = 0
const hook = createHook({ init: (_, type) => { if (type === 'Timeout') timers++ } }).enable()
const before = process.cpuUsage()
await sleep(1000)
const { user, system } = process.cpuUsage(before)
hook.disable()
process.emitWarning('this one is to be seen', 'TestWarning')
console.log(JSON.stringify({ idleMs: (user + system) / 1000, timers }))
leave.abort()
await running
await Promise.all([admin.close(), producer.close(), feed.close(), member.close()])
`

test('a process that works and idles warns of nothing, burns nothing and ends by itself when all is closed', async t => {
  const { topic } = await testTopic(t, 1)
  const args = ['--trace-warnings', '--input-type=module-typescript', '--eval', IDLER, await brokerAddress(), topic]
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 20_000 })
  assert.match(stderr, /TestWarning: this one is to be seen/)
  assert.doesNotMatch(stderr.replace(/.*TestWarning.*/, ''), /Warning/)
  const { idleMs, timers } = JSON.parse(stdout) as { idleMs: number; timers: number }
  assert.ok(idleMs < 150, `${idleMs} ms of CPU in an idle second`)
  assert.ok(timers < 200, `${timers} timers in an idle second`)
})

interface Joined {
  readonly member: GroupMember
  readonly events: string[]
  /** Positions of the assignment number `count`, from 1, once it came. */
  assigned(count: number): Promise<readonly Committed[]>
  leave(): Promise<void>
}

/** A member of the group that notes what it is told. */
async function join(t: TestContext, kafka: Kafka, groupId: string, topic: string): Promise<Joined> {
  const member = await kafka.member(groupId, [topic])
  const events: string[] = []
  const assignments: (readonly Committed[])[] = []
  let news = Promise.withResolvers<void>()
  const abort = new AbortController()
  const running = member.run(
    {
      onAssigned: positions => {
        events.push('assigned')
        assignments.push([...positions].sort((a, b) => a.partition - b.partition))
        news.resolve()
        news = Promise.withResolvers<void>()
      },
      onRebalance: () => {
        events.push('rebalance')
      },
      onTrouble: error => events.push(`trouble: ${error.message}`),
    },
    abort.signal,
  )
  const leave = async () => {
    abort.abort()
    await running
    await member.close()
  }
  t.after(leave)
  const assigned = async (count: number) => {
    while (assignments.length < count) await news.promise
    return assignments[count - 1]!
  }
  return { member, events, assigned, leave }
}

const positions = (topic: string, offsets: Record<number, number>, metadata: string | null = null): Committed[] =>
  Object.entries(offsets).map(([partition, offset]) => ({ topic, partition: Number(partition), offset, metadata }))

test('a member begins at the committed positions, and at the start of the log where there are none', async t => {
  const { kafka, topic } = await testTopic(t, 3)
  const group = `${topic}.group`
  const first = await join(t, kafka, group, topic)
  assert.deepEqual(await first.assigned(1), positions(topic, { 0: 0, 1: 0, 2: 0 }))
  await first.member.commit(positions(topic, { 0: 5, 2: 7 }))
  await first.leave()
  const second = await join(t, kafka, group, topic)
  assert.deepEqual(await second.assigned(1), positions(topic, { 0: 5, 1: 0, 2: 7 }))
})

test('members share the partitions; who stays is told before a join and can still commit, and gets all back', async t => {
  const { kafka, topic } = await testTopic(t, 4)
  const group = `${topic}.group`
  const first = await join(t, kafka, group, topic)
  assert.equal((await first.assigned(1)).length, 4)
  const second = await join(t, kafka, group, topic)
  const shared = [...(await first.assigned(2)), ...(await second.assigned(1))]
  assert.deepEqual(shared.map(({ partition }) => partition).sort(), [0, 1, 2, 3])
  const [held] = await second.assigned(1)
  await second.member.commit([{ ...held!, offset: 9 }])
  const began = performance.now()
  await second.leave()
  const all = await first.assigned(3)
  assert.ok(performance.now() - began < 5000, 'nobody waits for the session of who left to time out')
  assert.equal(all.length, 4)
  assert.equal(all.find(({ partition }) => partition === held!.partition)!.offset, 9)
  assert.deepEqual(first.events, ['assigned', 'rebalance', 'assigned', 'rebalance', 'assigned'])
})

test('what is committed with an offset is told to the next owner of the partition', async t => {
  const { kafka, topic } = await testTopic(t, 2)
  const group = `${topic}.group`
  const first = await join(t, kafka, group, topic)
  await first.assigned(1)
  await first.member.commit(positions(topic, { 0: 5 }, 'twice'))
  await first.leave()
  const second = await join(t, kafka, group, topic)
  assert.deepEqual(await second.assigned(1), [...positions(topic, { 0: 5 }, 'twice'), ...positions(topic, { 1: 0 })])
})

test('a member that left cannot commit', async t => {
  const { kafka, topic } = await testTopic(t, 1)
  const group = `${topic}.group`
  const first = await join(t, kafka, group, topic)
  await first.assigned(1)
  const second = await join(t, kafka, group, topic)
  await second.assigned(1)
  await second.leave()
  await assert.rejects(second.member.commit(positions(topic, { 0: 1 })))
})

test('a message too large, a missing right and a bad name are final, a lost connection is not', () => {
  const said = (type: string) => describeKafkaError(Object.assign(new Error('no'), { type }))
  for (const type of ['MESSAGE_TOO_LARGE', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TOPIC_EXCEPTION']) {
    assert.deepEqual(said(type), { text: 'no', retriable: false, type })
  }
  assert.equal(said('NOT_LEADER_FOR_PARTITION').retriable, true)
  assert.equal(describeKafkaError(new Error('closed')).retriable, true)
})
