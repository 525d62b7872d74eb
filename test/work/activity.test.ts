import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../../src/core/batcher.ts'
import { testJob } from '../../src/testing/test-job.ts'
import { Activity } from '../../src/work/activity.ts'
import { Arrivals } from '../../src/work/arrivals.ts'
import { KnownWorkers } from '../../src/work/known-workers.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const JOB = testJob({ columns: ['ID'], rows: [] }, { partitions: 4, blockRows: 10 })
const AT = { topic: 'p.rows', partition: 2 }
const batch = (first: number, count = 10): Batch => {
  return { kind: 'batch', job: JOB.id, epoch: 0, from: 0, first, offset: 0, count, parts: [] }
}

test('the batch in hand is the oldest, with the number of its first row in the job, and its age in the classifier', async () => {
  const time = new ManualTime()
  const activity = new Activity({ time })
  const first = activity.began(batch(25), JOB, AT)
  await time.pass(1000)
  const second = activity.began(batch(30), JOB, AT)
  await time.pass(500)
  // Position 25 of partition 2 is in its third block: block 2 + 2 * 4 of the job.
  assert.deepEqual(activity.take([])!.batch, { ...AT, job: JOB.id, row: 105, rows: 10, seconds: 1.5 })
  activity.ended(first, 10)
  await time.pass(250)
  const next = activity.take([])!
  assert.deepEqual([next.batch, next.rows], [{ ...AT, job: JOB.id, row: 140, rows: 10, seconds: 0.25 }, 10])
  activity.ended(second, 0)
  const last = activity.take([])!
  assert.deepEqual([last.batch, last.rows], [null, 0])
})

test('a row of a job without sequence has no number', () => {
  const activity = new Activity()
  activity.began(batch(7, 1), { ...JOB, sequenced: false }, AT)
  assert.equal(activity.take([])!.batch!.row, null)
})

test('at any moment a worker does one thing, and the batch in hand counts', async () => {
  const time = new ManualTime()
  const activity = new Activity({ time })
  await time.pass(900)
  const early = activity.began(batch(0), JOB, AT)
  await time.pass(100)
  activity.ready()
  await time.pass(40)
  activity.ended(early, 10)
  await time.pass(300)
  const [one, two] = [activity.began(batch(10), JOB, AT), activity.began(batch(20), JOB, AT)]
  await time.pass(2000)
  assert.deepEqual(activity.take([]).spent, { start: 1000, classify: 2040, send: 0, wait: 300 })
  await time.pass(500)
  activity.ended(one, 10)
  const sent = activity.sends()
  await time.pass(500)
  activity.ended(two, 10)
  await time.pass(70)
  sent()
  await time.pass(1)
  const { spent, usual } = activity.take([])
  assert.deepEqual(spent, { start: 0, classify: 1000, send: 70, wait: 1 })
  assert.deepEqual(usual, { rows: 20, ms: 3000 }, 'batches are answered one after the other')
  await time.pass(5)
  assert.deepEqual(activity.take([]).spent, { start: 0, classify: 0, send: 0, wait: 5 })
})

test('a worker tells only what is new since it last told', () => {
  const time = new ManualTime()
  const activity = new Activity({ keepsTimings: true, time })
  const none = {
    ...{ rows: 0, rejected: {}, joins: 0, batch: null, timings: [], classifierRestarts: {}, usual: { rows: 0, ms: 0 } },
    spent: { start: 0, classify: 0, send: 0, wait: 0 },
  }
  assert.deepEqual(activity.take([]), none)
  activity.joined()
  activity.rejected('CLASSIFIER_CONTRACT')
  activity.rejected('CLASSIFIER_CONTRACT')
  activity.rejected('MALFORMED')
  activity.settled([1, 2, 3])
  activity.settled([10, 20, 30])
  assert.deepEqual(activity.take([AT]), {
    ...{ rows: 0, rejected: { CLASSIFIER_CONTRACT: 2, MALFORMED: 1 }, joins: 1, spent: none.spent, batch: null },
    ...{ classifierRestarts: {}, usual: { rows: 0, ms: 0 } },
    timings: [
      [1, 2, 3],
      [10, 20, 30],
    ],
    partitions: [AT],
  })
  assert.deepEqual(activity.take([AT]), none)
  assert.deepEqual(activity.take([])!.partitions, [])
})

