/** How many rows of a job are in the log, where nobody reports it: a client of another language publishes it. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { newJob } from '../../src/core/job.ts'
import { placeOf } from '../../src/core/sequence.ts'
import type { Job } from '../../src/model.ts'
import { PipelineWatch } from '../../src/watch/pipeline-watch.ts'
import { encodeEndOfInput, encodeJob, encodeResult, encodeRows } from '../../src/wire/codec.ts'
import type { Content, Transaction } from '../fakes/partition-log.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { resultRecord } from '../helpers/result-record.ts'

const LAYOUT = { partitions: 2, blockRows: 10 }

async function foreign(t: TestContext) {
  const { running, cluster, topics, log } = await fakePipeline(t, LAYOUT)
  const { kafka, pipeline } = running
  const watch = new PipelineWatch({ kafka, pipeline, say: () => {} })
  t.after(() => watch.close())
  const open = (id: string, more: Partial<Job> = {}): Job => {
    const ends = (topic: 'rows' | 'results') => [0, 1].map(partition => log(topic, partition).end)
    const places = { topic: topics.rows, rowsFrom: ends('rows'), resultsFrom: ends('results') }
    const job = { ...newJob({ id, columns: ['ID'], ...LAYOUT, ...places, at: Date.now(), by: 'other' }), ...more }
    log('jobs').append([{ key: Buffer.from(id), value: encodeJob(job) }])
    return job
  }
  const message = ({ id }: Job, seq: number, count: number): Content => {
    const rows = Array.from({ length: count }, (_, i) => [String(seq + i)])
    const head = { job: id, epoch: 0, from: 0, seq, count, line: null, lineSteps: null }
    return { key: Buffer.from(id), value: encodeRows({ ...head, rows }) }
  }
  /** Each call is a batch. */
  const send = (job: Job, seq: number, count: number, transaction: Transaction | null = null) =>
    log('rows', placeOf(seq, LAYOUT).partition).append([message(job, seq, count)], transaction)
  const end = ({ id }: Job, partition: number, rows: number, total: number) => {
    const value = encodeEndOfInput({ job: id, epoch: 0, from: 0, attempt: 0, partition, rows, total })
    log('rows', partition).append([{ key: Buffer.from(id), value }])
  }
  const look = async (id: string) => {
    const job = (await watch.look()).jobs.find(each => each.id === id)!
    return [job.rows.total, job.rows.published, ...job.partitions.map(({ published }) => published)]
  }
  return { open, send, end, look, watch, running, cluster, topics, log }
}

const resultOf = (first: number, count: number) =>
  encodeResult(resultRecord({ first, count, rows: Array.from({ length: count }, () => ['x']) }))

test('rows in messages of less than a block are counted exactly, and so are those that come later', async t => {
  const { open, send, end, look } = await foreign(t)
  const job = open('j')
  assert.deepEqual(await look('j'), [null, 0, 0, 0])
  send(job, 0, 3)
  send(job, 3, 4)
  send(job, 10, 1)
  assert.deepEqual(await look('j'), [null, 8, 7, 1])
  send(job, 7, 3)
  send(job, 20, 2)
  assert.deepEqual(await look('j'), [null, 13, 12, 1])
  end(job, 0, 12, 13)
  assert.deepEqual(await look('j'), [13, 13, 12, 1])
})

test('jobs that share a topic are counted each by its own rows', async t => {
  const { open, send, look } = await foreign(t)
  const first = open('first')
  send(first, 0, 10)
  send(first, 20, 5)
  send(first, 10, 2)
  const second = open('second')
  for (let seq = 0; seq < 1000; seq += 10) send(second, seq, 10)
  assert.deepEqual(await look('first'), [null, 17, 15, 2])
  assert.deepEqual(await look('second'), [null, 1000, 500, 500])
  send(second, 1000, 10)
  send(first, 25, 5)
  send(second, 1020, 10)
  assert.deepEqual(await look('first'), [null, 22, 20, 2])
  assert.deepEqual(await look('second'), [null, 1020, 520, 500])
})

