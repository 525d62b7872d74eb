/** A broker that goes away while somebody waits for its answer, as one of several does when it is restarted. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { Kafka } from '../../src/kafka/index.ts'
import { brokerBehindProxy } from '../helpers/proxied-broker.ts'

const proxy = await brokerBehindProxy({ after }) // of all tests of this file
const admin = await new Kafka({ brokers: [proxy.address], clientId: 'test' }).admin()
after(() => admin.close())

const METADATA = 3
const topic = `t-${randomBytes(4).toString('hex')}`
const wanted = { topic, partitions: 2, replicationFactor: 1, config: {} }
const partition = { partition: 0, replicas: [1], inSync: [1] }

/** Each request, the number of its API, and its result. */
const requests: [string, number, () => Promise<unknown>, unknown][] = [
  ['createTopics', 19, () => admin.createTopics([wanted]), true],
  ['partitions', METADATA, () => admin.partitions([topic]), new Map([[topic, 2]])],
  ['topicConfigs', 32, async () => [...(await admin.topicConfigs([topic])).keys()], [topic]],
  ['brokers', METADATA, () => admin.brokers(), [1]],
  [
    'replicas',
    METADATA,
    () => admin.replicas([topic]),
    new Map([[topic, [partition, { ...partition, partition: 1 }]]]),
  ],
  ['groupMembers', 15, () => admin.groupMembers('g'), 0],
  ['bounds', 2, () => admin.bounds(topic, 0), { start: 0, end: 0 }],
  ['committed', 9, () => admin.committed('g', topic, 0), -1],
  ['deleteRecords', 21, () => admin.deleteRecords(topic, 0, 0), undefined],
]
for (const [name, api, ask, expected] of requests) {
  test(`${name} has its answer although the connection is lost meanwhile`, async () => {
    const held = proxy.keepBack(request => request.api === api, new Promise(() => {}))
    const asked = ask()
    asked.catch(() => {}) // it is awaited below
    await held
    proxy.cut()
    assert.deepEqual(await asked, expected)
  })
}

test('a reader finds the partitions although the connection is lost meanwhile', async t => {
  const kafka = new Kafka({ brokers: [proxy.address], clientId: 'test' })
  const reader = await kafka.reader([topic])
  t.after(() => reader.close())
  const held = proxy.keepBack(request => request.api === METADATA, new Promise(() => {}))
  const asked = reader.partitionsNow(topic)
  asked.catch(() => {}) // it is awaited below
  await held
  proxy.cut()
  assert.equal(await asked, 2)
})

test('a broker that hangs up each time is reported after a few attempts', async () => {
  const seen: number[] = []
  void proxy.keepBack(({ api }) => {
    if (api === 32) seen.push(api)
    if (api === 32) setImmediate(() => proxy.cut())
    return false
  }, Promise.resolve())
  await assert.rejects(admin.topicConfigs([topic]), { code: 'BROKER_UNREACHABLE' })
  assert.equal(seen.length, 4)
})
