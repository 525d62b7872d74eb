import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { RowmillError } from '../../src/errors.ts'
import { reopen } from '../../src/jobs/reopen.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { PipelineWatch } from '../../src/watch/pipeline-watch.ts'
import type { JobView, PipelineView } from '../../src/watch/view.ts'
import { testKafka, testPipeline } from '../helpers/broker.ts'
import { Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { RunningPipeline } from '../helpers/running-pipeline.ts'
import { until } from '../helpers/until.ts'

const layout = { partitions: 3, blockRows: 5 }

async function watched(t: TestContext) {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, layout.partitions)
  const kafka = await testKafka()
  const running = new RunningPipeline(t, await RunningPipeline.parts(t, { kafka, pipeline, layout }))
  const watch = new PipelineWatch({ kafka, pipeline, say: () => {} })
  t.after(() => watch.close())
  return { kafka, running, watch }
}

const only = ({ jobs }: PipelineView): JobView => {
  assert.equal(jobs.length, 1)
  return jobs[0]!
}

test('a job on a real broker is seen from its publication to its completion, with the worker and its rates', async t => {
  const { kafka, running, watch } = await watched(t)
  await running.publish('j', [numbered(31)])
  const published = only(await watch.look())
  assert.deepEqual([published.phase, published.rows.total, published.rows.classified], ['classifying', 31, 0])
  for (const { lagSeconds } of published.partitions) assert.ok(lagSeconds! >= 0 && lagSeconds! < 120, `${lagSeconds}`)
  const hold = Promise.withResolvers<void>()
  const classifier = new Exclaimer(async (_, number) => (number > 1 ? await hold.promise : undefined))
  t.after(() => hold.resolve())
  const own = new Kafka({ ...kafka.settings, clientId: 'host-7-1' }) // as a worker process has
  await running.work(classifier, { name: 'host-7-1', kafka: own })
  await until('rows are classified', async () => only(await watch.look()).rows.classified! > 0)
  const view = await watch.look()
  const [worker] = view.workers
  assert.deepEqual([worker!.name, worker!.host, worker!.pid], ['host-7-1', 'host', null])
  assert.equal(worker!.partitions.length, 3)
  assert.equal(only(view).partitions[0]!.owner, 'host-7-1')
  assert.ok(only(view).rate.now > 0 && worker!.rowsPerSecond > 0)
  assert.ok(only(view).etaSeconds! > 0)
  hold.resolve()
  await until('the job is complete', async () => only(await watch.look()).phase === 'complete')
  assert.equal(only(await watch.look()).rows.classified, 31)
})

test('a reject that is classified again on a real broker is seen with its worker, and with how long it waits', async t => {
  const { kafka, running, watch } = await watched(t)
  const hold = Promise.withResolvers<void>()
  t.after(() => hold.resolve())
  let refuses = true
  const classifier = new Exclaimer(async ({ rows }) => {
    if (!rows.some(([id]) => id === '7')) return
    if (refuses) throw new RowmillError('CLASSIFIER_FAILED', 'no 7')
    await hold.promise
  })
  const own = new Kafka({ ...kafka.settings, clientId: 'host-7-1' })
  await running.work(classifier, { name: 'host-7-1', kafka: own, isolates: true })
  await running.publish('j', [numbered(31)], [{ name: 'maxRejects', value: '5' }])
  await running.collect('j') // it ends with the last end of input
  refuses = false
  const began = Date.now()
  await reopen(running.context, 'j', 'test')
  await until(
    'its group has a member',
    async () =>
      only(await watch.look()).partitions[1]!.lagRows === 1 && only(await watch.look()).partitions[1]!.owner !== null,
  )
  const { waitsFor, partitions } = only(await watch.look())
  assert.deepEqual([waitsFor!.row, waitsFor!.partition, partitions[1]!.owner], [7, 1, 'host-7-1'])
  assert.ok(partitions[1]!.lagSeconds! <= (Date.now() - began) / 1000)
  hold.resolve()
  await until('it is complete again', async () => only(await watch.look()).phase === 'complete')
  assert.deepEqual(only(await watch.look()).partitions[1]!.lagSeconds, 0)
})
