import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Kafka } from '../../src/kafka/index.ts'
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

/** Works and then idles for a second with everything open; prints what it used. It ends only because it is done. */
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

test('a process that works and idles logs no warning, burns no CPU and ends when all is closed', async t => {
  const { topic } = await testTopic(t, 1)
  const args = ['--trace-warnings', '--input-type=module-typescript', '--eval', IDLER, await brokerAddress(), topic]
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 120_000 })
  assert.match(stderr, /TestWarning: this one is to be seen/)
  assert.doesNotMatch(stderr.replace(/.*TestWarning.*/, ''), /Warning/)
  const { idleMs, timers } = JSON.parse(stdout) as { idleMs: number; timers: number }
  assert.ok(idleMs < 150, `${idleMs} ms of CPU in an idle second`)
  assert.ok(timers < 200, `${timers} timers in an idle second`)
})

test('an answer has no more bytes than fetch.max.bytes, except for a first batch that is longer', async t => {
  const { topic } = await testTopic(t, 3)
  const kafka = new Kafka({ ...(await testKafka()).settings, limits: { fetchMaxBytes: 100_000 } })
  const producer = await kafka.producer()
  const value = Buffer.alloc(30_000)
  for (let i = 0; i < 30; i++) await producer.send({ topic, partition: i % 3 }, [{ key: 'k', value }])
  await producer.send({ topic, partition: 2 }, [{ key: 'k', value: Buffer.alloc(300_000) }])
  const reader = await kafka.reader([topic])
  t.after(() => Promise.all([producer.close(), reader.close()]))
  const [node] = (await reader.leaders([{ topic, partition: 0 }], false)).keys()
  const limits = { maxWaitMs: 500, maxPartitionBytes: 1_000_000, maxBytes: 1_000_000 }
  const fetch = async (offsets: readonly number[]) => {
    const asked = offsets.map((offset, partition) => ({ topic, partition, offset }))
    const messages = (await reader.fetch(node!, asked, limits)).flatMap(({ messages }) => messages)
    return messages.map(({ value }) => value!.length)
  }
  assert.deepEqual(await fetch([0, 0, 0]), [30_000, 30_000, 30_000])
  assert.deepEqual(await fetch([10, 10, 10]), [300_000])
})
