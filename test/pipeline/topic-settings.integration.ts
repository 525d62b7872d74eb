import assert from 'node:assert/strict'
import { test } from 'node:test'
import kafkajs from 'kafkajs'
import type { KafkaAdmin } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { type EnsureOptions, ensureTopics } from '../../src/pipeline/topics.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill } from '../helpers/cli.ts'
import { until } from '../helpers/until.ts'

type Kind = 'jobs' | 'rows' | 'bulk' | 'results' | 'rejects'

/** What Kafka gives a topic that somebody makes by hand, except for other settings of the test broker. */
const BY_HAND = { 'max.message.bytes': '1048588', 'message.timestamp.type': 'CreateTime' }
const DAY_MS = 24 * 3600 * 1000

/** Makes a pipeline with one topic from somebody else, with these settings. */
async function make(admin: KafkaAdmin, pipeline: string, kind: Kind, config: Record<string, string>): Promise<string> {
  const topic = topicsOf(pipeline)[kind]
  const partitions = kind === 'jobs' || kind === 'rejects' ? 1 : 2
  await admin.createTopics([{ topic, partitions, replicationFactor: 1, config }])
  await until('the topic is there', async () => (await admin.partitions([topic])).has(topic))
  return topic
}

/** The lines that ensureTopics logs. */
async function saidOf(admin: KafkaAdmin, pipeline: string, options: EnsureOptions = {}): Promise<string[]> {
  const said: string[] = []
  await ensureTopics(admin, pipeline, null, { ...options, say: line => void said.push(line) })
  return said
}

/**
 * Does what the command in a message says; the topic keeps its other settings. The jars of the tests lack the tool
 * itself.
 */
async function runCure(message: string, topic: string, before: Readonly<Record<string, string>>): Promise<void> {
  const brokers = await brokerAddress()
  const command = `kafka-configs.sh --bootstrap-server ${brokers} --alter --entity-type topics --entity-name ${topic} --add-config `
  const [, added] = message.split(command)
  assert.ok(added, message)
  const after = { ...before, ...Object.fromEntries(added.split(',').map(pair => pair.split('='))) }
  const configEntries = Object.entries(after).map(([name, value]) => ({ name, value: String(value) }))
  const admin = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }
  await admin.alterConfigs({ validateOnly: false, resources: [resource] }).finally(() => admin.disconnect())
}

const REFUSED: readonly (readonly [Kind, Record<string, string>, RegExp])[] = [
  ['rows', { 'cleanup.policy': 'compact' }, /cleanup\.policy=compact deletes rows: all rows of a job have one key/],
  ['bulk', { 'cleanup.policy': 'compact,delete' }, /cleanup\.policy=compact,delete deletes rows/],
  ['results', { 'cleanup.policy': 'compact' }, /cleanup\.policy=compact deletes rows/],
  ['jobs', { 'cleanup.policy': 'compact', 'retention.ms': '-1' }, /cleanup\.policy=compact deletes job records/],
  ['jobs', { 'retention.ms': `${7 * DAY_MS}` }, /retention\.ms=604800000 deletes job records/],
  ['jobs', { 'retention.ms': '-1', 'retention.bytes': '1000' }, /retention\.bytes=1000 deletes job records/],
  ['results', { 'retention.ms': `${3 * DAY_MS}` }, /retention\.ms=259200000 is below 604800000 of \S+\.rows/],
  ['results', { 'retention.bytes': '2000000000' }, /retention\.bytes=2000000000 is below -1 of \S+\.rows/],
  ['rows', { 'max.message.bytes': '100000' }, /max\.message\.bytes=100000 is below 1000000/],
]

for (const [kind, config, flaw] of REFUSED) {
  test(`${kind} with ${JSON.stringify(config)} is refused, and the command in the message cures it`, async t => {
    const { pipeline, admin } = await testPipeline(t)
    const topic = await make(admin, pipeline, kind, config)
    let message = ''
    await assert.rejects(ensureTopics(admin, pipeline, null), error => {
      assert.equal((error as { code: string }).code, 'TOPIC_UNUSABLE')
      message = (error as Error).message
      return true
    })
    assert.match(message, flaw)
    assert.ok(message.startsWith(`topic ${topic}: `), message)
    await runCure(message, topic, config)
    await until('it is accepted', () =>
      saidOf(admin, pipeline).then(
        () => true,
        () => false,
      ),
    )
  })
}

