import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')

/** The number of messages ever written to each topic, as Kafka's own tool reports it. */
async function countMessages(pipeline: string): Promise<Record<string, number>> {
  const topics = ['--topic', `${pipeline}\\..*`]
  const args = ['--bootstrap-server', await brokerAddress(), ...topics]
  const counts: Record<string, number> = {}
  for (const line of (await runKafkaTool('org.apache.kafka.tools.GetOffsetShell', args)).trim().split('\n')) {
    const [topic, , end] = line.split(':')
    const name = topic!.slice(pipeline.length + 1)
    counts[name] = (counts[name] ?? 0) + Number(end)
  }
  return counts
}

test('every row and every result passes the broker: the topics match the layout', async t => {
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
  const each = blocks + ends
  const { reports: _, ...counts } = await countMessages(pipeline) // a run that takes long reports more often
  assert.deepEqual(counts, { rows: each, bulk: 0, results: each, jobs: 2, rejects: 0 }, 'of jobs: open and ended')
})
