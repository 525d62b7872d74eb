import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandMetrics } from '../../../src/monitor/metrics/command-metrics.ts'
import type { ReportedParts, WorkerReport } from '../../../src/reports/report.ts'
import { ofMetric } from '../../helpers/scrape.ts'

const NOTHING: ReportedParts = { publishing: null, working: null, collecting: null }

function worker(state: WorkerReport['state'], rows: number): WorkerReport {
  const time = { start: 1.5, classify: 20, send: 0.5, wait: 8 }
  return { name: 'm-1-1', state, heardSeconds: 0, partitions: [], batch: null, rows, rejected: 0, restarts: 0, time }
}

function metered(parts: Partial<ReportedParts> = {}, output: string | null = null, command = 'work') {
  const look = () => ({ ...NOTHING, ...parts })
  const metrics = new CommandMetrics({ command, version: '1.2.3', look, output, job: null })
  metrics.pipeline = 'mill'
  const of = async (name: string) => ofMetric(await metrics.registry.metrics(), name)
  return { metrics, of }
}

test('a command says nothing of a part that it does not have, and every series has its pipeline', async () => {
  const { metrics, of } = metered()
  const series = (await metrics.registry.metrics()).match(/^rowmill_\w+(?=\{)/gm)!
  assert.deepEqual([...new Set(series)], ['rowmill_build_info'])
  assert.deepEqual(await of('rowmill_build_info'), { 'version="1.2.3",command="work",pipeline="mill"': 1 })
})

test('counts are those of the parts at the moment of the scrape', async () => {
  const hung = { ...worker('busy', 30), classifierRestarts: { CLASSIFIER_TIMEOUT: 3 } }
  const workers = [hung, worker('idle', 12), worker('starting', 0)]
  const { of } = metered({
    publishing: { job: 'a', published: 50, total: 90 },
    working: { restarts: 2, rebalances: 5, workers },
    collecting: { job: 'a', written: 40, rejected: 1, duplicates: 3, waiting: null },
  })
  const counts: [string, number][] = [
    ['published_rows_total', 50],
    ['classified_rows_total', 42],
    ['written_rows_total', 40],
    ['duplicate_rows_total', 3],
    ['worker_restarts_total', 2],
    ['rebalances_total', 5],
  ]
  assert.deepEqual(await of('rowmill_classifier_restarts_total'), {
    'reason="CLASSIFIER_TIMEOUT",pipeline="mill"': 3,
    'reason="CLASSIFIER_DIED",pipeline="mill"': 0,
  })
  assert.deepEqual(await of('rowmill_worker_time_seconds_total'), {
    'activity="start",pipeline="mill"': 4.5,
    'activity="classify",pipeline="mill"': 60,
    'activity="send",pipeline="mill"': 1.5,
    'activity="wait",pipeline="mill"': 24,
  })
  for (const again of [1, 2])
    for (const [name, count] of counts)
      assert.deepEqual(await of(`rowmill_${name}`), { 'pipeline="mill"': count }, `${name}, scrape ${again}`)
  assert.deepEqual(await of('rowmill_workers'), {
    'state="starting",pipeline="mill"': 1,
    'state="idle",pipeline="mill"': 1,
    'state="busy",pipeline="mill"': 1,
  })
})

test('rejects count by reason, and beyond twenty reasons as other', async () => {
  const { metrics, of } = metered()
  for (let index = 0; index < 25; index++) metrics.rejected({ [`R${index}`]: 1, R0: 2 })
  const byReason = await of('rowmill_rejected_rows_total')
  assert.equal(Object.keys(byReason).length, 21)
  assert.equal(byReason['reason="R0",pipeline="mill"'], 50)
  assert.equal(byReason['reason="other",pipeline="mill"'], 5)
})

test('the time of a batch in each stage, and each wait of the ordered output, is in seconds', async () => {
  const { metrics, of } = metered({}, null, 'run')
  metrics.batches([
    [2, 40, 3000],
    [4, 50, 1000],
  ])
  metrics.waited(0.2)
  assert.deepEqual(await of('rowmill_batch_duration_seconds_sum'), {
    'pipeline="mill",stage="queue"': 0.006,
    'pipeline="mill",stage="classify"': 0.09,
    'pipeline="mill",stage="send"': 4,
  })
  const buckets = await of('rowmill_batch_duration_seconds_bucket')
  assert.equal(buckets['le="0.05",pipeline="mill",stage="classify"'], 2)
  assert.equal(buckets['le="0.025",pipeline="mill",stage="classify"'], 0)
  assert.deepEqual(await of('rowmill_reorder_wait_seconds_sum'), { 'pipeline="mill"': 0.2 })
})

test('a command that writes a file says how much room its disk has', async () => {
  const { of } = metered({}, '/tmp/no-such-file.csv')
  const [[series, bytes]] = Object.entries(await of('rowmill_disk_free_bytes')) as [[string, number]]
  assert.equal(series, 'path="/tmp",pipeline="mill"')
  assert.ok(bytes > 0)
  const elsewhere = metered({}, '/no-such-folder/out.csv')
  assert.deepEqual(await elsewhere.of('rowmill_disk_free_bytes'), {})
})
