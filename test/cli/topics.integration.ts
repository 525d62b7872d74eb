import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill } from '../helpers/cli.ts'

test('topics plan tells the cost, apply creates the topics, and check names what differs with exit code 3', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const load = ['--workers', '3', '--rows', '2000000', '--row-bytes', '500', '--hours', '48']
  const planned = await rowmill(['topics', 'plan', ...load], { env })
  assert.equal(planned.code, 0, planned.stderr)
  const [header, ...lines] = planned.stdout.trimEnd().split('\n')
  assert.match(header!, /^TOPIC +PARTITIONS +REPLICAS +MIN\.INSYNC +KEPT +DISK$/)
  assert.match(lines[0]!, /\.jobs +1 +1 +1 +for ever +little$/)
  assert.match(lines[2]!, /\.bulk +12 +1 +1 +48 h +1\.0 GB$/)
  const yaml = await rowmill(['topics', 'plan', ...load, '-o', 'strimzi'], { env })
  assert.deepEqual([yaml.code, yaml.stdout.split('kind: KafkaTopic').length], [0, 7], yaml.stderr)
  const missing = await rowmill(['topics', 'check', ...load], { env })
  assert.equal(missing.code, 3)
  assert.equal(missing.stdout.trimEnd().split('\n').length, 6)

  const applied = await rowmill(['topics', 'apply', ...load, '-o', 'json'], { env })
  assert.equal(applied.code, 0, applied.stderr)
  const made = applied.stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  const { rows } = topicsOf(pipeline)
  assert.deepEqual(
    made.find(({ topic }) => topic === rows),
    {
      topic: rows,
      partitions: 12,
      replicationFactor: 1,
      minInsyncReplicas: 1,
      retentionHours: 48,
      diskBytes: 0,
    },
  )
  assert.deepEqual(await rowmill(['topics', 'check', ...load], { env }), { ...missing, code: 0, stdout: '' })
  assert.equal((await admin.topicConfigs([rows])).get(rows)!.get('retention.ms'), String(48 * 3_600_000))

  const grown = await rowmill(['topics', 'check', ...load, '--partitions', '16', '-o', 'json'], { env })
  assert.equal(grown.code, 3)
  const faults = grown.stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  assert.deepEqual(
    faults.map(({ topic }) => topic.split('.').at(-1)),
    ['rows', 'bulk', 'results'],
  )
  assert.match(faults[0].text, /has 12 partitions, and 16 are planned.*kafka-topics\.sh .*--alter .*--partitions 16$/)
})
