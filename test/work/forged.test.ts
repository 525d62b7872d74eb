/** What others may write into the topics of a pipeline, over a Kafka in memory: no worker and no reader ends or stops. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { attemptOf, MAX_ATTEMPT } from '../../src/core/job.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Job, Reject } from '../../src/model.ts'
import { appendJob } from '../../src/pipeline/append-job.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { decode } from '../../src/wire/codec.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { classified, Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { jobRecord } from '../helpers/pipeline.ts'
import type { RunningPipeline } from '../helpers/running-pipeline.ts'

const TOO_LARGE = Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' })

async function append({ kafka, pipeline }: RunningPipeline, ...records: readonly Job[]): Promise<void> {
  const sender = new PartitionSender(await kafka.producer(), () => {})
  for (const record of records) await appendJob(sender, pipeline, record)
  await sender.close()
}

test('a result that the broker refuses ends the worker, and the next one loses no row after it', async t => {
  const { cluster, running, topics } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  const requests: number[] = []
  cluster.onProduce = async ({ topic }, { length }) => {
    if (topic === topics.results && requests.push(length) > 1) throw TOO_LARGE
    return undefined
  }
  await running.publish('j', [numbered(60)])
  const first = await running.work(new Exclaimer(), { batchRows: 5 })
  await assert.rejects(first.ended, { code: 'TOPIC_UNUSABLE' })
  assert.equal(
    requests.indexOf(1, 1),
    requests.length - 1,
    'nothing was sent after the result that was refused by itself',
  )
  cluster.onProduce = async () => undefined
  await running.work(new Exclaimer(), { batchRows: 5 })
  assert.deepEqual((await running.collect('j')).written, classified(numbered(60)))
})

/** A job of events without sequence: any program may send its rows as JSON. */
const EVENTS = { id: 'events', columns: ['ID', 'TEXT'], sequenced: false, bounded: false }
const eventsIn = ({ partitions, topic }: { partitions: number; topic: string }, more: Partial<Job> = {}) => {
  const starts = Array(partitions).fill(0)
  return jobRecord({ ...EVENTS, partitions, topic, rowsFrom: starts, resultsFrom: starts, ...more })
}
const eventRow = (id: string) => ({
  key: Buffer.from('events'),
  value: Buffer.from(JSON.stringify({ job: 'events', values: [id, 'text'] })),
})

/** An open job of events on a Kafka in memory. `classified` resolves with the ids of so many rows. */
async function openEvents(t: TestContext, partitions: number) {
  const parts = await fakePipeline(t, { partitions, blockRows: 5 })
  await append(parts.running, eventsIn({ partitions, topic: parts.topics.rows }))
  const ids: string[] = []
  const classifier = new Exclaimer(async ({ rows }) => void ids.push(...rows.map(([id]) => String(id))))
  const classifiedIds = async (count: number) => {
    while (ids.length < count) await turn()
    return ids.splice(0).sort()
  }
  return { ...parts, classifier, classifiedIds }
}

function rejectsIn(log: ReturnType<Awaited<ReturnType<typeof fakePipeline>>['log']>): Reject[] {
  const { messages } = log.read(0, { maxBytes: Number.MAX_SAFE_INTEGER, atLeastOne: true })
  return messages.map(({ value }) => decode(value!).value as Reject)
}

test('messages of foreign schemas during an open transaction in the topic of jobs hold up no row', async t => {
  const { running, log, classifier, classifiedIds } = await openEvents(t, 2)
  const time = new ManualTime()
  await running.work(classifier, { time })
  const transaction = { state: 'open' as const }
  log('jobs').append([{ key: Buffer.from('x'), value: Buffer.from('of nobody') }], transaction)
  const foreign = Buffer.from('\0\0\0\0\x07hello')
  for (const partition of [0, 1]) {
    log('rows', partition).append([{ key: Buffer.from('nobody'), value: foreign }])
    log('rows', partition).append([{ key: null, value: foreign }])
    log('rows', partition).append([eventRow(`during-${partition}`)])
  }
  assert.deepEqual(await classifiedIds(2), ['during-0', 'during-1'])
  await time.pass(60_000)
  assert.equal(log('rejects').end, 2, 'only those without a key: a job of this name may still come')
  log('jobs').finish(transaction, 'aborted')
  while (log('rejects').end < 4) await turn()
  assert.deepEqual(
    rejectsIn(log('rejects')).map(({ reason }) => reason),
    Array(4).fill('MALFORMED'),
  )
})

