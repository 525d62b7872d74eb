import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkName } from '../../src/core/names.ts'
import type { KafkaAdmin, TopicSettings } from '../../src/kafka/index.ts'
import { defaultPartitions } from '../../src/pipeline/default-partitions.ts'
import { topicsOf, workersGroup } from '../../src/pipeline/topic-names.ts'
import { ensureTopics, findTopics } from '../../src/pipeline/topics.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'
import { until } from '../helpers/until.ts'

/** Makes a topic and polls until the broker reports it, since there is no event. */
async function create(admin: KafkaAdmin, topic: string, partitions: number): Promise<void> {
  await admin.createTopics([{ topic, partitions, replicationFactor: 1, config: {} }])
  while (!(await admin.partitions([topic])).has(topic)) await sleep(10)
}

/** What Kafka's own tool says of every topic of a pipeline: partitions, and the settings that are not the defaults. */
async function describe(pipeline: string): Promise<Map<string, { partitions: number; config: Map<string, string> }>> {
  const where = ['--bootstrap-server', await brokerAddress(), '--describe', '--topic', `${pipeline}\\..*`]
  const text = await runKafkaTool('org.apache.kafka.tools.TopicCommand', where)
  return new Map(
    [...text.matchAll(/^Topic: (\S+)\t.*PartitionCount: (\d+)\t.*Configs: (.*)$/gm)].map(
      ([, topic, count, configs]) => {
        const config = new Map(configs!.split(/,(?=[\w.]+=)/).map(pair => pair.trim().split('=') as [string, string]))
        return [topic!, { partitions: Number(count), config }]
      },
    ),
  )
}

test('the topics of a pipeline are made with the settings that rows, results and the broadcast need', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const asked: TopicSettings[] = []
  const createTopics = admin.createTopics.bind(admin)
  admin.createTopics = topics => {
    asked.push(...topics)
    return createTopics(topics)
  }
  assert.equal(await ensureTopics(admin, pipeline, 5), 5)
  const found = await describe(pipeline)
  const { jobs, rows, bulk, results, rejects, reports } = topicsOf(pipeline)
  const counts = [...found].map(([topic, { partitions }]) => [topic, partitions])
  const ofRows = { [rows]: 5, [bulk]: 5, [results]: 5 }
  assert.deepEqual(Object.fromEntries(counts), { [jobs]: 1, ...ofRows, [rejects]: 1, [reports]: 1 })
  for (const [topic, { config }] of found) {
    assert.equal(config.get('cleanup.policy') ?? 'delete', topic === reports ? 'compact,delete' : 'delete', topic)
    assert.equal(config.get('message.timestamp.type'), 'LogAppendTime', topic)
    assert.equal(config.get('compression.type'), 'producer', topic)
    assert.equal(config.get('min.insync.replicas'), '1', topic)
  }
  // The test broker accepts this size by default, so its answer could not show whether the topic asks for it.
  for (const { config } of asked.filter(({ topic }) => topic !== reports))
    assert.equal(config['max.message.bytes'], String(16 * 1024 * 1024))
  assert.equal(found.get(jobs)!.config.get('retention.ms'), '-1')
  assert.equal(found.get(jobs)!.config.get('retention.bytes'), '-1')
  const { config } = found.get(reports)!
  const bounds = ['retention.ms', 'retention.bytes', 'segment.bytes', 'segment.ms'].map(name =>
    Number(config.get(name)),
  )
  assert.deepEqual(bounds, [24 * 3_600_000, 16 * 1024 * 1024, 1024 * 1024, 600_000])
  assert.equal(found.get(rows)!.config.has('retention.ms'), false)
  assert.equal(found.get(bulk)!.config.has('retention.ms'), false)
  assert.equal(found.get(results)!.config.has('retention.ms'), false)
})

test('a pipeline older than the topic of large jobs gets it, with its number of partitions', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const { bulk } = topicsOf(pipeline)
  assert.equal(await ensureTopics(admin, pipeline, 3, { bulk: false }), 3)
  assert.equal((await admin.partitions([bulk])).size, 0)
  assert.equal(await findTopics(admin, pipeline, 'monitor'), 3)
  assert.equal(await ensureTopics(admin, pipeline, null), 3)
  assert.equal((await admin.partitions([bulk])).get(bulk), 3)
  assert.equal(await ensureTopics(admin, pipeline, null, { bulk: false }), 3)
})

test('a pipeline older than the topic of reports gets it; a cluster that refuses it does not matter', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const { reports } = topicsOf(pipeline)
  const createTopics = admin.createTopics.bind(admin)
  admin.createTopics = topics =>
    topics.some(({ topic }) => topic === reports) ? Promise.reject(new Error('refused')) : createTopics(topics)
  assert.equal(await ensureTopics(admin, pipeline, 3), 3)
  assert.equal((await admin.partitions([reports])).size, 0)
  admin.createTopics = createTopics
  assert.equal(await ensureTopics(admin, pipeline, null), 3)
  await until('the topic is there', async () => (await admin.partitions([reports])).get(reports) === 1)
})