test('a batch for which the classifier was started again says nothing about what a batch usually takes', async () => {
  const time = new ManualTime()
  const activity = new Activity({ time })
  const answered = async (ms: number, during?: () => void) => {
    const open = activity.began(batch(0), JOB, AT)
    await time.pass(ms)
    during?.()
    activity.ended(open, 10)
  }
  await answered(200)
  await answered(36_000, () => activity.restarted('CLASSIFIER_TIMEOUT'))
  await answered(400)
  const { rows, usual, classifierRestarts } = activity.take([])!
  assert.deepEqual([rows, usual, classifierRestarts], [30, { rows: 20, ms: 600 }, { CLASSIFIER_TIMEOUT: 1 }])
  activity.restarted('CLASSIFIER_DIED')
  const later = activity.take([])!
  assert.deepEqual([later.usual, later.classifierRestarts], [{ rows: 0, ms: 0 }, { CLASSIFIER_DIED: 1 }])
})

test('nobody gets the times of single batches without asking', () => {
  const activity = new Activity()
  activity.settled([1, 2, 3])
  assert.deepEqual(activity.take([])!.timings, [])
})

test('messages that came together came at one time', () => {
  const arrivals = new Arrivals()
  assert.equal(arrivals.of(3), null)
  for (const [offset, at] of [
    [5, 100],
    [6, 100],
    [7, 100],
    [8, 200],
    [9, 300],
  ] as const)
    arrivals.note(offset, at)
  assert.deepEqual(
    [5, 6, 7, 8, 9, 12].map(offset => arrivals.of(offset)),
    [100, 100, 100, 200, 300, 300],
  )
})

test('a supervisor adds up what a worker did, also before it was started again', () => {
  let now = 1000
  const known = new KnownWorkers(() => now)
  const home = { heardAt: 1000, pid: 8 }
  known.started('w', home)
  const none = {
    ...{
      rows: 0,
      rejected: {},
      joins: 0,
      spent: { start: 0, classify: 0, send: 0, wait: 0 },
      timings: [],
      batch: null,
    },
    ...{ classifierRestarts: {}, usual: { rows: 0, ms: 0 } },
  }
  const [worker] = known.report.workers
  assert.deepEqual([worker!.state, worker!.restarts, worker!.heardSeconds], ['starting', 0, 0])
  known.ready('w')
  const inHand = { ...AT, job: 'j', row: 3, rows: 5, seconds: 2 }
  known.told('w', {
    ...none,
    rows: 7,
    rejected: { A: 1, B: 2 },
    joins: 1,
    classifierRestarts: { CLASSIFIER_TIMEOUT: 1 },
    usual: { rows: 6, ms: 1500 },
    spent: { start: 1000, classify: 2000, send: 100, wait: 50 },
    batch: inHand,
    partitions: [AT],
  })
  now += 900
  assert.equal(known.report.workers[0]!.batch!.seconds, 2, 'it may have another batch by now')
  now += 3600
  known.told('x', none)
  const [busy] = known.report.workers
  assert.deepEqual(busy, {
    ...{
      name: 'w',
      pid: 8,
      state: 'busy',
      heardSeconds: 4.5,
      partitions: [AT],
      batch: { ...inHand, seconds: 6.5 },
      restarts: 0,
      classifierRestarts: { CLASSIFIER_TIMEOUT: 1 },
      secondsPerRow: 0.25,
    },
    ...{ rows: 7, rejected: 3, time: { start: 1, classify: 2, send: 0.1, wait: 0.1 } },
  })
  known.started('w', { heardAt: now, pid: 9 })
  const again = known.report
  assert.deepEqual([again.restarts, again.rebalances], [1, 1])
  const { pid, state, partitions, batch, rows, restarts } = again.workers[0]!
  assert.deepEqual([pid, state, partitions, batch, rows, restarts], [9, 'starting', [], null, 7, 1])
  known.ready('w')
  known.told('w', { ...none, rows: 3, joins: 1, classifierRestarts: { CLASSIFIER_TIMEOUT: 2, CLASSIFIER_DIED: 1 } })
  const { classifierRestarts } = known.report.workers[0]!
  assert.deepEqual(
    classifierRestarts,
    { CLASSIFIER_TIMEOUT: 3, CLASSIFIER_DIED: 1 },
    'also those of the process before',
  )
  assert.deepEqual([known.report.workers[0]!.rows, known.report.rebalances], [10, 2])
})
