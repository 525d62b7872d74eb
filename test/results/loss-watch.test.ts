import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { RowmillError } from '../../src/errors.ts'
import type { Job } from '../../src/model.ts'
import type { JobLog } from '../../src/pipeline/job-log.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { LossWatch, type Wanted, type WantedAnywhere } from '../../src/results/loss-watch.ts'
import { FakeCluster } from '../fakes/kafka.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const MESSAGE = { key: Buffer.from('j'), value: Buffer.from('x') }

/** A reader that waits for row 3, and a log of rows with three messages that no worker has committed yet. */
async function watchOf(t: TestContext, state: Job['state'] = 'ended') {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  const admin = await kafka.admin()
  await ensureTopics(admin, 'p', 1, { bulk: false })
  const [rows, results] = ['p.rows', 'p.results'].map(topic => cluster.log({ topic, partition: 0 })!)
  rows!.append(Array(3).fill(MESSAGE))
  const job = jobRecord({ topic: 'p.rows', state })
  const reader: { wanted: Wanted | WantedAnywhere } = { wanted: { partition: 0, offset: 0, row: 3 } }
  const time = new ManualTime()
  const lost: RowmillError[] = []
  const jobs: Pick<JobLog, 'peek'> = { peek: () => job }
  const context = { kafka, pipeline: 'p', jobs: jobs as JobLog, say: () => {}, signal: new AbortController().signal }
  const watch = new LossWatch(context, { job, time, wanted: () => reader.wanted, lost: error => lost.push(error) })
  t.after(() => watch.close())
  const { committed } = cluster.group('p.workers', ['p.rows'])
  const commit = (offset: number) => committed.set('p.rows/0', { offset, metadata: null })
  return { admin, rows: rows!, results: results!, reader, time, lost, commit, watch }
}

test('as long as workers have rows to do, nothing is lost', async t => {
  const { time, lost, commit } = await watchOf(t)
  await time.pass(60_000)
  commit(2)
  await time.pass(60_000)
  assert.equal(lost.length, 0)
})

test('a committed row without a result is lost, reported after 10 s without progress', async t => {
  const { time, lost, commit } = await watchOf(t)
  commit(3)
  await time.pass(19_999) // the first look learns where the reader is
  assert.equal(lost.length, 0)
  await time.pass(1)
  const [error] = lost
  assert.deepEqual([error!.code, error!.facts], ['ROW_GAP', { job: 'j', partition: 0, row: 3 }])
  assert.match(error!.message, /row 3 \(partition 0\).*p\.rows\[0\] holds nothing for the workers/)
})

test('the results up to the log end at that time are read first', async t => {
  const { results, reader, time, lost, commit } = await watchOf(t)
  commit(3)
  results.append([MESSAGE, MESSAGE])
  await time.pass(30_000)
  assert.equal(lost.length, 0, 'the row may be in the part that the reader has not read')
  results.append([MESSAGE]) // of another job
  reader.wanted = { partition: 0, offset: 2, row: 3 }
  await time.pass(10_000)
  assert.equal(lost[0]?.code, 'ROW_GAP')
})

test('before an open transaction, in the rows or in the results, nothing is lost', async t => {
  const ofRows = await watchOf(t)
  ofRows.rows.append([MESSAGE], { state: 'open' })
  ofRows.commit(3) // no reader can read further
  await ofRows.time.pass(60_000)
  assert.equal(ofRows.lost.length, 0)
  const ofResults = await watchOf(t)
  ofResults.results.append([MESSAGE], { state: 'open' })
  ofResults.commit(3)
  await ofResults.time.pass(60_000)
  assert.equal(ofResults.lost.length, 0)
})

test('a reader that makes progress asks the broker nothing', async t => {
  const { reader, time, lost, commit } = await watchOf(t)
  commit(3)
  for (let row = 4; row < 9; row++) {
    reader.wanted = { partition: 0, offset: 0, row }
    await time.pass(10_000)
  }
  assert.equal(lost.length, 0)
})

test('nothing is lost of a partly published job: its publisher may resume', async t => {
  const { time, lost, commit } = await watchOf(t, 'open')
  commit(3)
  await time.pass(60_000)
  assert.equal(lost.length, 0)
})

test('rows deleted by retention need no commit', async t => {
  const { rows, time, lost } = await watchOf(t)
  rows.truncate(3)
  await time.pass(20_000)
  assert.equal(lost[0]?.code, 'ROW_GAP')
})

test('a deleted topic is named, even to a reader that prefers no partition', async t => {
  const { admin, reader, time, lost } = await watchOf(t, 'open')
  reader.wanted = { partition: null, read: 7 }
  await time.pass(20_000)
  await admin.deleteTopics(['p.results'])
  await time.pass(10_000)
  assert.match(lost[0]!.message, /its rows can no longer come: topic p\.results was deleted/)
})

test('close ends it', async t => {
  const { time, lost, commit, watch } = await watchOf(t)
  commit(3)
  await watch.close()
  await time.pass(60_000)
  assert.equal(lost.length, 0)
})
