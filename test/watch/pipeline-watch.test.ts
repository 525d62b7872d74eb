import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { RowmillError } from '../../src/errors.ts'
import { cancelJob } from '../../src/jobs/cancel-job.ts'
import { reopen } from '../../src/jobs/reopen.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { encodeReport } from '../../src/reports/report-text.ts'
import { realTime, type Time } from '../../src/support/clock.ts'
import { PipelineWatch } from '../../src/watch/pipeline-watch.ts'
import type { JobView, PipelineView } from '../../src/watch/view.ts'
import type { PipelineWatchOptions } from '../../src/watch/watch-options.ts'
import { FakeGroupOffsets } from '../fakes/group-offsets.ts'
import type { Transaction } from '../fakes/partition-log.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { until } from '../helpers/until.ts'
import { madeReport, madeWorker, workersReport } from './made-facts.ts'

const LAYOUT = { partitions: 3, blockRows: 5 }

async function watched(t: TestContext, options: PipelineWatchOptions = {}) {
  const fake = await fakePipeline(t, LAYOUT)
  const watch = () => {
    const { kafka, pipeline } = fake.running
    const opened = new PipelineWatch({ kafka, pipeline, say: () => {} }, options)
    t.after(() => opened.close())
    return opened
  }
  return { ...fake, watch }
}

const only = ({ jobs }: PipelineView): JobView => {
  assert.equal(jobs.length, 1)
  return jobs[0]!
}

const gate = () => Promise.withResolvers<void>()

test('a job goes from waiting over publishing and classifying to complete, and its rows are counted by partition', async t => {
  const { running, watch } = await watched(t)
  const watching = watch()
  assert.deepEqual((await watching.look()).jobs, [])
  const [begin, end, classify] = [gate(), gate(), gate()]
  const published = running.publish('j', runs())
  async function* runs() {
    await begin.promise
    yield numbered(20)
    await end.promise
    yield numbered(11, 20)
  }
  await running.jobs.until('j', () => true, AbortSignal.timeout(10_000))
  assert.equal(only(await watching.look()).phase, 'waiting')
  begin.resolve()
  await until('20 rows are published', async () => only(await watching.look()).rows.published === 20)
  assert.equal(only(await watching.look()).phase, 'publishing')
  end.resolve()
  await published
  const worker = await running.work(
    new Exclaimer(async (_, number) => (number > 1 ? await classify.promise : undefined)),
  )
  await until('rows are classified', async () => only(await watching.look()).rows.classified! > 0)
  const view = await watching.look()
  const job = only(view)
  assert.equal(job.phase, 'classifying')
  assert.deepEqual([job.rows.total, job.rows.published], [31, 31])
  assert.equal(
    job.partitions.reduce((sum, { classified }) => sum + classified!, 0),
    job.rows.classified,
  )
  assert.deepEqual(
    job.partitions.map(({ total }) => total),
    [11, 10, 10],
  )
  for (const { published: here, classified, lagRows, lagSeconds } of job.partitions) {
    assert.equal(lagRows, here! - classified!)
    assert.ok(lagRows === 0 ? lagSeconds === 0 : lagSeconds !== null)
  }
  classify.resolve()
  await until('the job is complete', async () => only(await watching.look()).phase === 'complete')
  const over = only(await watching.look())
  assert.deepEqual(over.rows, { total: 31, published: 31, classified: 31, written: null, rejected: 0 })
  assert.equal(over.etaSeconds, null)
  await worker.drain()
})

/** Job j of 31 rows is complete, and its worker has left. */
async function completed(t: TestContext) {
  const fake = await watched(t)
  const worker = await fake.running.work(new Exclaimer())
  await fake.running.publish('j', [numbered(31)])
  const first = fake.watch()
  await until('the job is complete', async () => only(await first.look()).phase === 'complete')
  await worker.drain()
  return fake
}

test('a job whose rows are committed is complete without reading its results', async t => {
  const { watch, cluster, topics } = await completed(t)
  const fetched: string[] = []
  cluster.onFetch = async offsets => void fetched.push(...offsets.map(({ topic, offset }) => `${topic}@${offset}`))
  const job = only(await watch().look())
  assert.deepEqual([job.phase, job.rows.classified, job.rows.rejected], ['complete', 31, null])
  assert.ok(!fetched.includes(`${topics.results}@0`), fetched.join())
})

