import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkTopics, plannedHours, plannedPartitions, planTopics } from '../../src/pipeline/topic-plan.ts'
import { FakeCluster } from '../fakes/kafka.ts'

const LOAD = { partitions: 12, rows: 2000, rowBytes: 100, hours: 72 }

test('a plan has the replication of the cluster, the disk of the rows, and results that last as long as their rows', () => {
  const plan = planTopics('p', 5, LOAD)
  const facts = plan.map(({ topic, partitions, replicationFactor, config, diskBytes }) => [
    topic,
    partitions,
    replicationFactor,
    config['min.insync.replicas'],
    config['retention.ms'],
    diskBytes,
  ])
  const hours = String(72 * 3_600_000)
  assert.deepEqual(facts, [
    ['p.jobs', 1, 3, '2', '-1', 0],
    ['p.rows', 12, 3, '2', hours, 0],
    ['p.bulk', 12, 3, '2', hours, 600_000],
    ['p.results', 12, 3, '2', hours, 600_000],
    ['p.rejects', 1, 3, '2', hours, 0],
    ['p.reports', 1, 3, '2', String(24 * 3_600_000), 0],
  ])
  const small = planTopics('p', 1, { ...LOAD, rows: 1000 })
  assert.deepEqual(
    small.map(({ diskBytes }) => diskBytes),
    [0, 100_000, 0, 100_000, 0, 0],
  )
})

test('partitions are enough for the workers, and none has more than 10 GB', () => {
  assert.equal(plannedPartitions(1, { rows: 1000, rowBytes: 200 }), 8)
  assert.equal(plannedPartitions(16, { rows: 50_000_000, rowBytes: 400 }), 64)
  assert.equal(plannedPartitions(1, { rows: 1_000_000_000, rowBytes: 200 }), 20)
})

test('rows must be kept as long as the workers need for them', () => {
  const workers = { workers: 2, rowsPerSecond: 500 }
  assert.equal(plannedHours({ rows: 7_200_000, hours: 2 }, workers), 2)
  assert.throws(() => plannedHours({ rows: 7_200_001, hours: 2 }, workers), {
    code: 'USAGE',
    message:
      '--hours 2: 2 workers with 500 rows a second each need 3 hours for 7200001 rows. ' +
      'Rows would be deleted before they are classified. Give --hours 5, or more --workers',
  })
})

test('a cluster that deletes job records and refuses to keep them is named, as a fault that nobody can mend', async () => {
  const cluster = new FakeCluster()
  const admin = await cluster.client().admin()
  const plan = planTopics('p', 1, LOAD)
  await admin.createTopics(plan.map(each => ({ ...each, config: { ...each.config, 'retention.ms': '604800000' } })))
  const inPlan = planTopics('p', 1, { ...LOAD, hours: 168 })
  const [mendable] = await checkTopics(admin, 'p', inPlan)
  assert.equal(mendable!.curable, true)
  assert.match(
    mendable!.text,
    /^topic p\.jobs: retention\.ms=604800000 deletes job records.*--add-config retention\.ms=-1$/,
  )
  cluster.onCreate = ({ config }) => (config['retention.ms'] === '-1' ? 'POLICY_VIOLATION' : null)
  assert.deepEqual(await checkTopics(admin, 'p', inPlan), [
    {
      topic: 'p.jobs',
      text:
        'topic p.jobs: retention.ms=604800000 deletes job records, and rows without a job record are rejected. ' +
        'The cluster refuses retention.ms=-1: end each job before its record is deleted',
      curable: false,
    },
  ])
})

test('a check finds nothing in topics that the plan made, and names each difference with its command', async () => {
  const cluster = new FakeCluster()
  const admin = await cluster.client().admin()
  const plan = planTopics('p', 1, LOAD)
  const missing = await checkTopics(admin, 'p', plan)
  assert.equal(missing.length, 6)
  assert.match(
    missing[1]!.text,
    /^topic p\.rows does not exist.*: kafka-topics\.sh .*--create --topic p\.rows .*--partitions 12 /,
  )
  await admin.createTopics(plan)
  assert.deepEqual(await checkTopics(admin, 'p', plan), [])
  const grown = planTopics('p', 1, { ...LOAD, partitions: 16, hours: 100 })
  const faults = (await checkTopics(admin, 'p', grown)).map(({ text }) => text)
  assert.equal(faults.length, 7)
  assert.match(
    faults[0]!,
    /^topic p\.rows has 12 partitions, and 16 are planned.*--alter --topic p\.rows --partitions 16$/,
  )
  assert.match(
    faults[3]!,
    /^topic p\.rows: retention\.ms=259200000 keeps its messages for 72 hours, and 100 are planned/,
  )
  assert.match(faults[3]!, /kafka-configs\.sh .*--entity-name p\.rows --add-config retention\.ms=360000000$/)
})
