/** Messages whose job has no record yet, over a Kafka in memory and with a clock that the test moves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Reject } from '../../src/model.ts'
import { appendJob } from '../../src/pipeline/append-job.ts'
import { decode, encodeRows } from '../../src/wire/codec.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { classified, Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const ROW = { epoch: 0, from: 0, seq: 0, count: 1, line: null, lineSteps: null, rows: numbered(1) }
const rowOf = (job: string) => ({ key: Buffer.from(job), value: encodeRows({ ...ROW, job }) })

test('messages of unknown jobs wait five seconds together, and delay no row after them', async t => {
  const { running, log } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  const time = new ManualTime()
  log('rows').append(['a', 'b', 'c'].map(rowOf))
  await running.publish('j', [numbered(20)])
  const worker = await running.work(new Exclaimer(), { batchRows: 5, time })
  assert.deepEqual((await running.collect('j')).written, classified(numbered(20)))
  await time.pass(4999)
  assert.equal(log('rejects').end, 0)
  await time.pass(1)
  while (log('rejects').end < 3) await turn()
  const { messages } = log('rejects').read(0, { maxBytes: Number.MAX_SAFE_INTEGER, atLeastOne: true })
  const rejects = messages.map(({ value }) => decode(value!).value as Reject)
  assert.deepEqual(
    rejects.map(({ offset, reason }) => `${offset} ${reason}`),
    ['0 UNKNOWN_JOB', '1 UNKNOWN_JOB', '2 UNKNOWN_JOB'],
  )
  await worker.drain()
})

test('messages whose job record comes while they wait are classified, and not rejected', async t => {
  const { running, topics, log } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  const time = new ManualTime()
  const seen: string[] = []
  const came = Promise.withResolvers<void>()
  const classifier = new Exclaimer(async ({ job }) => {
    seen.push(job.id)
    if (job.id === 'late') came.resolve()
  })
  log('rows').append([rowOf('late')])
  await running.publish('j', [numbered(5)])
  const worker = await running.work(classifier, { time })
  await running.collect('j')
  await time.pass(4000)
  assert.deepEqual(seen, ['j'])
  const sender = new PartitionSender(await running.kafka.producer(), () => {})
  const layout = { partitions: 1, topic: topics.rows, rowsFrom: [0], resultsFrom: [0] }
  await appendJob(sender, running.pipeline, jobRecord({ id: 'late', columns: ['ID', 'TEXT'], ...layout }))
  await sender.close()
  await came.promise
  await time.pass(10_000)
  assert.equal(log('rejects').end, 0)
  await worker.drain()
})