test('the results of a job whose rows were committed are not read because another job begins', async t => {
  const { running, watch, cluster, topics } = await completed(t)
  // A watch that saw results keeps what it counted, so each look is that of a new one.
  await until('its rows are committed', async () => only(await watch().look()).rows.rejected === null)
  const watching = watch()
  await watching.look()
  const fetched: string[] = []
  cluster.onFetch = async offsets => void fetched.push(...offsets.map(({ topic, offset }) => `${topic}@${offset}`))
  await running.publish('k', [numbered(31)])
  const view = await watching.look()
  const [j, k] = ['j', 'k'].map(id => view.jobs.find(job => job.id === id)!)
  assert.deepEqual([j!.phase, j!.rows.classified, j!.rows.rejected], ['complete', 31, null])
  assert.equal(k!.rows.classified, 0)
  assert.ok(!fetched.includes(`${topics.results}@0`), fetched.join())
})

test('a worker of the group is seen with its partitions, and as the owner of them', async t => {
  const { running, watch } = await watched(t)
  const hold = gate()
  const worker = await running.work(new Exclaimer(() => hold.promise), { name: 'host-7-1' })
  await running.publish('j', [numbered(31)])
  const watching = watch()
  await until('a worker is there', async () => (await watching.look()).workers.length > 0)
  const view = await watching.look()
  assert.equal(view.workers.length, 1)
  for (const { owner } of only(view).partitions) assert.equal(owner, view.workers[0]!.name)
  hold.resolve()
  await worker.drain()
})

test('an open transaction of another producer is what a job waits for, until it ends', async t => {
  const { running, watch, log } = await watched(t, { wallClock: () => Date.now() + 10_000 })
  await running.work(new Exclaimer())
  const foreign: Transaction = { state: 'open' }
  log('rows', 0).append([{ key: null, value: Buffer.from('foreign') }], foreign)
  await running.publish('j', [numbered(31)])
  const watching = watch()
  await until('others are classified', async () => only(await watching.look()).rows.classified === 20)
  const { waitsFor, partitions } = only(await watching.look())
  assert.deepEqual([waitsFor!.reason, waitsFor!.row, waitsFor!.partition], ['open-transaction', 0, 0])
  assert.match(waitsFor!.text, /a transaction open in p\.rows\[0\] at offset 0/)
  assert.ok(partitions[0]!.blocks)
  log('rows', 0).finish(foreign, 'aborted')
  await until('the job is complete', async () => only(await watching.look()).phase === 'complete')
})

test('rows of a job that was cancelled are no age of the next one', async t => {
  const { running, watch, log } = await watched(t)
  const partitions = [0, 1, 2]
  for (const partition of partitions) log('rows', partition).clock = () => Date.now() - 3_600_000
  await running.publish('old', [numbered(31)])
  const watching = watch()
  const ages = async (id: string) =>
    (await watching.look()).jobs.find(job => job.id === id)!.partitions.map(({ lagSeconds }) => lagSeconds)
  for (const age of await ages('old')) assert.ok(age! >= 3600, `${age}`)
  await cancelJob(running.context, 'old', { by: 'test', who: 'a test' })
  await watching.look()
  for (const partition of partitions) log('rows', partition).clock = Date.now
  await running.publish('next', [numbered(31)])
  for (const age of await ages('next')) assert.ok(age !== null && age < 3000, `${age}`)
  const { waitsFor } = (await watch().look()).jobs.at(-1)!
  assert.ok(waitsFor!.since! > Date.now() - 3_000_000)
})

test('reports of the commands of a pipeline say who publishes, and what the workers do', async t => {
  const { running, watch, log } = await watched(t)
  await running.publish('j', [numbered(31)])
  const batch = { topic: 'p.rows', partition: 0, job: 'j', row: 0, rows: 5, seconds: 1 }
  const at = Date.now()
  log('reports').append([{ key: null, value: Buffer.from('no report') }])
  log('reports').append([{ key: null, value: encodeReport(workersReport([madeWorker({ batch })], { startedAt: at })) }])
  const { workers, processes, jobs } = await watch().look()
  assert.deepEqual([workers[0]!.name, workers[0]!.state, processes[0]!.state], ['host-7-1', 'busy', 'running'])
  assert.equal(jobs[0]!.topic, 'p.rows')
  assert.equal(jobs[0]!.waitsFor!.reason, 'classifying')
})

