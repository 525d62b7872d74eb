import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { brokerAddress, testPipeline } from './helpers/broker.ts'
import { rowmill, testFolder } from './helpers/cli.ts'
import { runKafkaTool } from './helpers/kafka-tools.ts'

const CLASSIFIER = join(import.meta.dirname, 'fixtures/classifiers.py:a_float')

/** The number of messages of a topic, counted by Kafka's own console consumer. */
async function countMessages(topic: string): Promise<number> {
  const options = ['--from-beginning', '--timeout-ms', '2500', '--property', 'print.offset=true']
  const args = [
    '--bootstrap-server',
    await brokerAddress(),
    '--topic',
    topic,
    ...options,
    '--property',
    'print.value=false',
  ]
  const printed = await runKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', args)
  return printed.match(/^Offset:\d+$/gm)?.length ?? 0
}

test('every row passes the broker, and every result: the topics hold what the layout says', async t => {
  const folder = testFolder(t)
  const { pipeline } = await testPipeline(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: 250 }, (_, i) => `${i},x\n`).join('')}`)
  const options = ['--pipeline', pipeline, '--partitions', '3', '--batch-rows', '20', '--workers', '1']
  const run = await rowmill(['run', input, join(folder, 'out.csv'), '--classifier', CLASSIFIER, ...options], {
    env: { ROWMILL_BROKERS: await brokerAddress() },
  })
  assert.equal(run.code, 0, run.stderr)
  const blocks = Math.ceil(250 / 20)
  const ends = 3
  const topics = ['rows', 'results', 'jobs', 'rejects']
  const counts = await Promise.all(topics.map(topic => countMessages(`${pipeline}.${topic}`)))
  assert.deepEqual(counts, [blocks + ends, blocks + ends, 2, 0], 'of jobs: open and ended')
})
