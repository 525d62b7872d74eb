import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Timeline, whatHappened } from '../../src/watch/timeline.ts'
import type { PipelineView } from '../../src/watch/view.ts'
import { aJob, aView, aWorker } from '../helpers/made-view.ts'

const changes = (before: Partial<PipelineView>, after: Partial<PipelineView>) =>
  whatHappened(aView(before), aView(after)).map(({ kind, text }) => `${kind}: ${text}`)

test('two equal views tell of no event', () => {
  assert.deepEqual(changes({}, {}), [])
})

test('a job that appears, ends, fails or stalls is an event, and so are its rejects', () => {
  const rejected = { ...aJob().rows, rejected: 3 }
  const reject = { row: 7, line: 8, reason: 'ValueError', detail: 'd' }
  const failure = { code: 'KIND_DRIFT', place: null, message: 'column A drifts\n  File "c.py", line 3\nKeyError: A' }
  assert.deepEqual(changes({ jobs: [] }, {}), ['job-opened: job orders was opened'])
  assert.deepEqual(changes({}, { jobs: [aJob({ phase: 'complete' })] }), ['job-complete: job orders is complete'])
  assert.deepEqual(changes({}, { jobs: [aJob({ phase: 'failed', failure })] }), [
    'job-failed: job orders failed: column A drifts',
  ])
  assert.deepEqual(changes({}, { jobs: [aJob({ phase: 'stalled' })] }), ['job-stalled: job orders is stalled'])
  assert.deepEqual(changes({ jobs: [aJob({ phase: 'stalled' })] }, { jobs: [aJob({ phase: 'stalled' })] }), [])
  assert.deepEqual(changes({}, { jobs: [aJob({ rows: rejected, lastRejects: [reject] })] }), [
    'rejects: job orders: 3 rows rejected (ValueError), 3 in all',
  ])
})

test('a worker that starts, is started again, falls silent or goes is an event, and so are partitions that move', () => {
  const one = [aWorker().partitions[0]!]
  assert.deepEqual(changes({ workers: [] }, {}), ['worker-started: worker mill-4711-1 started on mill'])
  assert.deepEqual(changes({}, { workers: [aWorker({ restarts: 1 })] }), [
    'worker-restarted: worker mill-4711-1 was started again',
  ])
  assert.deepEqual(changes({}, { workers: [aWorker({ classifierRestarts: { CLASSIFIER_TIMEOUT: 1 } })] }), [
    'classifier-restarted: the classifier of worker mill-4711-1 took longer than --batch-timeout for a batch, and was started again',
  ])
  const [before, after] = [
    { CLASSIFIER_TIMEOUT: 2, CLASSIFIER_DIED: 1 },
    { CLASSIFIER_TIMEOUT: 2, CLASSIFIER_DIED: 2 },
  ]
  assert.deepEqual(
    changes(
      { workers: [aWorker({ classifierRestarts: before })] },
      { workers: [aWorker({ classifierRestarts: after })] },
    ),
    ['classifier-restarted: the classifier of worker mill-4711-1 died, and was started again'],
  )
  assert.deepEqual(changes({}, { workers: [aWorker({ state: 'silent' })] }), [
    'worker-silent: worker mill-4711-1 on mill stopped answering',
  ])
  assert.deepEqual(changes({}, { workers: [] }), ['worker-gone: worker mill-4711-1 is gone'])
  assert.deepEqual(changes({}, { workers: [aWorker({ state: 'gone' })] }), ['worker-gone: worker mill-4711-1 is gone'])
  assert.deepEqual(changes({}, { workers: [aWorker({ partitions: one })] }), [
    'rebalance: partitions moved: worker mill-4711-1 has 1',
  ])
})

test('a partition of rows and the one of bulk rows with its number move as one', () => {
  const both = aWorker().partitions.flatMap(at => [at, { ...at, topic: 'p.bulk' }])
  const count = new Set(both.map(({ partition }) => partition)).size
  assert.deepEqual(changes({ workers: [aWorker({ partitions: [] })] }, { workers: [aWorker({ partitions: both })] }), [
    `rebalance: partitions moved: worker mill-4711-1 has ${count}`,
  ])
})

test('a broker that is lost and comes back is two events', () => {
  const { at } = aView()
  const lost = { unreachableSince: at - 12_000 }
  assert.deepEqual(changes({}, lost), ['broker-lost: no broker answers at 127.0.0.1:9092'])
  assert.deepEqual(changes(lost, {}), ['broker-back: the broker answers again, after 12 s'])
})

test('topics that go and come back are two events, and their workers and jobs are no others until then', () => {
  const { at } = aView()
  const noTopics = { since: at, missing: 'rowmill.jobs', wereThere: true, lastJob: null }
  const without = { noTopics, jobs: [], workers: [] }
  assert.deepEqual(changes({}, without), ['topics-gone: the topics of pipeline rowmill are gone'])
  assert.deepEqual(changes(without, without), [])
  assert.deepEqual(changes(without, { jobs: [], workers: [] }), ['topics-back: pipeline rowmill has topics now'])
})

test('the first view tells of nothing, events are numbered from 0, and the last 200 are kept', () => {
  const timeline = new Timeline()
  assert.deepEqual(timeline.after(aView()), [])
  for (let i = 0; i < 300; i++) timeline.after(aView({ workers: i % 2 === 0 ? [] : [aWorker()] }))
  const events = timeline.after(aView())
  assert.equal(events.length, 200)
  assert.deepEqual([events[0]!.number, events.at(-1)!.number], [100, 299])
})
