import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StandingWatch } from '../../src/monitor/standing-watch.ts'
import type { PipelineView } from '../../src/watch/view.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { numbered } from '../helpers/exclaimer.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { until } from '../helpers/until.ts'

test('a broker that is frozen is shown within 5 s, and then in every view until it answers', async t => {
  const { cluster, running } = await fakePipeline(t, { partitions: 3, blockRows: 5 })
  await running.publish('j', [numbered(31)])
  const { kafka, pipeline } = running
  const time = new ManualTime().runs(t, 50)
  const back = Promise.withResolvers<void>()
  let isFrozen = false
  const ask = async () => {
    if (isFrozen) await back.promise
    return null
  }
  const watch = new StandingWatch({ kafka, pipeline, say: () => {} }, { time, ask })
  const stop = new AbortController()
  t.after(() => watch.close())
  const views: { readonly view: PipelineView; readonly time: number }[] = []
  watch.subscribe(view => void views.push({ view, time: time.now() }))
  const ended = watch.run(stop.signal)
  await until('a first view', () => views.length > 0)
  isFrozen = true
  cluster.onOffsets = () => back.promise
  const frozenAt = time.now()
  t.after(() => back.resolve())
  const silent = () => views.filter(({ view }) => view.unreachableSince !== null)
  await until('the outage is shown', () => silent().length > 0)
  assert.ok(silent()[0]!.time - frozenAt <= 5000, `after ${silent()[0]!.time - frozenAt} ms`)
  await until('it is shown again and again', () => silent().length > 5)
  back.resolve()
  await until('it is over', () => views.at(-1)!.view.unreachableSince === null)
  stop.abort()
  await ended
})
