import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { foldJob } from '../../src/core/job.ts'
import { foldEpochs, type JobEpochs, markRecord } from '../../src/core/job-epochs.ts'
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
const fold = (...records: Partial<Job>[]): Job =>
  records.reduce<Job | undefined>((before, record) => foldJob(before, { ...FIRST, ...record }), undefined)!

test('the first record of a job is the job', () => {
  assert.deepEqual(foldJob(undefined, FIRST), FIRST)
})

test('header, layout, source and options of the first record hold for ever, also against a later attempt', () => {
  const other: Partial<Job> = {
    attempt: 1,
    epoch: 1,
    columns: ['X'],
    sequenced: false,
    bounded: false,
    partitions: 9,
    blockRows: 9,
    topic: 'other',
    rowsFrom: [],
    resultsFrom: [],
    source: null,
    indexKind: 'text',
    options: [],
  }
  const after = fold({}, other)
  assert.deepEqual(after, { ...FIRST, attempt: 1, epoch: 1 })
})

test('of several failures of an attempt the first counts', () => {
  const failures = ['one', 'two'].map((message, i) => ({
    state: 'failed' as const,
    reason: reason(message),
    by: `worker ${i}`,
  }))
  const after = fold({}, ...failures, { state: 'cancelled', by: 'a person' }, { state: 'ended', total: 3 })
  assert.equal(after.state, 'failed')
  assert.deepEqual(after.reason, reason('one'))
  assert.equal(after.by, 'worker 0')
})

test('a job that was cancelled stays so when it fails or ends', () => {
  const after = fold({}, { state: 'cancelled', by: 'a person' }, { state: 'failed', reason: reason('late') })
  assert.deepEqual([after.state, after.reason, after.by], ['cancelled', null, 'a person'])
})

test('a job may fail after its rows have ended', () => {
  assert.equal(fold({}, { state: 'ended', total: 3 }, { state: 'failed', reason: reason('gap') }).state, 'failed')
})

test('a later attempt opens a failed job again, and can fail for a reason of its own', () => {
  const failed = { state: 'failed' as const, reason: reason('one') }
  const reopened = fold({}, failed, { attempt: 1 })
  assert.deepEqual([reopened.state, reopened.reason, reopened.attempt], ['open', null, 1])
  const again = fold({}, failed, { attempt: 1 }, { ...failed, attempt: 1, reason: reason('two') })
  assert.deepEqual([again.state, again.reason], ['failed', reason('two')])
})

test('a failure that an attempt tells after the next one began does not close the next one', () => {
  const failed = { state: 'failed' as const, reason: reason('one') }
  const after = fold({}, failed, { attempt: 1 }, { ...failed, attempt: 0, reason: reason('late') })
  assert.deepEqual([after.state, after.reason, after.attempt], ['open', null, 1])
})

test('that all rows are published counts also where the publisher knows of an earlier attempt only', () => {
  const failed = { state: 'failed' as const, reason: reason('one') }
  const ended = fold({}, failed, { attempt: 1 }, { state: 'ended', total: 3 })
  assert.deepEqual([ended.state, ended.total, ended.attempt], ['ended', 3, 1])
  const over = fold({}, failed, { ...failed, attempt: 1 }, { state: 'ended', total: 3 })
  assert.equal(over.state, 'failed')
})

test('an ended job stays ended when its opening is told again, and keeps its total', () => {
  const after = fold({}, { state: 'ended', total: 3, at: 2 }, { at: 3 })
  assert.deepEqual([after.state, after.total, after.at], ['ended', 3, 3])
})

test('a later epoch brings the seq it goes on at, an earlier one does not take it back', () => {
  assert.equal(fold({}, { epoch: 1, from: 12 }).from, 12)
  const after = fold({}, { epoch: 1, from: 12 }, { epoch: 0, from: 0 })
  assert.deepEqual([after.epoch, after.from], [1, 12])
})

const taken = { epoch: 1, by: 'second' }

test('a later epoch opens neither a job that failed nor one that has ended', () => {
  const failed = fold({}, { state: 'failed', reason: reason('one') }, taken)
  assert.deepEqual([failed.state, failed.reason], ['failed', reason('one')])
  const ended = fold({}, { state: 'ended', total: 3 }, taken)
  assert.deepEqual([ended.state, ended.total, ended.epoch], ['ended', 3, 0])
})

test('of a producer that was taken over neither the end counts nor that it opened the job, of its workers a failure does', () => {
  const after = fold({}, taken, { state: 'ended', total: 3 }, { by: 'first' })
  assert.deepEqual([after.state, after.total, after.epoch, after.by], ['open', null, 1, 'second'])
  const failed = fold({}, taken, { state: 'failed', reason: reason('one') })
  assert.deepEqual([failed.state, failed.epoch], ['failed', 1])
})

