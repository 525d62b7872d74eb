import assert from 'node:assert/strict'
import { test } from 'node:test'
import { curable } from '../../src/pipeline/curable-settings.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { judgeSettings } from '../../src/pipeline/topic-settings.ts'
import { FakeCluster } from '../fakes/kafka.ts'

const TOPICS = topicsOf('p')
const SHORT = new Map([...Object.values(TOPICS)].map(topic => [topic, new Map([['max.message.bytes', '1048588']])]))

async function judged(onCreate: FakeCluster['onCreate']) {
  const cluster = new FakeCluster()
  let asked = 0
  cluster.onCreate = settings => {
    asked++
    return onCreate(settings)
  }
  const found = await curable(await cluster.client().admin(), TOPICS, judgeSettings(TOPICS, SHORT))
  return { ...found, asked }
}

test('a limit of the length of rows that the cluster does not lift is no fault that a command mends', async () => {
  const refuse = await judged(({ config }) => ('max.message.bytes' in config ? 'POLICY_VIOLATION' : null))
  assert.deepEqual([refuse.findings.length, refuse.asked], [0, 2], 'it asks once, not for each topic')
  assert.match(
    refuse.lasting[0]!.text,
    /limits rows to 1047564 bytes.*The cluster refuses max\.message\.bytes=16777216/,
  )
  assert.equal(refuse.lasting[0]!.cure, 'keep rows and results below that')
  const accept = await judged(() => null)
  assert.deepEqual([accept.findings.length, accept.lasting.length], [5, 0])
})
