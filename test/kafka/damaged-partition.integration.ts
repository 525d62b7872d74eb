/** A batch whose length is damaged on the disk of a real broker: the broker itself cannot read any further. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import { takeUntil } from '../../src/kafka/read-now.ts'
import { testFolder } from '../helpers/cli.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { until } from '../helpers/until.ts'

test('a damaged partition delays no other: no clock has to move for them; it ends only readers of all partitions', async t => {
  const data = join(testFolder(t), 'data')
  const broker = await startLocalBroker({ dataDir: data })
  t.after(() => broker.close())
  const kafka = new Kafka({ brokers: [broker.address], clientId: 'test', brokerTimeoutMs: 3000 })
  const admin = await kafka.admin()
  t.after(() => admin.close())
  await admin.createTopics([{ topic: 't', partitions: 3, replicationFactor: 1, config: {} }])
  const producer = await kafka.producer()
  t.after(() => producer.close())
  const send = (partition: number, text: string) =>
    producer.send({ topic: 't', partition }, [{ key: 'k', value: Buffer.from(text) }])
  for (const text of ['first', 'damaged', 'third']) await send(1, text)
  damageSecondBatch(data, 't-1')

  const said: string[] = []
  const time = new ManualTime()
  const [worker, reader] = await Promise.all([
    PartitionFeed.open(kafka, ['t'], message => void said.push(message), { patient: true, time }),
    PartitionFeed.open(kafka, ['t'], () => {}),
  ])
  t.after(() => Promise.all([worker.close(), reader.close()]))
  const offsets = [0, 1, 2].map(partition => ({ topic: 't', partition, offset: 0 }))
  const queues = await worker.assign(offsets)
  const all = await reader.assign(offsets)
  // At once: on a busy machine it ends before the messages below have come.
  const ending = assert.rejects(
    takeUntil(reader, all, () => false),
    { code: 'PARTITION_UNREADABLE', message: /^t\[1\]: the broker cannot read from offset 1/ },
  )
  await until('the damaged partition is named', () => time.pass(100).then(() => said.length > 0))
  assert.match(said[0]!, /^t\[1\]: the broker cannot read from offset 1 on: .*\. Other partitions are read meanwhile/)
  for (let i = 0; i < 40; i++) {
    await time.pass(100) // the damaged one is tried again
    await send(2 * (i % 2), `${i}`)
    const found: string[] = []
    await takeUntil(worker, [queues[2 * (i % 2)]!], (_, message) => {
      if (message) found.push(String(message.value))
      return found.length > 0
    })
    assert.deepEqual(found, [`${i}`])
  }
  await ending
  await send(0, 'still read')
  await takeUntil(worker, [queues[0]!], (_, message) => String(message?.value) === 'still read')
  assert.equal(said.length, 1)
})

test('a batch whose base offset is damaged upwards costs itself, whatever offset is read from', async t => {
  const data = join(testFolder(t), 'data')
  const broker = await startLocalBroker({ dataDir: data })
  t.after(() => broker.close())
  const kafka = new Kafka({ brokers: [broker.address], clientId: 'test', brokerTimeoutMs: 3000 })
  const [admin, producer] = [await kafka.admin(), await kafka.producer()]
  t.after(() => Promise.all([admin.close(), producer.close()]))
  const bits = [62, 40, 8, 3]
  await admin.createTopics([{ topic: 'u', partitions: bits.length, replicationFactor: 1, config: {} }])
  const texts = ['first', 'damaged', 'third', 'fourth']
  for (const partition of bits.keys())
    for (const text of texts) await producer.send({ topic: 'u', partition }, [{ key: 'k', value: Buffer.from(text) }])
  for (const [partition, bit] of bits.entries())
    damageBatch(data, `u-${partition}`, (bytes, at) =>
      bytes.writeBigInt64BE(bytes.readBigInt64BE(at) | (1n << BigInt(bit)), at),
    )
  const feed = await PartitionFeed.open(kafka, ['u'], () => {})
  t.after(() => feed.close())
  for (const from of [0, 1, 2, 3]) {
    const queues = await feed.assign([...bits.keys()].map(partition => ({ topic: 'u', partition, offset: from })))
    const found = new Map(queues.map(queue => [queue, [] as string[]]))
    await takeUntil(feed, queues, (queue, message) => {
      if (message) found.get(queue)!.push(message.unreadable ? 'damaged' : String(message.value))
      return found.get(queue)!.length === texts.length - from
    })
    for (const [queue, read] of found)
      assert.deepEqual(read, texts.slice(from), `bit ${bits[queue.partition]} from ${from}`)
  }
})

function damageSecondBatch(data: string, name: string): void {
  damageBatch(data, name, (bytes, at) => bytes.writeInt32BE(5, at + 8)) // a length that no batch can have
}

/** Changes the second batch of a log, which begins at `at`. */
function damageBatch(data: string, name: string, damage: (bytes: Buffer, at: number) => void): void {
  const log = readdirSync(data, { recursive: true, encoding: 'utf8' }).find(path =>
    path.endsWith(join(name, '00000000000000000000.log')),
  )
  const path = join(data, log!)
  const bytes = readFileSync(path)
  damage(bytes, 12 + bytes.readInt32BE(8))
  writeFileSync(path, bytes)
}