const AHEAD_MS = 3_600_000
const isRight = ({ at }: PipelineView) => Math.abs(at - Date.now()) < AHEAD_MS / 2

test('a watch from before the topic of reports reads every report at once', async t => {
  let passed = 0
  const time = { ...realTime, now: () => realTime.now() + passed }
  const { running, topics, log, watch } = await watched(t, { time })
  const admin = await running.kafka.admin()
  await admin.deleteTopics([topics.reports])
  const watching = watch()
  assert.deepEqual((await watching.look()).processes, [])
  await ensureTopics(admin, running.pipeline, LAYOUT.partitions)
  passed += 4000
  const told = async () => (await watching.look()).workers.map(({ rows }) => rows)
  for (const rows of [10, 20, 30]) {
    const report = workersReport([madeWorker({ rows })], { startedAt: Date.now() })
    log('reports').append([{ key: null, value: encodeReport(report) }])
    assert.deepEqual(await told(), [rows])
  }
})

/** A worker of job j has a batch. It reports whenever a watch asks where the logs end. */
async function reporting(t: TestContext, options: PipelineWatchOptions = {}) {
  const fake = await watched(t, { wallClock: () => Date.now() + AHEAD_MS, ...options })
  await fake.running.publish('j', [numbered(31)])
  const batch = { topic: 'p.rows', partition: 0, job: 'j', row: 0, rows: 5, seconds: 1 }
  const value = encodeReport(workersReport([madeWorker({ batch })], { startedAt: Date.now(), everySeconds: 3 }))
  const report = () => void fake.log('reports').append([{ key: null, value }])
  report()
  return { ...fake, report }
}

test('one look whose clock is an hour ahead of the broker accuses no worker that reports', async t => {
  const { watch, cluster, report } = await reporting(t)
  cluster.onOffsets = async () => report()
  const view = await watch().look()
  const { phase, waitsFor } = only(view)
  assert.deepEqual([view.workers[0]!.state, view.processes[0]!.state], ['busy', 'running'])
  assert.deepEqual([phase, waitsFor!.reason], ['classifying', 'classifying'])
  assert.ok(isRight(view))
})

test('a watch whose clock is an hour ahead of the broker accuses no worker once a second report has come', async t => {
  const { watch, cluster, report } = await reporting(t, { everyMs: 20 })
  cluster.onOffsets = async () => report()
  const watching = watch()
  const ended = watching.start()
  await until('its time is right', () => watching.latest !== null && isRight(watching.latest))
  assert.equal(watching.latest!.workers[0]!.state, 'busy')
  assert.equal(only(watching.latest!).waitsFor!.reason, 'classifying')
  await watching.close()
  await ended
})

test('one look waits until a process that seems silent has had the time to report', async t => {
  const time = new ManualTime().runs(t)
  const { watch } = await reporting(t, { time, wallClock: () => Date.now() + 30_000 })
  const began = time.now()
  assert.equal((await watch().look()).processes[0]!.state, 'silent')
  assert.ok(time.now() - began >= 5000)
})

test('one look waits for no process that is silent by what another one has said since', async t => {
  const doubts: number[] = []
  const sleep: Time['sleep'] = async (ms, signal) => {
    if (ms === 500) doubts.push(ms)
    await realTime.sleep(ms, signal)
  }
  const { watch, log } = await reporting(t, { time: { ...realTime, sleep }, wallClock: () => Date.now() + 60_000 })
  const clock = () => Date.now() + 59_000
  log('reports').clock = clock
  const other = madeReport({ process: 'host-9', startedAt: clock(), everySeconds: 300 })
  log('reports').append([{ key: null, value: encodeReport(other) }])
  const { processes } = await watch().look()
  assert.deepEqual(
    processes.map(({ state }) => state),
    ['silent', 'running'],
  )
  assert.deepEqual(doubts, [])
})

