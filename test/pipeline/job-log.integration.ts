import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { RowmillError } from '../../src/errors.ts'
import type { Kafka } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Job, Reason } from '../../src/model.ts'
import { appendJob, failJob } from '../../src/pipeline/append-job.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { encodeRows } from '../../src/wire/codec.ts'
import { testKafka, testPipeline } from '../helpers/broker.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const silent = () => {}
const never = new AbortController().signal

const FIRST = jobRecord({
  columns: ['ID', '__proto__'],
  partitions: 2,
  blockRows: 3,
  topic: 'p.rows',
  rowsFrom: [4, 5],
  resultsFrom: [6, 7],
  source: { name: 'in.csv', size: 10, mtimeMs: 1.5 },
  indexKind: 'integer',
  options: [{ name: 'toCsv', value: '{}' }],
  by: 'first',
})
const reason = (message: string): Reason => ({ code: 'CLASSIFIER_FAILED', place: 'row 1', message })

interface Broadcast {
  readonly kafka: Kafka
  readonly pipeline: string
  /** The first record of a job of this pipeline. */
  readonly first: Job
  readonly sender: PartitionSender
  log(): Promise<JobLog>
}

async function broadcast(t: TestContext): Promise<Broadcast> {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, 1)
  const kafka = await testKafka()
  const sender = new PartitionSender(await kafka.producer(), silent)
  t.after(() => sender.close())
  const log = async () => {
    const jobs = await JobLog.open(kafka, pipeline, silent)
    t.after(() => jobs.close())
    return jobs
  }
  return { kafka, pipeline, first: { ...FIRST, topic: topicsOf(pipeline).rows }, sender, log }
}

test('a reader that starts late knows every job and its outcome', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  for (let i = 0; i < 50; i++) await appendJob(sender, pipeline, { ...first, id: `j${i}` })
  await appendJob(sender, pipeline, { ...first, id: 'j7', state: 'ended', total: 3 })
  const jobs = await log()
  assert.equal((await jobs.get('j49'))!.state, 'open')
  const after = await jobs.until('j7', ({ state }) => state === 'ended', never)
  assert.deepEqual(after, { ...first, id: 'j7', state: 'ended', total: 3 })
})

test('attempts that contradict earlier ones do not count, the first always does', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const jobs = await log()
  const tell = (record: Partial<Job>) => appendJob(sender, pipeline, { ...first, ...record })
  const drift = { state: 'failed' as const, reason: { code: 'KIND_DRIFT', place: null, message: 'other' } }
  await tell({})
  await tell(drift)
  for (const attempt of [1, 2]) {
    await tell({ attempt, resultsFrom: [attempt, attempt] })
    if (attempt === 1) await tell({ ...drift, attempt })
  }
  await jobs.latest('j')
  assert.deepEqual(jobs.attemptsOf('j'), [
    { attempt: 0, resultsFrom: [6, 7] },
    { attempt: 2, resultsFrom: [2, 2] },
  ])
  assert.deepEqual(
    jobs.reopened.map(({ id, attempt }) => [id, attempt]),
    [['j', 2]],
  )
})

test('a job acknowledged before the question is known to every reader', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const jobs = await log()
  for (let i = 0; i < 20; i++) {
    await appendJob(sender, pipeline, { ...first, id: `j${i}` })
    assert.equal((await jobs.get(`j${i}`))?.id, `j${i}`)
  }
})

test('a failure acknowledged before the question is known to a reader that asks for the latest', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const jobs = await log()
  for (let i = 0; i < 20; i++) {
    const job = { ...first, id: `j${i}` }
    await appendJob(sender, pipeline, job)
    await jobs.get(job.id)
    await appendJob(sender, pipeline, { ...job, state: 'failed', reason: reason('no') })
    assert.equal((await jobs.latest(job.id))?.state, 'failed')
  }
})

test('an unknown id is unknown at the present end of the topic, even of an empty one', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const jobs = await log()
  assert.equal(await jobs.get('nobody'), undefined)
  await appendJob(sender, pipeline, first)
  assert.equal(await jobs.get('nobody'), undefined)
  assert.equal(jobs.peek('j')!.id, 'j')
})

test('messages that are no job records are skipped', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const to = { topic: topicsOf(pipeline).jobs, partition: 0 }
  const rows = { job: 'j', epoch: 0, from: 0, seq: 0, count: 1, line: null, lineSteps: null, rows: [['1', '2']] }
  for (const value of [Buffer.from('hello'), Buffer.alloc(0), encodeRows(rows)]) {
    await sender.send(to, { key: 'x', value })
  }
  await appendJob(sender, pipeline, first)
  await sender.send(to, { key: 'x', value: Buffer.from('after') })
  const jobs = await log()
  assert.deepEqual(await jobs.get('j'), first)
  assert.equal(await jobs.get('nobody'), undefined)
})

test('a wait for a state ends when it comes, or when its signal aborts', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const jobs = await log()
  const failed = jobs.until('j', ({ state }) => state === 'failed', never)
  const stop = new AbortController()
  const stopped = assert.rejects(
    jobs.until('j', ({ state }) => state === 'cancelled', stop.signal),
    /enough/,
  )
  await appendJob(sender, pipeline, first)
  const error = new RowmillError('CLASSIFIER_FAILED', 'half a pair: \ud800, http://me:secret@h.')
  await failJob(sender, pipeline, first, { error, place: 'row 3', by: 'worker 1' })
  const { reason: told, by } = await failed
  assert.deepEqual(told, { code: 'CLASSIFIER_FAILED', place: 'row 3', message: 'half a pair: \ufffd, http://***@h.' })
  assert.equal(by, 'worker 1')
  stop.abort(new Error('enough'))
  await stopped
  await assert.rejects(
    jobs.until('j', () => false, stop.signal),
    /enough/,
  )
})

test('close ends all waits and can be called twice', async t => {
  const { log } = await broadcast(t)
  const jobs = await log()
  const waiting = assert.rejects(jobs.until('j', () => true, never))
  await turn()
  await Promise.all([jobs.close(), jobs.close()])
  await waiting
})
