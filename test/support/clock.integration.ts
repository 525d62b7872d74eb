import { createRequire } from 'node:module'
import { test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { testKafka, testPipeline } from '../helpers/broker.ts'
import { until } from '../helpers/until.ts'

const Broker = createRequire(import.meta.url)('kafkajs/src/broker') as { prototype: { heartbeat(): Promise<unknown> } }
const HOUR_MS = 3_600_000

test('a member of a group sends its heartbeats even if the wall clock is set back', async t => {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, 1)
  const heartbeat = t.mock.method(Broker.prototype, 'heartbeat')
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const member = await (await testKafka()).member(`${pipeline}.workers`, [topicsOf(pipeline).rows])
  const leave = new AbortController()
  const joined = Promise.withResolvers<void>()
  const handlers = { onAssigned: () => joined.resolve(), onRebalance: () => {}, onTrouble: joined.reject }
  const membership = member.run(handlers, leave.signal)
  await joined.promise
  t.mock.timers.setTime(Date.now() - HOUR_MS)
  const before = heartbeat.mock.callCount()
  await until('a heartbeat', () => heartbeat.mock.callCount() > before + 1)
  leave.abort()
  await membership
  await member.close()
})