test('views go on through an outage, say since when no broker answers, and recover by themselves', async t => {
  const time = new ManualTime().runs(t)
  const { running, watch, cluster } = await watched(t, { time })
  await running.publish('j', [numbered(31)])
  const watching = watch()
  const ended = watching.start()
  const views: PipelineView[] = []
  watching.subscribe(view => void views.push(view))
  const last = () => views.at(-1)
  await until('a first view', () => last() !== undefined)
  const back = gate()
  cluster.onOffsets = () => back.promise
  t.after(() => back.resolve())
  await until('the outage is seen', () => last()!.unreachableSince !== null)
  assert.ok(last()!.jobs.every(({ waitsFor }) => waitsFor?.reason === 'broker'))
  back.resolve()
  const worker = await running.work(new Exclaimer())
  await until('the job is complete', () => last()!.jobs[0]!.phase === 'complete')
  assert.equal(last()!.unreachableSince, null)
  const kinds = last()!.events.map(({ kind }) => kind)
  assert.ok(
    kinds.indexOf('broker-lost') >= 0 && kinds.indexOf('broker-lost') < kinds.indexOf('broker-back'),
    kinds.join(),
  )
  await worker.drain()
  await watching.close()
  await ended
})

test('a broker that goes away during the first look is said, and what was there before is no event', async t => {
  const time = new ManualTime().runs(t)
  const { running, watch, cluster } = await watched(t, { time })
  await running.publish('j', [numbered(31)])
  const back = gate()
  t.after(() => back.resolve())
  cluster.onFetch = () => back.promise
  const watching = watch()
  const ended = watching.start()
  const views: PipelineView[] = []
  watching.subscribe(view => void views.push(view))
  await until('the outage is seen', () => views.length > 0)
  assert.ok(views[0]!.unreachableSince !== null)
  assert.deepEqual([watching.isRead, views[0]!.jobs, views[0]!.events], [false, [], []])
  back.resolve()
  await until('it is read', () => views.at(-1)!.jobs.length > 0)
  assert.deepEqual([watching.isRead, views.at(-1)!.unreachableSince, views.at(-1)!.events], [true, null, []])
  await watching.close()
  await ended
})

test('a broker that is frozen is what a job waits for within 4 s, and no worker is accused before, during or after that', async t => {
  const time = new ManualTime()
  const wallClock = () => 1_000_000_000_000 + time.now()
  const { running, watch, cluster, log } = await watched(t, { time, wallClock })
  for (const topic of ['jobs', 'rows', 'reports'] as const) log(topic).clock = wallClock
  await running.publish('j', [numbered(31)])
  const batch = { topic: 'p.rows', partition: 0, job: 'j', row: 0, rows: 5, seconds: 1 }
  const value = encodeReport(workersReport([madeWorker({ batch })], { everySeconds: 2, startedAt: wallClock() }))
  const report = () => void log('reports').append([{ key: null, value }])
  report()
  time.runs(t, 50)
  const watching = watch()
  const views: PipelineView[] = []
  watching.subscribe(view => void views.push(view))
  const ended = watching.start()
  await until('a first view', () => views.length > 0)
  report()
  const back = gate()
  t.after(() => back.resolve())
  const frozenAt = wallClock()
  cluster.onOffsets = () => back.promise
  await until('the outage is seen', () => views.at(-1)!.unreachableSince !== null)
  assert.ok(views.at(-1)!.at - frozenAt <= 4000, `after ${views.at(-1)!.at - frozenAt} ms`)
  await until('it is shown again and again', () => views.at(-1)!.at - frozenAt > 20_000)
  back.resolve()
  await until('it is over', () => views.at(-1)!.unreachableSince === null)
  assert.deepEqual([...new Set(views.map(({ workers }) => workers[0]!.state))], ['busy'])
  assert.deepEqual([...new Set(views.map(({ jobs }) => jobs[0]!.waitsFor!.reason))], ['classifying', 'broker'])
  await watching.close()
  await ended
})

