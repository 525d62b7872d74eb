/** A broker that alone has a partition is killed: whoever watches says so, whichever partition it is, and goes on when it is back. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Kafka } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics, newTopics } from '../../src/pipeline/topics.ts'
import { PipelineWatch } from '../../src/watch/pipeline-watch.ts'
import type { PipelineView } from '../../src/watch/view.ts'
import { rowmill } from '../helpers/cli.ts'
import { Cluster } from '../helpers/cluster.ts'
import { numbered } from '../helpers/exclaimer.ts'
import { RunningPipeline } from '../helpers/running-pipeline.ts'
import { until } from '../helpers/until.ts'

const closing: (() => Promise<void>)[] = []
const cluster = await Cluster.open(close => closing.push(close))
after(async () => {
  for (const close of closing.reverse()) await close()
})
const layout = { partitions: 1, blockRows: 5 }

test('a partition that nobody leads is what a job waits for, until its broker is back', async t => {
  const kafka = new Kafka({ brokers: cluster.addresses.split(','), clientId: 'test' })
  const kinds = ['rows', 'results', 'jobs', 'reports'] as const
  const views = new Map<string, PipelineView>()
  const jobOf = (kind: string) => views.get(kind)?.jobs[0]
  for (const kind of kinds) {
    const [wanted] = newTopics(topicsOf(kind), 1, 1).filter(({ topic }) => topic === topicsOf(kind)[kind])
    await cluster.createTopic(wanted!.topic, [3], wanted!.config)
    const admin = await kafka.admin()
    await ensureTopics(admin, kind, layout.partitions)
    await admin.close()
    const running = new RunningPipeline(t, await RunningPipeline.parts(t, { kafka, pipeline: kind, layout }))
    await running.publish('j', [numbered(31)])
    const watch = new PipelineWatch({ kafka, pipeline: kind, say: () => {} })
    watch.subscribe(view => views.set(kind, view))
    const ended = watch.start()
    closing.push(async () => {
      await watch.close()
      await ended
    })
    await until(`a first view of ${kind}`, () => jobOf(kind)?.waitsFor?.reason === 'no-worker')
  }
  const reasons = () => kinds.map(kind => jobOf(kind)?.waitsFor?.reason)
  await cluster.kill(3)
  for (const kind of kinds) await cluster.untilUnled(topicsOf(kind)[kind])
  const away = ['no-leader', 'no-leader', 'no-leader', 'no-worker']
  await until('the running watches say so', () => reasons().join() === away.join())
  for (const kind of ['rows', 'results', 'jobs'] as const) {
    const { waitsFor, help } = jobOf(kind)!
    const what = `partition 0 of ${topicsOf(kind)[kind]} has no leader: broker 3, which alone has it, is away`
    assert.equal(waitsFor!.text, what)
    assert.match(help!.why, /^start broker 3: /)
    assert.match(help!.command!, /^rowmill doctor /)
    const env = { ROWMILL_BROKERS: cluster.addresses, ROWMILL_PIPELINE: kind }
    const { code, stdout, stderr } = await rowmill(['status'], { env })
    assert.equal(code, kind === 'jobs' ? 3 : 7, stderr)
    const said = kind === 'jobs' ? stderr : stdout.replaceAll(/\s+/g, ' ')
    assert.ok(said.includes(what), said)
  }
  await cluster.heal()
  await until('they can read it again', () => reasons().every(reason => reason === 'no-worker'))
  assert.deepEqual(
    kinds.map(kind => jobOf(kind)!.rows.published),
    [31, 31, 31, 31],
  )
})