test('an epoch is of whose record is its first; a mark counts while its epoch is the newest', () => {
  const epochs = (...records: Partial<Job>[]) =>
    records.reduce<JobEpochs | undefined>((before, record) => foldEpochs(before, { ...FIRST, ...record }), undefined)!
  const mark = (epoch: number, from: number, closed = false) =>
    markRecord(FIRST, { epoch, from, rowsFrom: [from, from], closed }, { at: 0, by: `of ${epoch}` })
  const beginning = { epoch: 0, from: 0, rowsFrom: [4, 5], closed: false }
  assert.deepEqual(epochs({}, { by: 'other' }), { epoch: 0, by: 'first', mark: beginning })
  assert.deepEqual(epochs({}, taken, { ...taken, by: 'other' }), { ...taken, mark: beginning })
  const marked = { epoch: 0, from: 7, rowsFrom: [7, 7], closed: false }
  assert.deepEqual(epochs({}, mark(0, 7), taken, mark(0, 9)), { ...taken, mark: marked })
  assert.deepEqual(epochs({}, taken, mark(1, 8, true)).mark, { epoch: 1, from: 8, rowsFrom: [8, 8], closed: true })
  assert.deepEqual(epochs({}, taken, { ...taken, from: 3 }).mark, beginning, 'a copy of the record is no mark')
})

test('a mark changes nothing of the job', () => {
  const mark = markRecord(FIRST, { epoch: 0, from: 7, rowsFrom: [7, 7], closed: true }, { at: 0, by: 'first' })
  assert.deepEqual(fold({}, mark), { ...FIRST, at: mark.at })
  const ended = fold({}, { state: 'ended', total: 7 }, mark)
  assert.deepEqual([ended.state, ended.total], ['ended', 7])
})

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

test('a reader that comes late knows every job, with what became of it', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  for (let i = 0; i < 50; i++) await appendJob(sender, pipeline, { ...first, id: `j${i}` })
  await appendJob(sender, pipeline, { ...first, id: 'j7', state: 'ended', total: 3 })
  const jobs = await log()
  assert.equal((await jobs.get('j49'))!.state, 'open')
  const after = await jobs.until('j7', ({ state }) => state === 'ended', never)
  assert.deepEqual(after, { ...first, id: 'j7', state: 'ended', total: 3 })
})

test('attempts that contradicted earlier ones do not count, the first always does', async t => {
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

test('a job that was acknowledged before the question is known to every reader', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const jobs = await log()
  for (let i = 0; i < 20; i++) {
    await appendJob(sender, pipeline, { ...first, id: `j${i}` })
    assert.equal((await jobs.get(`j${i}`))?.id, `j${i}`)
  }
})

test('a failure that was acknowledged before the question is known to who asks for the latest', async t => {
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

test('an unknown id is unknown at the present end of the topic, of an empty one too', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const jobs = await log()
  assert.equal(await jobs.get('nobody'), undefined)
  await appendJob(sender, pipeline, first)
  assert.equal(await jobs.get('nobody'), undefined)
  assert.equal(jobs.peek('j')!.id, 'j')
})

test('what is no job record in the topic is passed over', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const to = { topic: topicsOf(pipeline).jobs, partition: 0 }
  const rows = { job: 'j', epoch: 0, from: 0, seq: 0, count: 1, line: null, lineSteps: null, rows: [['1', '2']] }
  for (const value of [Buffer.from('hello'), Buffer.alloc(0), encodeRows(rows)]) {
    await sender.send(to, { key: 'x', value })
  }
  await appendJob(sender, pipeline, first)
  await sender.send(to, { key: 'x', value: Buffer.from('behind') })
  const jobs = await log()
  assert.deepEqual(await jobs.get('j'), first)
  assert.equal(await jobs.get('nobody'), undefined)
})

test('who waits for a state is told when it comes, and let go when its signal aborts', async t => {
  const { pipeline, first, sender, log } = await broadcast(t)
  const jobs = await log()
  const failed = jobs.until('j', ({ state }) => state === 'failed', never)
  const stop = new AbortController()
  const stopped = assert.rejects(
    jobs.until('j', ({ state }) => state === 'cancelled', stop.signal),
    /enough/,
  )
  await appendJob(sender, pipeline, first)
  const error = new RowmillError('CLASSIFIER_FAILED', 'half a pair: \ud800.')
  await failJob(sender, pipeline, first, { error, place: 'row 3', by: 'worker 1' })
  const { reason: told, by } = await failed
  assert.deepEqual(told, { code: 'CLASSIFIER_FAILED', place: 'row 3', message: 'half a pair: \ufffd.' })
  assert.equal(by, 'worker 1')
  stop.abort(new Error('enough'))
  await stopped
  await assert.rejects(
    jobs.until('j', () => false, stop.signal),
    /enough/,
  )
})

test('close frees who waits, and is fine twice', async t => {
  const { log } = await broadcast(t)
  const jobs = await log()
  const waiting = assert.rejects(jobs.until('j', () => true, never))
  await turn()
  await Promise.all([jobs.close(), jobs.close()])
  await waiting
})