test('rows of unknown jobs fill a worker during such a transaction, and a row after one in another partition passes', async t => {
  const { running, log, classifier, classifiedIds } = await openEvents(t, 2)
  await running.work(classifier, { time: new ManualTime() })
  const transaction = { state: 'open' as const }
  log('jobs').append([{ key: Buffer.from('x'), value: Buffer.from('of nobody') }], transaction)
  const unknown = { key: null, value: Buffer.from(JSON.stringify({ job: 'nobody', values: ['1', 'text'] })) }
  for (let n = 0; n < 39; n++) log('rows', 0).append(Array(100).fill(unknown))
  log('rows', 0).append([eventRow('nearly full')])
  for (let n = 0; n < 20; n++) log('rows', 0).append(Array(100).fill(unknown))
  assert.deepEqual(await classifiedIds(1), ['nearly full'])
  for (let n = 0; n < 50; n++) {
    log('rows', 1).append([unknown, eventRow(`after-${n}`)])
    assert.deepEqual(await classifiedIds(1), [`after-${n}`])
  }
  log('jobs').finish(transaction, 'aborted')
})

test('a job record with more partitions than its topic ends no worker, and is named', async t => {
  const { running, topics, log, classifier, classifiedIds } = await openEvents(t, 2)
  const time = new ManualTime().runs(t)
  const named = Promise.withResolvers<string>()
  const say = (message: string) => /is not served/.test(message) && named.resolve(message)
  const starts = Array(1000).fill(0)
  const wide = jobRecord({ id: 'wide', partitions: 1000, topic: topics.rows, rowsFrom: starts, resultsFrom: starts })
  await append(running, wide, { ...wide, attempt: 1, state: 'ended' })
  const { ended } = await running.work(classifier, { time, say })
  assert.match(
    await named.promise,
    /^job wide, attempt 1 is not served: its record has 1000 partitions, and p\.rows has 2$/,
  )
  log('rows').append([eventRow('after')])
  assert.deepEqual(await classifiedIds(1), ['after'])
  assert.equal(await Promise.race([ended.then(() => 'ended'), time.sleep(20_000).then(() => 'works')]), 'works')
})

test('attempts that a job cannot have are ignored by every reader, and named', async t => {
  const { running, topics } = await openEvents(t, 2)
  const said: string[] = []
  const jobs = await JobLog.open(running.kafka, running.pipeline, message => said.push(message))
  t.after(() => jobs.close())
  const file = jobRecord({ id: 'file', partitions: 2, topic: topics.rows, rowsFrom: [0, 0], resultsFrom: [0, 0] })
  await append(
    running,
    eventsIn({ partitions: 2, topic: topics.rows }, { attempt: 1 }),
    file,
    { ...file, attempt: MAX_ATTEMPT, resultsFrom: [1, 1] },
    { ...file, attempt: MAX_ATTEMPT + 1 },
    { ...file, attempt: 2, partitions: 3, rowsFrom: [0, 0, 0], resultsFrom: [0, 0, 0] },
  )
  assert.equal(attemptOf((await jobs.latest('events'))!), 'events/0')
  assert.equal(attemptOf((await jobs.latest('file'))!), `file/${MAX_ATTEMPT}`)
  assert.deepEqual(
    jobs.attemptsOf('file').map(({ attempt }) => attempt),
    [0, MAX_ATTEMPT],
  )
  assert.deepEqual(
    said.map(text => text.replace(/^.*ignored: /, '')),
    [
      'it is attempt 1 of job events, and a job of events has one attempt',
      `it is attempt ${MAX_ATTEMPT + 1} of job file, and at most ${MAX_ATTEMPT} are read`,
      'it has 3 partitions, and job file has 2',
    ],
  )
})

test('a reopened job gets its turn although others that never end came before it', async t => {
  const { running, topics, classifier } = await openEvents(t, 1)
  const time = new ManualTime().runs(t)
  const at = { partitions: 1, topic: topics.rows, rowsFrom: [0], resultsFrom: [0] }
  const endless = Array.from({ length: 20 }, (_, n) => jobRecord({ id: `endless-${n}`, ...at }))
  await append(running, ...endless, ...endless.map(job => ({ ...job, attempt: 1 })))
  await running.publish('honest', [numbered(20)])
  await append(running, { ...(await running.jobs.latest('honest'))!, attempt: 1, state: 'ended' })
  await running.work(classifier, { time })
  const { written } = await running.collect('honest')
  assert.deepEqual(written, classified(numbered(20)))
})
