import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kafka } from '../../src/kafka/index.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { PipelineWatch } from '../../src/watch/pipeline-watch.ts'
import type { PipelineView } from '../../src/watch/view.ts'
import { Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { brokerBehindProxy } from '../helpers/proxied-broker.ts'
import { RunningPipeline } from '../helpers/running-pipeline.ts'
import { until } from '../helpers/until.ts'

const layout = { partitions: 3, blockRows: 5 }

test('a broker that goes away is what a job waits for, and the watch goes on when it is back', async t => {
  const proxy = await brokerBehindProxy(t)
  const kafka = new Kafka({ brokers: [proxy.address], clientId: 'test' })
  const admin = await kafka.admin()
  await ensureTopics(admin, 'p', layout.partitions)
  await admin.close()
  const running = new RunningPipeline(t, await RunningPipeline.parts(t, { kafka, pipeline: 'p', layout }))
  const publishedAt = Date.now()
  await running.publish('j', [numbered(31)])
  const watch = new PipelineWatch({ kafka, pipeline: 'p', say: () => {} })
  const ended = watch.start()
  t.after(() => watch.close())
  let last: PipelineView | null = null
  watch.subscribe(view => {
    last = view
  })
  const job = () => last?.jobs[0]
  await until('a first view', () => job()?.waitsFor?.reason === 'no-worker')
  await proxy.refuse()
  await until('the outage is seen', () => last!.unreachableSince !== null)
  assert.ok(last!.unreachableSince! >= publishedAt, 'since the last answer, and one has named the job')
  assert.equal(job()!.waitsFor!.reason, 'broker')
  assert.deepEqual([job()!.rows.published, job()!.rows.classified], [31, 0])
  await proxy.accept()
  const worker = await running.work(new Exclaimer())
  await until('the job is complete', () => job()!.phase === 'complete')
  await until('a whole look has its answers', () => last!.unreachableSince === null)
  assert.deepEqual([last!.unreachableSince, job()!.rows.classified], [null, 31])
  await worker.drain()
  await watch.close()
  await ended
})