test('messages of a transaction count when it is committed, and its marker hides none', async t => {
  const { open, send, look, log } = await foreign(t)
  const job = open('j')
  const transaction: Transaction = { state: 'open' }
  send(job, 0, 4)
  send(job, 4, 3, transaction)
  assert.deepEqual(await look('j'), [null, 4, 4, 0])
  log('rows', 0).finish(transaction, 'committed')
  assert.deepEqual(await look('j'), [null, 7, 7, 0])
})

test('a job that failed has as many rows published as its topic has', async t => {
  const { open, send, end, look } = await foreign(t)
  const reason = { code: 'CLASSIFIER_FAILED', place: null, message: 'no' }
  const job = open('j')
  send(job, 0, 10)
  send(job, 10, 3)
  end(job, 0, 10, 13)
  end(job, 1, 3, 13)
  open('j', { state: 'failed', reason, rowsFrom: job.rowsFrom, resultsFrom: job.resultsFrom })
  assert.deepEqual(await look('j'), [13, 13, 10, 3])
})

test('a look costs a bounded number of fetches, and none where nothing has come', async t => {
  const { open, send, look, cluster, topics } = await foreign(t)
  const jobs = Array.from({ length: 20 }, (_, i) => open(`j${i}`))
  for (let block = 0; block < 50; block++) send(jobs[0]!, block * 10, 10)
  let fetches = 0
  cluster.onFetch = async offsets => {
    if (offsets.some(({ topic, offset }) => topic === topics.rows && offset > 0)) fetches++
  }
  await look('j0')
  assert.ok(fetches > 0 && fetches <= 8, String(fetches))
  await look('j0')
  fetches = 0
  await look('j0')
  assert.equal(fetches, 0)
})

test('rows whose results retention has deleted have a result all the same', async t => {
  const { open, send, watch, log } = await foreign(t)
  const job = open('j')
  for (let seq = 0; seq < 60; seq += 10) send(job, seq, 10)
  const classify = (partition: number, first: number) =>
    log('results', partition).append([{ key: null, value: resultOf(first, 10) }])
  for (const first of [0, 10, 20]) classify(0, first)
  classify(1, 0)
  log('results', 0).truncate(2)
  const [seen] = (await watch.look()).jobs
  assert.deepEqual(
    seen!.partitions.map(({ published, classified }) => [published, classified]),
    [
      [30, 30],
      [30, 10],
    ],
  )
  assert.deepEqual([seen!.rows.classified, seen!.waitsFor!.row], [40, 30])
})

test('events wait as long as their commit says, whatever retention deleted and whatever markers are in the log', async t => {
  const { open, watch, running, topics, log } = await foreign(t)
  open('j', { sequenced: false, bounded: false, blockRows: 1 })
  const head = { job: 'j', epoch: 0, from: 0, seq: null, count: 1, line: null, lineSteps: null }
  const event = (transaction: Transaction | null = null) =>
    log('rows', 0).append([{ key: null, value: encodeRows({ ...head, rows: [['1']] }) }], transaction)
  const transaction: Transaction = { state: 'open' }
  for (let i = 0; i < 4; i++) event()
  event(transaction)
  log('rows', 0).finish(transaction, 'committed')
  for (let first = 0; first < 5; first++) log('results', 0).append([{ key: null, value: resultOf(first, 1) }])
  log('results', 0).truncate(5)
  const offsets = await running.kafka.groupOffsets('p.workers', [topics.rows])
  await offsets.commit([{ topic: topics.rows, partition: 0, offset: 6, metadata: null }])
  const lag = async () => {
    const [job] = (await watch.look()).jobs
    return [job!.rows.published! - job!.rows.classified!, job!.partitions[0]!.lagRows, job!.phase]
  }
  assert.deepEqual(await lag(), [0, 0, 'waiting'])
  event()
  assert.deepEqual(await lag(), [1, 1, 'publishing'])
})
