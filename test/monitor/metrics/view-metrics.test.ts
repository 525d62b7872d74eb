import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { addViewMetrics } from '../../../src/monitor/metrics/view-metrics.ts'
import type { JobView, PipelineView } from '../../../src/watch/view.ts'
import { aJob, aPartition, aView, aWorker, HOSTILE, MADE_AT, MadeSource } from '../../helpers/made-view.ts'
import { ofMetric } from '../../helpers/scrape.ts'

async function scrape(view: PipelineView | null): Promise<string> {
  const [registry, source] = [new Registry(), new MadeSource()]
  addViewMetrics(registry, source)
  if (view) source.show(view)
  return await registry.metrics()
}

const ofJobs = async (name: string, ...jobs: JobView[]) => ofMetric(await scrape(aView({ jobs })), name)

test('before the first look there is no series, also no zero', async () => {
  const text = await scrape(null)
  assert.match(text, /^# HELP rowmill_backlog_rows \S/m)
  assert.deepEqual(text.match(/^[^#\n].*/gm), null)
})

test('a number that is not known has no series, and a job that is gone leaves none', async () => {
  const rows = { total: null, published: 7, classified: 5, written: null, rejected: 1 }
  assert.deepEqual(await ofJobs('rowmill_job_rows', aJob({ rows })), {
    'job_id="orders",stage="published"': 7,
    'job_id="orders",stage="classified"': 5,
    'job_id="orders",stage="rejected"': 1,
  })
  const [registry, source] = [new Registry(), new MadeSource()]
  addViewMetrics(registry, source)
  source.show(aView())
  assert.match(await registry.metrics(), /orders/)
  source.show(aView({ jobs: [] }))
  assert.doesNotMatch(await registry.metrics(), /orders/)
})

test('a job is in one phase', async () => {
  assert.deepEqual(await ofJobs('rowmill_job_phase', aJob({ phase: 'stalled' })), {
    'job_id="orders",phase="stalled"': 1,
  })
})

test('a job is idle only while rows wait', async () => {
  const rows = { total: 10, published: 10, classified: 10, written: 10, rejected: 0 }
  const idle = async (parts: Partial<JobView>) =>
    Object.values(await ofJobs('rowmill_job_idle_seconds', aJob({ movedAt: MADE_AT - 9000, ...parts })))
  assert.deepEqual(await idle({ rows: { ...rows, classified: 5 } }), [9])
  assert.deepEqual(await idle({ rows: { ...rows, written: 5 } }), [9])
  assert.deepEqual(await idle({ rows: { ...rows, written: 5, rejected: 5 } }), [0])
  assert.deepEqual(await idle({ rows: { ...rows, published: null } }), [0])
  assert.deepEqual(await idle({ rows: { ...rows, published: null }, phase: 'stalled' }), [9])
  assert.deepEqual(await idle({ rows: { ...rows, classified: 5 }, phase: 'failed' }), [0])
  assert.deepEqual(await idle({ rows: { ...rows, classified: 5 }, movedAt: null }), [])
})

test('a job says what it waits for, and since when', async () => {
  const wait = { reason: 'no-worker', row: 7, partition: 0, worker: null, text: '' } as const
  const seconds = (since: number | null) => ofJobs('rowmill_job_wait_seconds', aJob({ waitsFor: { ...wait, since } }))
  assert.deepEqual(await seconds(MADE_AT - 9000), { 'job_id="orders",reason="no-worker"': 9 })
  assert.deepEqual(await seconds(null), { 'job_id="orders",reason="no-worker"': 0 })
  assert.deepEqual(await ofJobs('rowmill_job_wait_seconds', aJob({ waitsFor: null })), {})
})

test('the lag of a partition is that of all jobs in it, and a job whose rows are skipped has none', async () => {
  const lag = { lagRows: 10, lagSeconds: 3 }
  const jobs = [
    aJob({ partitions: [aPartition(lag), aPartition({ partition: 1, lagRows: null, lagSeconds: null })] }),
    aJob({ id: 'stock', partitions: [aPartition({ lagRows: 5, lagSeconds: 8 })] }),
    aJob({ id: 'done', phase: 'complete', partitions: [aPartition({ partition: 2, lagRows: 0, lagSeconds: 0 })] }),
    aJob({ id: 'bad', phase: 'failed', partitions: [aPartition({ partition: 3 })] }),
  ]
  const [here, there] = [0, 2].map(partition => `topic="rowmill.rows",partition="${partition}"`)
  assert.deepEqual(await ofJobs('rowmill_lag_rows', ...jobs), { [here!]: 15, [there!]: 0 })
  assert.deepEqual(await ofJobs('rowmill_lag_seconds', ...jobs), { [here!]: 8, [there!]: 0 })
})

test('the backlog is that of open jobs; how long it takes is not known where nothing moves', async () => {
  const job = (published: number | null, classified: number, now: number) =>
    aJob({ rows: { total: null, published, classified, written: null, rejected: 0 }, rate: { now, average: 1 } })
  const backlog = async (...jobs: JobView[]) => [
    ...Object.values(await ofJobs('rowmill_backlog_rows', ...jobs)),
    ...Object.values(await ofJobs('rowmill_backlog_seconds', ...jobs)),
  ]
  assert.deepEqual(await backlog(job(100, 40, 4), job(50, 40, 3), job(null, 5, 0)), [70, 10])
  assert.deepEqual(await backlog(job(100, 40, 0)), [60])
  assert.deepEqual(await backlog({ ...job(100, 40, 0), phase: 'cancelled' }), [0, 0])
  assert.deepEqual(await backlog(job(5, 9, 1)), [0, 0]) // of two looks
})

test('workers of every state, and whether a broker answers', async () => {
  const workers = [aWorker(), aWorker({ name: 'b', state: 'silent' })]
  const text = await scrape(aView({ workers, unreachableSince: MADE_AT - 1 }))
  const states = ofMetric(text, 'rowmill_pipeline_workers')
  const expected = { starting: 0, idle: 0, busy: 1, silent: 1, gone: 0 }
  assert.deepEqual(states, Object.fromEntries(Object.entries(expected).map(([s, n]) => [`state="${s}"`, n])))
  assert.deepEqual(ofMetric(text, 'rowmill_broker_up'), { '': 0 })
  assert.deepEqual(ofMetric(await scrape(aView()), 'rowmill_broker_up'), { '': 1 })
})

test('before any broker answered there is no backlog, also no zero; without topics it is 0', async () => {
  const nothing = { jobs: [], workers: [] }
  const unknown = await scrape(aView({ ...nothing, unreachableSince: MADE_AT - 1 }))
  assert.deepEqual(ofMetric(unknown, 'rowmill_broker_up'), { '': 0 })
  for (const name of ['rowmill_backlog_rows', 'rowmill_backlog_seconds', 'rowmill_pipeline_workers'])
    assert.deepEqual(ofMetric(unknown, name), {})
  const noTopics = { since: MADE_AT, missing: 'rowmill.jobs', wereThere: false, lastJob: null }
  const none = await scrape(aView({ ...nothing, noTopics }))
  assert.deepEqual(ofMetric(none, 'rowmill_broker_up'), { '': 1 })
  assert.deepEqual(ofMetric(none, 'rowmill_backlog_rows'), { '': 0 })
})

test('labels are bounded: 100 jobs, the open ones and then the latest, and 20 reasons of rejects', async () => {
  const jobs = Array.from({ length: 300 }, (_, index) =>
    aJob({ id: `job-${index}`, phase: index < 10 ? 'classifying' : 'complete' }),
  )
  const ids = Object.keys(await ofJobs('rowmill_job_phase', ...jobs)).map(series => /"job-(\d+)"/.exec(series)![1]!)
  const expected = [...Array(10).keys(), ...Array.from({ length: 90 }, (_, index) => 210 + index)]
  assert.deepEqual(
    ids.map(Number).sort((a, b) => a - b),
    expected,
  )
  const rejectsByReason = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`R${index}`, index + 1]))
  const byReason = await ofJobs('rowmill_job_rejected_rows', aJob({ rejectsByReason }))
  assert.equal(Object.keys(byReason).length, 21)
  assert.equal(byReason['job_id="orders",reason="other"'], 55) // 1 + ... + 10
})

test('what a job or a reason is called stays one label', async () => {
  const name = `${HOSTILE}"\n\\`
  const text = await scrape(aView({ jobs: [aJob({ id: name, rejectsByReason: { [name]: 1 } })] }))
  const told = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
  assert.ok(text.includes(`rowmill_job_rejected_rows{job_id="${told}",reason="${told}"} 1\n`))
})
