/** Removal of jobs over a Kafka in memory, while workers and readers of the same pipeline run. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { listJobs } from '../../src/jobs/list-jobs.ts'
import { jobsDoneBefore, namedJobs, removeJobs } from '../../src/jobs/remove-jobs.ts'
import { shortenJobLog } from '../../src/jobs/shorten-job-log.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Job } from '../../src/model.ts'
import { appendJob } from '../../src/pipeline/append-job.ts'
import type { PipelineContext } from '../../src/pipeline/context.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { workersGroup } from '../../src/pipeline/topic-names.ts'
import { encodeJob } from '../../src/wire/codec.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { classified, Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { jobRecord } from '../helpers/pipeline.ts'
import { until } from '../helpers/until.ts'

const BY = { by: 'jobs rm', who: 'a test' }
const DAY_MS = 24 * 3600 * 1000
/** When the forgetting of removed jobs is due. */
const inDays = (days: number) => Date.now() + days * DAY_MS

async function place(t: TestContext) {
  const parts = await fakePipeline(t, { partitions: 2, blockRows: 5 })
  const { running, topics } = parts
  const { kafka, pipeline, jobs } = running
  const { signal } = new AbortController()
  const context: PipelineContext = { kafka, pipeline, jobs, say: () => {}, signal }
  const starts = { partitions: 2, topic: topics.rows, rowsFrom: [0, 0], resultsFrom: [0, 0] }
  const append = async (...records: Partial<Job>[]) => {
    const sender = new PartitionSender(await kafka.producer(), () => {})
    for (const record of records) await appendJob(sender, pipeline, jobRecord({ ...starts, ...record }))
    await sender.close()
  }
  const ids = async () => (await listJobs(context)).map(({ id }) => id)
  const remove = async (...ids: string[]) => removeJobs(context, await namedJobs(context, ids, false), BY)
  /** A reader that starts now. */
  const reader = async () => {
    const log = await JobLog.open(kafka, pipeline, () => {})
    t.after(() => log.close())
    return log
  }
  return { ...parts, context, append, ids, remove, reader }
}

const failed = (id: string): Partial<Job> => ({ id, state: 'failed', columns: Array(20).fill(`column of ${id}`) })

test('300 removed jobs leave the log and every reader, while workers and an open job go on', async t => {
  const { running, context, append, ids, remove, reader, log } = await place(t)
  const old = Array.from({ length: 300 }, (_, i) => `old-${i}`)
  await append(...old.map(failed))
  await running.work(new Exclaimer())
  await running.publish('before', [numbered(30)])
  await append({ id: 'events', sequenced: false, bounded: false, columns: ['ID', 'TEXT'] })
  await remove(...old)
  assert.deepEqual(await ids(), ['before', 'events'])
  assert.equal(await shortenJobLog(context, Date.now()), 300)
  assert.equal(log('jobs').start, 300)
  for (const jobs of [running.jobs, await reader()]) {
    const gone = (await jobs.latest('old-7'))!
    assert.deepEqual(
      [gone.state, gone.columns, gone.reason!.message],
      ['cancelled', [], 'job old-7 was removed by a test'],
    )
    assert.equal((await jobs.latest('events'))!.state, 'open')
  }
  assert.deepEqual((await running.collect('before')).written, classified(numbered(30)))
  await running.publish('after', [numbered(40)])
  assert.deepEqual((await running.collect('after')).written, classified(numbered(40)))
})

test('a job that is open or not classified is removed only by force, and then nobody waits for it', async t => {
  const { running, context, ids, append } = await place(t)
  await running.publish('unread', [numbered(10)])
  await append({ id: 'events', sequenced: false, bounded: false })
  await assert.rejects(namedJobs(context, ['unread'], false), { code: 'USAGE', message: /unread is not classified to/ })
  await assert.rejects(namedJobs(context, ['events'], false), { code: 'USAGE', message: /events is open/ })
  await assert.rejects(namedJobs(context, ['nowhere'], true), { code: 'USAGE', message: /no job nowhere/ })
  assert.deepEqual(await jobsDoneBefore(context, { time: inDays(1), force: false }), [])
  const collecting = assert.rejects(running.collect('unread'), { code: 'JOB_CANCELLED', message: /removed by a test/ })
  await removeJobs(context, await namedJobs(context, ['unread', 'events'], true), BY)
  await collecting
  assert.deepEqual(await ids(), [])
})

