import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ResultPartitions } from '../../src/work/result-partitions.ts'
import { FakeAdmin } from '../fakes/admin.ts'
import { FakeCluster } from '../fakes/kafka.ts'
import { FakeProducer } from '../fakes/producer.ts'

const PIPELINE = 'p'
const { results } = topicsOf(PIPELINE)

async function resultsWith(partitions: number) {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  const admin = await kafka.admin()
  await admin.createTopics([{ topic: results, partitions, replicationFactor: 1, config: {} }])
  const said: string[] = []
  const known = new ResultPartitions(
    { kafka, pipeline: PIPELINE, say: line => said.push(line) },
    await kafka.producer(),
  )
  return { cluster, known, said }
}

test('a topic that has enough partitions is left alone', async () => {
  const { cluster, known, said } = await resultsWith(4)
  assert.equal(await known.upTo(3), 4)
  assert.equal(cluster.partitions(results).length, 4)
  assert.deepEqual(said, [])
})

test('partitions are added for rows of a partition that was added', async () => {
  const { cluster, known, said } = await resultsWith(2)
  assert.equal(await known.upTo(6), 6)
  assert.equal(cluster.partitions(results).length, 6)
  assert.deepEqual(said, [])
})

test('whoever may not add them gets the number there is, and one line however often it is tried', async t => {
  const { known, said } = await resultsWith(2)
  const refusal = Object.assign(new Error('not allowed'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
  t.mock.method(FakeAdmin.prototype, 'addPartitions', async () => {
    throw refusal
  })
  assert.deepEqual([await known.upTo(3), await known.upTo(3), await known.upTo(5)], [2, 2, 2])
  assert.match(said[0]!, /p\.results has 2 partitions and needs 3.*rows of partition 2 and above wait/)
  assert.equal(said.filter(line => line === said[0]).length, 1)
})

test('if nobody can say how many there are, the sender of the result finds out', async t => {
  const { known } = await resultsWith(2)
  t.mock.method(FakeProducer.prototype, 'partitions', async () => {
    throw new Error('This server does not host this topic-partition')
  })
  assert.equal(await known.upTo(3), 3)
})
