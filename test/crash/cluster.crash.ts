/**
 * Three brokers; every message is on at least two of them before it is acknowledged. One dies, two die, leaders move.
 */
import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { Kafka, type Message } from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import type { PartitionQueue } from '../../src/kafka/partition-queue.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { Cluster, rackOf } from '../helpers/cluster.ts'
import { API, type Request } from '../helpers/proxy.ts'
import { assertCode, Fire } from './fire.ts'
import { publishWhileLeadersMove } from './moving-leaders.ts'
import { published } from './requests.ts'

const closing: (() => Promise<void>)[] = []
let opened: Promise<Cluster> | null = null

// Registered here for the whole file: inside a test it would run when that test ends.
after(async () => {
  for (const close of closing.reverse()) await close()
})

/** One job on the cluster of this file, with all three brokers. */
async function place(t: TestContext, { rows = 3000 } = {}) {
  opened ??= Cluster.open(close => closing.push(close))
  const cluster = await opened
  await cluster.heal()
  return { cluster, fire: await Fire.open(t, { rows, brokers: cluster.addresses }) }
}

test('a broker killed with requests of the publisher pending: two others have every row', async t => {
  const { cluster, fire } = await place(t, { rows: 6000 })
  const victim = (await cluster.prepare(fire.pipeline)).find(id => id !== 1) // the controller is needed
  assert.ok(victim, 'another broker leads partitions')
  const kept = cluster.proxy(victim).keepBack(published('rows'), new Promise(() => {}))
  const working = fire.work(2)
  const [publishing, collected] = [fire.publish(), fire.collect()]
  assert.equal(await Promise.race([kept, publishing.finished]), undefined, 'rows are on their way to the victim')
  await cluster.kill(victim)
  for (const { finished } of [publishing, collected]) assertCode(await finished, 0)
  await fire.drain(working)
  await cluster.untilInSync(Object.values(topicsOf(fire.pipeline)), 2)
  await fire.check({ again: fire.rows })
})

test('commands start although a topic of somebody else lost its only broker', async t => {
  const { cluster, fire } = await place(t, { rows: 300 })
  await cluster.createTopic(`foreign-${fire.pipeline}`, [3])
  await cluster.kill(3)
  await cluster.untilUnled(`foreign-${fire.pipeline}`)
  const working = fire.work(1)
  for (const { finished } of [fire.publish(), fire.collect()]) assertCode(await finished, 0)
  for (const args of [
    ['jobs', 'list'],
    ['topics', 'plan'],
  ])
    assertCode(await fire.start(args).finished, 0)
  await fire.drain(working)
  await fire.check({ again: fire.rows })
})

test('a broker is killed while rows are classified, and restarted', async t => {
  const { cluster, fire } = await place(t, { rows: 6000 })
  const working = fire.work(2)
  const [publishing, collected] = [fire.publish(), fire.collect()]
  await fire.untilClassified(1500)
  await cluster.kill(3)
  await fire.untilClassified(3000)
  await cluster.heal()
  for (const { finished } of [publishing, collected]) assertCode(await finished, 0)
  await fire.drain(working)
  await fire.check({ again: fire.rows })
})

test('with two of three brokers killed nothing is written; after their restart, everything resumes', async t => {
  const { cluster, fire } = await place(t, { rows: 6000 })
  const working = fire.work(2)
  const [publishing, collected] = [fire.publish(), fire.collect()]
  await fire.untilClassified(1500)
  await Promise.all([cluster.kill(2), cluster.kill(3)])
  const { results, rejects } = topicsOf(fire.pipeline)
  await cluster.untilInSync([results, rejects], 1)
  // Requests in flight when the brokers died wait for half a minute; new ones are refused at once.
  const producer = await new Kafka({ brokers: cluster.addresses.split(','), clientId: 'test' }).producer()
  t.after(() => producer.close())
  const sending = producer.send({ topic: rejects, partition: 0 }, [{ key: '', value: Buffer.from('x') }])
  await assert.rejects(sending, /fewer in-sync replicas than required/)
  await cluster.heal()
  for (const { finished } of [publishing, collected]) assertCode(await finished, 0)
  await fire.drain(working)
  await fire.check({ again: fire.rows })
})

test('when leaders move to brokers that already answered, their messages are sent again', async t => {
  const { cluster, fire } = await place(t)
  const working = fire.work(2)
  const collected = fire.collect()
  const publishing = await publishWhileLeadersMove(fire, cluster, () => fire.publish())
  for (const { finished } of [publishing, collected]) assertCode(await finished, 0)
  await fire.drain(working)
  await fire.check({ again: fire.rows })
})

test('a client in the rack of a broker reads everything from it, and from the leaders when it dies', async t => {
  const { cluster, fire } = await place(t)
  await cluster.prepare(fire.pipeline)
  const topic = topicsOf(fire.pipeline).bulk
  const brokers = cluster.addresses.split(',')
  const producer = await new Kafka({ brokers, clientId: 'writer' }).producer()
  const partitions = await producer.partitions(topic)
  const writer = new PartitionSender(producer, () => {})
  t.after(() => writer.close())
  const kafka = new Kafka({ brokers, clientId: 'near', limits: { rack: rackOf(3) } })
  const feed = await PartitionFeed.open(kafka, [topic], () => {})
  t.after(() => feed.close())
  const offsets = Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 }))
  const queues = await feed.assign(offsets)
  const roundTrip = async (text: string) => {
    for (const { partition } of offsets) await writer.send({ topic, partition }, { key: 'k', value: Buffer.from(text) })
    for (const queue of queues) assert.equal((await takeNext(feed, queue)).value?.toString(), text)
    return text
  }
  const isFetch = ({ api, client }: Request) => api === API.fetch && client === 'near'
  await roundTrip('first')
  const elsewhere = Promise.race(([1, 2] as const).map(id => cluster.proxy(id).answer(isFetch))).then(() => 'elsewhere')
  assert.equal(await Promise.race([elsewhere, roundTrip('second')]), 'second')
  await cluster.kill(3)
  assert.equal(await roundTrip('third'), 'third')
  assert.equal(await elsewhere, 'elsewhere')
  await cluster.heal()
})

test('metadata.max.age.ms: a leader that moved is found in time and without an error, although the old one still answers', async t => {
  const { cluster, fire } = await place(t)
  await cluster.prepare(fire.pipeline)
  const topic = topicsOf(fire.pipeline).bulk
  await cluster.lead(topic, 1)
  const said: string[] = []
  const brokers = cluster.addresses.split(',')
  const kafka = new Kafka({ brokers, clientId: 'reads', limits: { metadataMaxAgeMs: 1000 } })
  const feed = await PartitionFeed.open(kafka, [topic], text => said.push(text))
  t.after(() => feed.close())
  const isFetch = ({ api, client }: Request) => api === API.fetch && client === 'reads'
  const fromFirst = cluster.proxy(1).answer(isFetch)
  await feed.assign([{ topic, partition: 0, offset: 0 }])
  await fromFirst
  await cluster.lead(topic, 2)
  await cluster.proxy(2).answer(isFetch)
  assert.deepEqual(said, [])
})

async function takeNext(feed: PartitionFeed, queue: PartitionQueue): Promise<Message> {
  for (;;) {
    const message = feed.take(queue)
    if (message) return message
    await feed.arrival()
  }
}