test('existing topics are used as they are, and missing ones are made to fit them', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const { rows, results } = topicsOf(pipeline)
  await create(admin, rows, 3)
  assert.equal(await ensureTopics(admin, pipeline, null), 3)
  assert.equal(await ensureTopics(admin, pipeline, null), 3)
  assert.equal(await ensureTopics(admin, pipeline, 2), 2)
  const counts = await admin.partitions([rows, results])
  assert.deepEqual([...counts.values()], [3, 3])
})

test('a new pipeline has 8 partitions by default', async t => {
  const { pipeline, admin } = await testPipeline(t)
  assert.equal(await ensureTopics(admin, pipeline, null), 8)
  assert.deepEqual([1, 2, 3, 16].map(defaultPartitions), [8, 8, 12, 64])
})

test('two that create the same pipeline at once both have it', async t => {
  const { pipeline, admin } = await testPipeline(t)
  assert.deepEqual(await Promise.all([ensureTopics(admin, pipeline, 4), ensureTopics(admin, pipeline, 4)]), [4, 4])
})

test('more partitions than exist are refused, naming both numbers and the cure', async t => {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, 2)
  await assert.rejects(ensureTopics(admin, pipeline, 3), error => {
    assert.equal((error as { code: string }).code, 'TOPIC_UNUSABLE')
    assert.match(
      (error as Error).message,
      /has 2 partitions, --partitions asks for 3: leave the option out, or .*--alter --topic \S+\.rows --partitions 3$/,
    )
    return true
  })
})

test('jobs with several partitions is refused with a cure and its price, without a command to resume', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const { jobs } = topicsOf(pipeline)
  await ensureTopics(admin, pipeline, 2)
  const [folder, brokers] = [testFolder(t), await brokerAddress()]
  const input = join(folder, 'in.csv')
  writeFileSync(input, 'ID,A\n1,x\n')
  const at = { env: { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline } }
  await admin.addPartitions(jobs, 3)
  while ((await admin.partitions([jobs])).get(jobs) !== 3) await sleep(10)
  const classifier = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')
  for (const args of [
    ['publish', input, '--job', 'a'],
    ['collect', join(folder, 'out.csv'), '--job', 'a'],
    ['jobs', 'open', '--columns', 'A', '--job', 'b'],
    ['run', input, join(folder, 'run.csv'), '--classifier', classifier, '--workers', '1'],
    ['work', '--classifier', classifier, '--workers', '1'],
  ]) {
    const { code, stderr } = await rowmill(args, at)
    assert.equal(code, 3, stderr)
    assert.match(
      stderr,
      /jobs: it has 3 partitions and must have 1.*another --pipeline.*--delete --topic.*new job ids \[TOPIC/,
    )
    assert.doesNotMatch(stderr, /to resume/)
  }
})

test('the advice on jobs with several partitions is right: without the topic, new job ids work', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const { jobs } = topicsOf(pipeline)
  await create(admin, jobs, 2)
  const error = await ensureTopics(admin, pipeline, null).then(
    () => assert.fail('it was not refused'),
    (thrown: Error) => thrown,
  )
  const [, ...command] = /kafka-topics\.sh (\S+) (\S+) (\S+) (\S+) (\S+)\. /.exec(error.message)!
  await runKafkaTool('org.apache.kafka.tools.TopicCommand', command)
  while ((await admin.partitions([jobs])).has(jobs)) await sleep(10)
  assert.equal(await ensureTopics(admin, pipeline, 2), 2)
})

test('results and bulk get as many partitions as rows, except for readers of results', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const { rows, results, bulk } = topicsOf(pipeline)
  await create(admin, rows, 4)
  await create(admin, results, 3)
  await create(admin, bulk, 1)
  const counts = async () => {
    const found = await admin.partitions([results, bulk])
    return [found.get(results), found.get(bulk)]
  }
  assert.equal(await ensureTopics(admin, pipeline, null, { writes: false }), 4)
  assert.deepEqual(await counts(), [3, 1])
  const both = [ensureTopics(admin, pipeline, null), ensureTopics(admin, pipeline, null)]
  assert.deepEqual(await Promise.all(both), [4, 4])
  assert.deepEqual(await counts(), [4, 4])
})

test('a pipeline or job name is valid only if Kafka accepts the names made from it', () => {
  for (const name of ['a', 'rowmill-2024.test_1', '7', 'x'.repeat(100)]) checkName('job', name)
  for (const name of ['', '.', '..', '-a', '_a', 'a b', 'ä', 'a/b', 'a\n', 'x'.repeat(101)]) {
    assert.throws(() => checkName('--pipeline', name), { code: 'USAGE', facts: { name } }, JSON.stringify(name))
  }
  assert.equal(workersGroup('p'), 'p.workers')
})