test('a job that is classified to its end is removed; its id stays used, and its readers say what happened', async t => {
  const { running, context, ids, remove } = await place(t)
  await running.publish('j', [numbered(10)])
  const worker = await running.work(new Exclaimer())
  await running.collect('j')
  await worker.drain()
  assert.deepEqual(
    (await jobsDoneBefore(context, { time: inDays(1), force: false })).map(({ id }) => id),
    ['j'],
  )
  assert.deepEqual(await jobsDoneBefore(context, { time: inDays(-1), force: false }), [])
  await remove('j')
  assert.deepEqual(await ids(), [])
  await assert.rejects(running.collect('j'), { code: 'JOB_CANCELLED' })
  await assert.rejects(running.publish('j', [numbered(10)]), { code: 'JOB_EXISTS', message: /and was removed/ })
})

test('a removal is forgotten after a week, but not before the workers have read the rows of its job', async t => {
  const { running, context, reader, log } = await place(t)
  await running.publish('unread', [numbered(10)])
  await removeJobs(context, await namedJobs(context, ['unread'], true), BY)
  await shortenJobLog(context, inDays(8))
  assert.ok(log('jobs').start < log('jobs').end, 'no worker has read the rows')
  const worker = await running.work(new Exclaimer())
  const admin = await running.kafka.admin()
  await until('the rows are skipped', async () => (await admin.lag(workersGroup('p'), 'p.rows')) === 0)
  await worker.drain()
  assert.equal(log('rejects').end, 0, 'no row is a reject')
  await shortenJobLog(context, inDays(6))
  assert.equal((await (await reader()).latest('unread'))?.state, 'cancelled')
  await shortenJobLog(context, inDays(8))
  assert.equal(log('jobs').start, log('jobs').end)
  assert.equal(await (await reader()).latest('unread'), undefined)
})

test('a job that is kept keeps its first record and everything after it', async t => {
  const { context, append, remove, ids, reader, log } = await place(t)
  await append(failed('a'), failed('kept'), failed('b'), failed('c'))
  await remove('a', 'b', 'c')
  assert.equal(await shortenJobLog(context, inDays(8)), 1)
  assert.equal(log('jobs').start, 1)
  assert.deepEqual(await ids(), ['kept'])
  assert.equal((await (await reader()).latest('kept'))!.columns.length, 20)
})

test('removals and shortening at the same moment, twice, remove each job once and keep a job that is opened then', async t => {
  const { context, append, remove, ids, reader } = await place(t)
  await append(...['a', 'b', 'c'].map(failed))
  const both = () => remove('a', 'b', 'c').then(() => shortenJobLog(context, inDays(8)))
  await Promise.all([both(), both(), append({ id: 'new' })])
  assert.deepEqual(await ids(), ['new'])
  const jobs = await reader()
  assert.equal((await jobs.latest('new'))!.state, 'open')
  await remove('a', 'b')
  assert.deepEqual(await ids(), ['new'])
})

test('a record that nobody here can read is never deleted', async t => {
  const { context, append, remove, log, running } = await place(t)
  await append(failed('a'))
  const body = encodeJob(jobRecord({ id: 'foreign' })).subarray(10)
  const value = Buffer.concat([Buffer.from([0, 0, 0, 0, 99]), body])
  const sender = new PartitionSender(await running.kafka.producer(), () => {})
  await sender.send({ topic: 'p.jobs', partition: 0 }, { key: 'foreign', value })
  await append(failed('b'))
  await remove('a', 'b')
  assert.equal(await shortenJobLog(context, inDays(8)), 1)
  assert.equal(log('jobs').start, 1)
  await sender.close()
})
