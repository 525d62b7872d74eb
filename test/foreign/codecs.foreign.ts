/** Third-party clients with every codec of Kafka, in batches large enough for compression to pay. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import kafkajs from 'kafkajs'
import type { Result } from '../../src/model.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { rowmill, startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { codecsOf } from '../helpers/codecs.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'
import { readTopic } from '../helpers/pipeline.ts'
import { python } from '../helpers/python.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.ts')
const FRANZ_GO = join(import.meta.dirname, '../fixtures/franz-go')
const PARTITIONS = 8
const ROWS = 400

/** A pipeline with a worker and an open event job, whose topic of rows has these settings. */
async function openPipeline(t: TestContext, config: Readonly<Record<string, string>> = {}) {
  const { pipeline } = await testPipeline(t)
  const brokers = await brokerAddress()
  const { rows, results } = topicsOf(pipeline)
  const env = { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline }
  const opened = await rowmill(['jobs', 'open', '--job', 'events', '--columns', 'ID,TEXT'], { env })
  assert.equal(opened.code, 0, opened.stderr)
  await setConfig(t, [rows, results], config)
  const { child } = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '1'], { env })
  t.after(() => child.kill('SIGKILL'))
  const kafka = await testKafka()
  return {
    ...{ brokers, rows, results, env },
    codecs: () => codecsOf(brokers, rows, PARTITIONS),
    /** The ids of all rows that came out, once there are this many. */
    async ids(count: number): Promise<string[]> {
      let ids: string[] = []
      await until(`${count} results`, async () => {
        const found = (await readTopic(kafka, results, PARTITIONS)).flat()
        ids = found.flatMap(({ value }) => (value as Result).rows.map(row => String(row[0])))
        return ids.length >= count
      })
      return ids.sort()
    },
  }
}

async function setConfig(t: TestContext, topics: readonly string[], config: Readonly<Record<string, string>>) {
  const admin = new kafkajs.Kafka({ brokers: [await brokerAddress()], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  if (configEntries.length === 0) return
  const resources = topics.map(name => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name, configEntries }))
  await admin.alterConfigs({ validateOnly: false, resources })
}

const idsOf = (label: string) => Array.from({ length: ROWS }, (_, i) => `${label}-${i}`)
const linesOf = (label: string) =>
  idsOf(label)
    .map(id => `${JSON.stringify({ job: 'events', values: [id, `some text that ${id} has in common with others`] })}\n`)
    .join('')

async function ends(program: ReturnType<typeof startProgram>): Promise<void> {
  const { code, stderr } = await program.finished
  assert.equal(code, 0, stderr)
}

const CODECS = ['gzip', 'snappy', 'lz4', 'zstd']

/** Each codec is there; a batch of one small message may have none, because no codec makes it smaller. */
const assertEveryCodec = (found: ReadonlySet<string>) =>
  assert.deepEqual([...found].filter(codec => codec !== 'none').sort(), [...CODECS].sort())

test('rows that kcat compressed come out, with every codec', async t => {
  const { brokers, rows, codecs, ids } = await openPipeline(t)
  for (const codec of CODECS) {
    const args = ['-P', '-b', brokers, '-t', rows, '-z', codec, '-X', 'linger.ms=500', '-X', 'acks=all']
    await ends(startProgram('kcat', args, { input: linesOf(codec) }))
  }
  assertEveryCodec(await codecs())
  assert.deepEqual(await ids(4 * ROWS), CODECS.flatMap(idsOf).sort())
})

test('rows that confluent-kafka compressed come out, with every codec', async t => {
  const { brokers, rows, codecs, ids } = await openPipeline(t)
  const program = `
import sys
from confluent_kafka import Producer
producer = Producer({"bootstrap.servers": sys.argv[1], "compression.type": sys.argv[3], "linger.ms": 500})
for line in sys.stdin:
    producer.produce(sys.argv[2], line.rstrip("\\n"))
sys.exit(producer.flush(60))`
  for (const codec of CODECS) {
    await ends(startProgram(python, ['-c', program, brokers, rows, codec], { input: linesOf(codec) }))
  }
  assertEveryCodec(await codecs())
  assert.deepEqual(await ids(4 * ROWS), CODECS.flatMap(idsOf).sort())
})

test("rows that Kafka's console producer compressed come out, with every codec", async t => {
  const { brokers, rows, codecs, ids } = await openPipeline(t)
  for (const codec of CODECS) {
    const where = ['--bootstrap-server', brokers, '--topic', rows, '--compression-codec', codec]
    await runKafkaTool('org.apache.kafka.tools.ConsoleProducer', [...where, '--timeout', '500'], linesOf(codec))
  }
  assertEveryCodec(await codecs())
  assert.deepEqual(await ids(4 * ROWS), CODECS.flatMap(idsOf).sort())
})

test('rows that franz-go compressed come out: snappy by default, and the other codecs', {
  skip: spawnSync('go', ['version']).error ? 'there is no Go here' : false,
}, async t => {
  const { brokers, rows, codecs, ids } = await openPipeline(t)
  const program = join(testFolder(t), 'produce')
  await ends(startProgram('go', ['build', '-o', program, '.'], { cwd: FRANZ_GO }))
  const names = ['default', 'gzip', 'lz4', 'zstd']
  for (const codec of names) await ends(startProgram(program, [brokers, rows, codec], { input: linesOf(codec) }))
  assertEveryCodec(await codecs())
  assert.deepEqual(await ids(4 * ROWS), names.flatMap(idsOf).sort())
})

for (const codec of CODECS) {
  test(`a topic that the broker compresses with ${codec} is read, whatever codec its rows were sent with`, async t => {
    const { brokers, rows, codecs, ids } = await openPipeline(t, { 'compression.type': codec })
    const sent = ['none', 'lz4']
    for (const each of sent) {
      const args = ['-P', '-b', brokers, '-t', rows, '-z', each, '-X', 'linger.ms=500', '-X', 'acks=all']
      await ends(startProgram('kcat', args, { input: linesOf(each) }))
    }
    assert.deepEqual(await codecs(), new Set([codec]))
    assert.deepEqual(await ids(2 * ROWS), sent.flatMap(idsOf).sort())
  })
}

for (const codec of ['none', ...CODECS]) {
  test(`a file that run --compression ${codec} sends through a broker has the same bytes`, async t => {
    const { pipeline } = await testPipeline(t)
    const brokers = await brokerAddress()
    const folder = testFolder(t)
    const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
    const lines = Array.from({ length: 3000 }, (_, i) => `text ${i},größer ${i % 7} and some more text\n`)
    writeFileSync(input, `ID,TEXT\n${lines.join('')}`)
    const where = ['--brokers', brokers, '--pipeline', pipeline, '--compression', codec]
    const { code, stderr } = await rowmill([
      'run',
      input,
      output,
      '--classifier',
      CLASSIFIER,
      '--workers',
      '1',
      ...where,
    ])
    assert.equal(code, 0, stderr)
    assert.equal(readFileSync(output, 'utf8'), lines.join(''))
    const { bulk, results } = topicsOf(pipeline)
    assert.ok((await codecsOf(brokers, bulk, PARTITIONS)).has(codec))
    assert.ok((await codecsOf(brokers, results, PARTITIONS)).has(codec))
  })
}