const DOUBTFUL: readonly (readonly [Kind, Record<string, string>, RegExp])[] = [
  ['results', { 'compression.type': 'gzip' }, /compression\.type=gzip makes the broker compress every batch again/],
  ['bulk', { 'message.timestamp.type': 'CreateTime' }, /message\.timestamp\.type=CreateTime lets a client/],
  ['rows', { 'retention.ms': '60000', 'message.timestamp.type': 'LogAppendTime' }, /retention\.ms=60000 deletes rows/],
  ['rows', { 'retention.bytes': '1000000' }, /retention\.bytes=1000000 deletes rows of a large job/],
  ['rejects', { 'cleanup.policy': 'compact' }, /cleanup\.policy=compact deletes rejects/],
]

for (const [kind, config, doubt] of DOUBTFUL) {
  test(`${kind} with ${JSON.stringify(config)} is logged, and the command in the message cures it`, async t => {
    const { pipeline, admin } = await testPipeline(t)
    const settings = { 'message.timestamp.type': 'LogAppendTime', ...config }
    const topic = await make(admin, pipeline, kind, settings)
    const said = await saidOf(admin, pipeline)
    assert.equal(said.length, 1)
    assert.match(said[0]!, doubt)
    assert.ok(said[0]!.startsWith(`topic ${topic}: `), said[0])
    await runCure(said[0]!, topic, settings)
    await until('nothing is logged', async () => (await saidOf(admin, pipeline)).length === 0)
  })
}

test('topics of 1 MB are logged in one line, and only to those who publish rows', async t => {
  const { pipeline, admin } = await testPipeline(t)
  for (const kind of ['jobs', 'rows', 'bulk', 'results', 'rejects'] as const)
    await make(admin, pipeline, kind, {
      'max.message.bytes': kind === 'bulk' ? '1048000' : '1048588',
      'message.timestamp.type': 'LogAppendTime',
      'retention.ms': '-1',
    })
  const carriers = ['rows', 'bulk', 'results'].map(kind => `${pipeline}.${kind}`).join(', ')
  const line = `rows longer than 1046976 bytes are refused or rejected (max.message.bytes of ${carriers}). rowmill topics check prints the commands that raise it`
  assert.deepEqual(await saidOf(admin, pipeline), [line])
  assert.deepEqual(await saidOf(admin, pipeline, { role: 'publish' }), [line])
  for (const role of ['work', 'collect', 'monitor'] as const)
    assert.deepEqual(await saidOf(admin, pipeline, { role }), [])
})

test('two topics that would lose rows are refused together, each on a line with its command', async t => {
  const { pipeline, admin } = await testPipeline(t)
  await make(admin, pipeline, 'rows', { 'cleanup.policy': 'compact' })
  await make(admin, pipeline, 'jobs', { 'cleanup.policy': 'compact' })
  await assert.rejects(ensureTopics(admin, pipeline, null), error => {
    const lines = (error as Error).message.split('\n').sort()
    assert.deepEqual(
      lines.map(line => line.split(':')[0]),
      ['jobs', 'rows'].map(kind => `topic ${pipeline}.${kind}`),
    )
    assert.ok(
      lines.every(line => line.endsWith('--add-config cleanup.policy=delete')),
      lines.join('\n'),
    )
    return true
  })
})

test('a command logs one line with what is doubtful in a topic made by hand, and one with the longest row', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const topic = await make(admin, pipeline, 'rows', BY_HAND)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const { code, stderr } = await rowmill(['jobs', 'open', '--job', 'j', '--columns', 'ID,A'], { env })
  assert.equal(code, 0, stderr)
  const lines = stderr.split('\n').filter(line => line.includes('kafka-configs.sh'))
  assert.equal(lines.length, 1, stderr)
  assert.ok(lines[0]!.endsWith(`--entity-name ${topic} --add-config message.timestamp.type=LogAppendTime`), lines[0])
  assert.equal(stderr.split('rows longer than 1047564 bytes').length, 2, stderr)
})

test('a reader of results logs what would lose rows, and reads', async t => {
  const { pipeline, admin } = await testPipeline(t)
  await make(admin, pipeline, 'results', { 'cleanup.policy': 'compact', 'message.timestamp.type': 'LogAppendTime' })
  const said = await saidOf(admin, pipeline, { writes: false })
  assert.equal(said.length, 1)
  assert.match(said[0]!, /cleanup\.policy=compact deletes rows/)
})

test('topics that rowmill made are not doubted', async t => {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, 2)
  assert.deepEqual(await saidOf(admin, pipeline), [])
})

test('settings that the broker does not report are not judged', async t => {
  const { pipeline, admin } = await testPipeline(t)
  await make(admin, pipeline, 'rows', BY_HAND)
  admin.topicConfigs = async () => new Map()
  assert.deepEqual(await saidOf(admin, pipeline), [])
})