test('a job that is opened again is read from its first result, and its rejects go when a later attempt has rows', async t => {
  const { running } = await fakePipeline(t, { partitions: 3, blockRows: 5 })
  const { kafka, pipeline } = running
  let refuses = true
  const classifier = new Exclaimer(async ({ rows }) => {
    if (refuses && rows.some(([id]) => id === '7')) throw new RowmillError('CLASSIFIER_FAILED', 'no 7')
  })
  const worker = await running.work(classifier, { isolates: true })
  await running.publish('j', [numbered(31)], [{ name: 'maxRejects', value: '5' }])
  const first = new PipelineWatch({ kafka, pipeline, say: () => {} })
  t.after(() => first.close())
  await until('complete', async () => {
    const [x] = (await first.look()).jobs
    return x!.phase === 'complete'
  })
  await until('rejected', async () => (await first.look()).jobs[0]!.rows.rejected === 1)
  const [job] = (await first.look()).jobs
  assert.deepEqual(
    [{ ...job!.rejectsByReason }, job!.lastRejects[0]!.row, job!.help?.command?.split(' ').slice(0, 3).join(' ')],
    [{ CLASSIFIER_FAILED: 1 }, 7, 'rowmill rejects replay'],
  )
  const late = new PipelineWatch({ kafka, pipeline, say: () => {} })
  t.after(() => late.close())
  await late.look()
  refuses = false
  await reopen(running.context, 'j', 'test')
  for (const watch of [first, late]) {
    await until('complete again', async () => {
      const [now] = (await watch.look()).jobs
      return now!.attempt === 1 && now!.phase === 'complete'
    })
    const { rows, rejectsByReason, lastRejects } = (await watch.look()).jobs[0]!
    assert.deepEqual([rows.classified, rows.rejected, { ...rejectsByReason }, lastRejects], [31, 0, {}, []])
  }
  await worker.drain()
})

test('of a job that is opened again, owner, lag and wait are those of the group of its later attempt', async t => {
  const { running, watch } = await watched(t)
  const hold = gate()
  t.after(() => hold.resolve())
  let refuses = true
  const classifier = new Exclaimer(async ({ rows }) => {
    if (!rows.some(([id]) => id === '7')) return
    if (refuses) throw new RowmillError('CLASSIFIER_FAILED', 'no 7')
    await hold.promise
  })
  const worker = await running.work(classifier, { isolates: true })
  await running.publish('j', [numbered(31)], [{ name: 'maxRejects', value: '5' }])
  const watching = watch()
  await running.collect('j') // it ends with the last end of input
  refuses = false
  const began = Date.now()
  await reopen(running.context, 'j', 'test')
  await until('the group of the attempt has its member', async () => {
    return (
      only(await watching.look()).partitions[1]!.owner !== null &&
      only(await watching.look()).partitions[1]!.lagRows === 1
    )
  })
  const view = await watching.look()
  const job = only(view)
  const [member] = view.workers
  assert.deepEqual([job.partitions[1]!.owner, job.waitsFor!.row, job.waitsFor!.partition], [member!.name, 7, 1])
  assert.ok(job.partitions[1]!.lagSeconds! <= (Date.now() - began) / 1000, 'it waits since it was opened again')
  assert.deepEqual(
    job.partitions.map(({ lagRows }) => lagRows),
    [0, 1, 0],
  )
  hold.resolve()
  await until('complete again', async () => only(await watching.look()).phase === 'complete')
  assert.deepEqual(
    only(await watching.look()).partitions.map(({ lagRows, lagSeconds }) => [lagRows, lagSeconds]),
    [
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  )
  await worker.drain()
})

test('a look that fails leaves no request behind, which would connect again after its session is closed', async t => {
  const { watch, cluster } = await watched(t)
  const watching = watch()
  await watching.look()
  const asked = t.mock.method(FakeGroupOffsets.prototype, 'describe', async () => {
    throw new Error('the coordinator moves')
  })
  const answer = gate()
  cluster.onOffsets = () => answer.promise
  let isOver = false
  const looking = watching.look().finally(() => {
    isOver = true
  })
  looking.catch(() => {})
  await until('a request has failed', () => asked.mock.callCount() > 0)
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(isOver, false, 'it waits for the other request')
  answer.resolve()
  await assert.rejects(looking, /the coordinator moves/)
})
