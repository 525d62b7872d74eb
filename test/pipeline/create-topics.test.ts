import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TopicSettings } from '../../src/kafka/index.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { FakeCluster } from '../fakes/kafka.ts'

/** Creates a pipeline on a cluster with this policy. */
async function create(onCreate: (settings: TopicSettings) => string | null) {
  const cluster = new FakeCluster()
  cluster.onCreate = onCreate
  const said: string[] = []
  const partitions = await ensureTopics(await cluster.client().admin(), 'p', 3, { say: text => said.push(text) })
  return { said, partitions, topics: cluster.topics }
}

test('a setting that a policy refuses is left out of every topic, and said once; the others stay', async () => {
  const { said, topics, partitions } = await create(({ config }) =>
    Number(config['max.message.bytes'] ?? 0) > 8 * 1024 * 1024 || 'min.insync.replicas' in config
      ? 'POLICY_VIOLATION'
      : null,
  )
  assert.equal(partitions, 3)
  assert.deepEqual(said, [
    'the cluster refuses max.message.bytes, min.insync.replicas for the topics p.*, so they have its defaults',
  ])
  assert.equal(topics.size, 6)
  for (const [topic, { config }] of topics) {
    if (topic === 'p.reports') continue
    const { 'cleanup.policy': policy, 'message.timestamp.type': time } = config
    assert.deepEqual([policy, time, 'max.message.bytes' in config], ['delete', 'LogAppendTime', false])
  }
  assert.equal(topics.get('p.jobs')!.config['retention.ms'], '-1')
})

test('a replication factor that the cluster refuses is left to the cluster', async () => {
  for (const type of ['INVALID_REPLICATION_FACTOR', 'POLICY_VIOLATION']) {
    const { said, topics } = await create(({ replicationFactor }) => (replicationFactor === -1 ? null : type))
    assert.deepEqual(said, [
      'the cluster refuses replication.factor, min.insync.replicas for the topics p.*, so they have its defaults',
    ])
    assert.equal('min.insync.replicas' in topics.get('p.rows')!.config, false)
    assert.equal(topics.get('p.rows')!.config['cleanup.policy'], 'delete')
  }
})

test('settings that the cluster accepts one by one but not together are all left out', async () => {
  const { topics } = await create(({ config }) => (Object.keys(config).length > 1 ? 'INVALID_CONFIG' : null))
  assert.deepEqual(topics.get('p.rows')!.config, {})
})

test('the reason is that of the topic with the defaults of the cluster, not one that leaving a setting out cured', async () => {
  const twoRules = create(({ config, replicationFactor }) =>
    'max.message.bytes' in config ? 'INVALID_CONFIG' : replicationFactor === 2 ? null : 'POLICY_VIOLATION',
  )
  await assert.rejects(twoRules, {
    code: 'TOPIC_UNUSABLE',
    message: /is not created: POLICY_VIOLATION.*\. Or create the topics as the cluster wants them: rowmill topics plan/,
  })
})

test('a topic that the cluster refuses in every form ends with the reason', async () => {
  const refused = (type: string) => create(({ topic }) => (topic === 'p.bulk' ? type : null))
  await assert.rejects(refused('POLICY_VIOLATION'), {
    code: 'TOPIC_UNUSABLE',
    message: /p\.bulk is not created: POLICY/,
  })
  await assert.rejects(refused('INVALID_PARTITIONS'), {
    code: 'TOPIC_UNUSABLE',
    message: /p\.bulk is not created: INV/,
  })
})

test('without the right to create topics, the error has the ACL and the exact command for each topic', async () => {
  await assert.rejects(
    create(() => 'TOPIC_AUTHORIZATION_FAILED'),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'NOT_AUTHORIZED')
      const [first, ...commands] = error.message.split('\n')
      assert.equal(
        first,
        'this user has no right to Create topics p.*. An administrator grants it: kafka-acls.sh --bootstrap-server ' +
          'fake:9092 --add --allow-principal User:NAME --operation Create --topic p. --resource-pattern-type prefixed. ' +
          'Or an administrator creates the topics:',
      )
      assert.equal(commands.length, 5)
      assert.equal(
        commands[1],
        'kafka-topics.sh --bootstrap-server fake:9092 --create --topic p.rows --partitions 3 --replication-factor 1 ' +
          '--config cleanup.policy=delete --config compression.type=producer --config max.message.bytes=16777216 ' +
          '--config message.timestamp.type=LogAppendTime --config min.insync.replicas=1',
      )
      return true
    },
  )
})
